package data

import (
	"errors"
	"fmt"
	"iter"
	"math/bits"

	"github.com/plexaura/plexaura/internal/philox"
	"github.com/plexaura/plexaura/shape"
	"gorgonia.org/tensor"
)

// Batching says how a [Loader] cuts a dataset into batches.
type Batching struct {
	// Size is the number of examples in a batch, at least 1. The last batch of an epoch is
	// smaller where the examples run out.
	Size int
	// Shuffle puts the examples of each epoch into a new order, which depends on Seed, the
	// epoch and the number of examples alone. Without it, the order is that of the dataset.
	Shuffle bool
	Seed    uint64
}

// Batch is some examples, side by side. All of it is valid until the next batch.
type Batch struct {
	Index    int           // the number of the batch in its epoch, from 0
	Examples []int         // the examples' numbers in the dataset
	X        *tensor.Dense // float32 inputs, (n,C,H,W)
	Y        *tensor.Dense // int32 class numbers, (n), or other targets with the axis n in front
}

// Loader cuts a dataset into batches, in memory that it reuses. It serves one loop at a time.
type Loader struct {
	ds          Dataset
	o           Batching
	order       []int
	x           []float32
	labels      []int32 // one of labels and targets is nil
	targets     []float32
	full, short Batch // views of the memory: of o.Size examples and of what the last batch has
}

// NewLoader returns a Loader of ds.
func NewLoader(ds Dataset, o Batching) (*Loader, error) {
	info, n := ds.Info(), ds.Len()
	if err := info.Err(); err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	if n == 0 {
		return nil, errors.New("data: the dataset is empty")
	}
	if o.Size < 1 {
		return nil, fmt.Errorf("data: batch size %d; want at least 1", o.Size)
	}
	o.Size = min(o.Size, n)
	if maxBatch := maxExample / max(info.Input.Len(), info.Target.Len()); o.Size > maxBatch {
		return nil, fmt.Errorf("data: batch size %d is too large for examples of %v; want at most %d", o.Size, info.Input, maxBatch)
	}
	l := &Loader{ds: ds, o: o, order: sequence(n), x: make([]float32, o.Size*info.Input.Len())}
	if info.Target.DType == shape.Int32 {
		l.labels = make([]int32, o.Size*info.Target.Len())
	} else {
		l.targets = make([]float32, o.Size*info.Target.Len())
	}
	l.full, l.short = l.view(o.Size), l.view((n-1)%o.Size+1)
	return l, nil
}

// view returns a batch over the memory of the first n examples.
func (l *Loader) view(n int) Batch {
	info := l.ds.Info()
	b := Batch{X: dense(l.x, n, info.Input)}
	if l.labels != nil {
		b.Y = dense(l.labels, n, info.Target)
	} else {
		b.Y = dense(l.targets, n, info.Target)
	}
	return b
}

func dense[T float32 | int32](memory []T, n int, each shape.Type) *tensor.Dense {
	s := each.Insert(0, shape.Dim(n))
	return tensor.New(tensor.WithShape(s.Ints()...), tensor.WithBacking(memory[:s.Len()]))
}

// Len is the number of batches in an epoch.
func (l *Loader) Len() int { return (len(l.order)-1)/l.o.Size + 1 }

// Epoch returns the batches of an epoch; epochs are counted from 0. It ends after the first
// error, which only a dataset that can fail to read gives.
func (l *Loader) Epoch(epoch int) iter.Seq2[Batch, error] { return l.EpochFrom(epoch, 0) }

// EpochFrom returns the batches of an epoch from the given one on. They are those that
// [Loader.Epoch] gives: a run can go on where it was broken off.
func (l *Loader) EpochFrom(epoch, batch int) iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		if epoch < 0 || batch < 0 {
			yield(Batch{}, fmt.Errorf("data: no batch %d of epoch %d", batch, epoch))
			return
		}
		l.arrange(epoch)
		for k := batch; k < l.Len(); k++ {
			b, err := l.load(k)
			if !yield(b, err) || err != nil {
				return
			}
		}
	}
}

func (l *Loader) arrange(epoch int) {
	for i := range l.order {
		l.order[i] = i
	}
	if l.o.Shuffle {
		shuffle(l.order, philox.Stream{Seed: l.o.Seed, ID: philox.ID("data.order"), Step: uint64(epoch)})
	}
}

func (l *Loader) load(k int) (Batch, error) {
	first := k * l.o.Size
	b := l.full
	if first+l.o.Size > len(l.order) {
		b = l.short
	}
	b.Index, b.Examples = k, l.order[first:min(first+l.o.Size, len(l.order))]
	for j, i := range b.Examples {
		e := Example{X: part(l.x, j, l.o.Size), Labels: part(l.labels, j, l.o.Size), Targets: part(l.targets, j, l.o.Size)}
		if err := l.ds.Read(i, e); err != nil {
			return Batch{}, fmt.Errorf("data: example %d: %w", i, err)
		}
	}
	return b, nil
}

// part returns the j-th of n equal parts of s.
func part[T any](s []T, j, n int) []T {
	size := len(s) / n
	return s[j*size : (j+1)*size : (j+1)*size]
}

// shuffle puts s into random order by the method of Fisher and Yates. The bias of the
// multiplication, len(s)/2^64, is far below what any use could notice.
func shuffle(s []int, stream philox.Stream) {
	for i := len(s) - 1; i > 0; i-- {
		b := stream.Block(uint64(i))
		j, _ := bits.Mul64(uint64(b[1])<<32|uint64(b[0]), uint64(i+1))
		s[i], s[j] = s[j], s[i]
	}
}
