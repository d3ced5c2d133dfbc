package data

import (
	"context"
	"fmt"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/shape"
)

// slot is the memory of one batch, with the functions that fill it.
type slot struct {
	ds   Dataset
	seed uint64
	info Info // of the examples after augmentation and mixing

	size        int
	in, all     Example // memory for size examples: as read, and including what Mix adds
	full, short Batch   // views of it: for size examples, and for the last batch

	raw    []float32 // an input as read, if Augment changes it
	change Change
	mix    Mix
	only   func(n int) (lo, hi int)
	drawn  bool // an example may come more than once in an epoch
	rand   Rand
}

// newSlot allocates the memory of a batch from a dataset of n examples.
func newSlot(ds Dataset, n int, o Batching) (*slot, error) {
	read, err := describe(ds)
	if err == nil {
		err = read.Err()
	}
	if err != nil {
		return nil, err
	}
	s := &slot{ds: ds, seed: o.Seed, info: read, size: o.Size, only: o.Only, drawn: o.Weights != nil}
	if err := s.bind(o); err != nil {
		return nil, err
	}
	if err := s.bounded(n, o, read.Target); err != nil {
		return nil, err
	}
	if s.change != nil {
		s.raw = make([]float32, read.Input.Len())
	}
	s.in.X = make([]float32, o.Size*s.info.Input.Len())
	s.in.makeTargets(o.Size, read.Target)
	s.all = s.in
	if s.info.Target != read.Target {
		s.all.makeTargets(o.Size, s.info.Target)
	}
	s.full, s.short = s.view(o.Size), s.view((n-1)%o.Size+1)
	return s, nil
}

// bind binds the Augmentation and the Mixer to the examples as read.
func (s *slot) bind(o Batching) (err error) {
	defer rescue(&err)
	if o.Augment != nil {
		if s.change, s.info, err = o.Augment.Bind(s.info); err != nil {
			return fmt.Errorf("augmentation: %w", err)
		}
		if s.change == nil {
			return fmt.Errorf("augmentation: %T returns no Change", o.Augment)
		}
	}
	if o.Mix != nil {
		if s.mix, s.info, err = o.Mix.Bind(s.info); err != nil {
			return fmt.Errorf("mixing: %w", err)
		}
		if s.mix == nil {
			return fmt.Errorf("mixing: %T returns no Mix", o.Mix)
		}
	}
	return s.info.Err()
}

// bounded returns an error if batches of n examples would need too much memory.
func (s *slot) bounded(n int, o Batching, read shape.Type) error {
	each := s.info.Input.Len() + s.info.Target.Len() + read.Len()
	if most := maxExample / max(s.info.Input.Len(), s.info.Target.Len(), read.Len()); o.Size > most {
		return fmt.Errorf("batch size %d is too large for examples of %v; want at most %d", o.Size, s.info.Input, most)
	}
	batches := (n-1)/o.Size + 1
	if most := maxBatches / int64(o.Size) / int64(each); int64(min(o.Workers+1, batches)) > most {
		return fmt.Errorf("%d workers are too many for batches of %d examples of %v; want at most %d", o.Workers, o.Size, s.info.Input, most-1)
	}
	return nil
}

func (e *Example) makeTargets(n int, each shape.Type) {
	if each.DType == shape.Int32 {
		e.Labels = make([]int32, n*each.Len())
	} else {
		e.Targets = make([]float32, n*each.Len())
	}
}

// view returns a batch on the memory of the first n examples.
func (s *slot) view(n int) Batch {
	b := Batch{X: dense(s.all.X, n, s.info.Input)}
	if s.info.Target.DType == shape.Int32 {
		b.Y = dense(s.all.Labels, n, s.info.Target)
	} else {
		b.Y = dense(s.all.Targets, n, s.info.Target)
	}
	return b
}

func dense[T float32 | int32](memory []T, n int, each shape.Type) *tensor.Dense {
	s := each.Insert(0, shape.Dim(n))
	return tensor.New(tensor.WithShape(s.Ints()...), tensor.WithBacking(memory[:s.Len()]))
}

// fill fills batch k with examples, unless ctx is cancelled.
func (s *slot) fill(ctx context.Context, epoch, k int, examples []int) (Batch, error) {
	b := s.full
	if len(examples) < s.size {
		b = s.short
	}
	b.Index, b.Examples = k, examples
	lo, hi, err := s.needed(len(examples))
	if err != nil {
		return Batch{}, prefixed(err)
	}
	for j := lo; j < hi; j++ {
		if ctx.Err() != nil {
			return Batch{}, context.Cause(ctx)
		}
		i := examples[j]
		number := i // of the random numbers
		if s.drawn {
			number = k*s.size + j
		}
		if err := s.read(epoch, i, number, s.in.part(j, s.size)); err != nil {
			return Batch{}, prefixed(fmt.Errorf("example %d: %w", i, err))
		}
	}
	if err := s.combine(epoch, k, len(examples)); err != nil {
		return Batch{}, prefixed(fmt.Errorf("mixing batch %d: %w", k, err))
	}
	return b, nil
}

// needed returns the range of n examples that are read.
func (s *slot) needed(n int) (lo, hi int, err error) {
	if s.only == nil || s.mix != nil {
		return 0, n, nil
	}
	defer rescue(&err)
	if lo, hi = s.only(n); lo < 0 || lo > hi || hi > n {
		return 0, 0, fmt.Errorf("Only returns the examples %d to %d of %d", lo, hi, n)
	}
	return lo, hi, nil
}

// combine mixes the n examples of batch k.
func (s *slot) combine(epoch, k, n int) (err error) {
	if s.mix == nil {
		return nil
	}
	defer rescue(&err)
	s.rand.reset(mixStream, s.seed, epoch, k)
	return s.mix(n, s.all, &s.rand)
}

// read reads example i into e and changes it, by the random numbers of the given number.
func (s *slot) read(epoch, i, number int, e Example) (err error) {
	defer rescue(&err)
	if s.change == nil {
		return s.ds.Read(i, e)
	}
	x := e.X
	e.X = s.raw
	if err := s.ds.Read(i, e); err != nil {
		return err
	}
	s.rand.reset(augmentStream, s.seed, epoch, number)
	changed := s.change(s.raw, &s.rand)
	if len(changed) != len(x) {
		return fmt.Errorf("augmentation returns %d elements; want %v", len(changed), s.info.Input)
	}
	copy(x, changed)
	return nil
}

// part returns the j-th of n examples.
func (e Example) part(j, n int) Example {
	return Example{X: part(e.X, j, n), Labels: part(e.Labels, j, n), Targets: part(e.Targets, j, n)}
}

// part returns the j-th of n equal parts of s.
func part[T any](s []T, j, n int) []T {
	size := len(s) / n
	return s[j*size : (j+1)*size : (j+1)*size]
}
