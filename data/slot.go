package data

import (
	"context"
	"fmt"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/shape"
)

// slot is the memory of one batch, with the functions that fill it.
type slot struct {
	ds     Dataset // one of ds and stream is nil
	stream Stream
	seed   uint64
	info   Info // of the examples after augmentation and mixing

	size        int
	in, all     Example // memory for size examples: as read, and including what Mix adds
	full, short Batch   // views of it: for size examples, and for the last batch, which is smaller

	examples []int     // of the batch: their indices, or places in the stream
	records  []*Record // of a stream, for size examples
	numbers  []int     // likewise, the memory of examples
	names    []string  // likewise

	raw    []float32 // an input as read, if Augment changes it
	change Change
	mix    Mix
	only   func(n int) (lo, hi int)
	drawn  bool // an example may come more than once in an epoch
	rand   Rand
}

// newSlot allocates the memory of a batch of n examples in all, which are as read describes them.
func newSlot(read Info, n int, o Batching) (*slot, error) {
	s := &slot{seed: o.Seed, info: read, size: o.Size, only: o.Only, drawn: o.Weights != nil}
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
	s.full = s.view(o.Size)
	return s, nil
}

// of makes s read from one of ds and stream.
func (s *slot) of(ds Dataset, stream Stream) {
	s.ds, s.stream = ds, stream
	if stream == nil {
		return
	}
	s.numbers, s.names = make([]int, s.size), make([]string, s.size)
	for range s.size {
		s.records = append(s.records, new(Record))
	}
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

// fill fills batch k with its examples, unless ctx is cancelled.
func (s *slot) fill(ctx context.Context, epoch, k int) (Batch, error) {
	n := len(s.examples)
	b := s.batch(n)
	b.Index, b.Examples = k, s.examples
	if s.stream != nil {
		b.Names = s.names[:n]
		if s.only != nil {
			b.Sum = sumOf(s.records[:n])
		}
	}
	lo, hi, err := s.needed(n)
	if err != nil {
		return Batch{}, prefixed(err)
	}
	for j := lo; j < hi; j++ {
		if ctx.Err() != nil {
			return Batch{}, context.Cause(ctx)
		}
		number := s.examples[j] // of the random numbers
		if s.drawn {
			number = k*s.size + j
		}
		if err := s.read(epoch, j, number, s.in.part(j, s.size)); err != nil {
			return Batch{}, prefixed(fmt.Errorf("%s: %w", s.name(j), err))
		}
	}
	if err := s.combine(epoch, k, n); err != nil {
		return Batch{}, prefixed(fmt.Errorf("mixing batch %d: %w", k, err))
	}
	return b, nil
}

// batch returns a batch of n examples. Its tensors are made once, as long as n does not change.
func (s *slot) batch(n int) Batch {
	if n == s.size {
		return s.full
	}
	if s.short.X == nil || s.short.X.Shape()[0] != n {
		s.short = s.view(n)
	}
	return s.short
}

// name names the j-th example for an error.
func (s *slot) name(j int) string {
	if s.stream != nil && s.names[j] != "" {
		return fmt.Sprintf("example %d, %s", s.examples[j], plain.Name(s.names[j]))
	}
	return fmt.Sprintf("example %d", s.examples[j])
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

// read reads the j-th example into e and changes it, by the random numbers of the given number.
func (s *slot) read(epoch, j, number int, e Example) (err error) {
	defer rescue(&err)
	if s.change == nil {
		return s.decode(j, e)
	}
	x := e.X
	e.X = s.raw
	if err := s.decode(j, e); err != nil {
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

// decode writes the j-th example into e.
func (s *slot) decode(j int, e Example) error {
	if s.stream != nil {
		return s.stream.Decode(s.records[j], e)
	}
	return s.ds.Read(s.examples[j], e)
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
