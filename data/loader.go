package data

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/bits"
	"time"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/internal/philox"
)

// Batching says how a [Loader] cuts a dataset into batches.
type Batching struct {
	// Size is the number of examples in a batch, at least 1. The last batch of an epoch is
	// smaller where the examples run out.
	Size int
	// Shuffle puts the examples of each epoch into a new order, which depends on Seed, the
	// epoch and the number of examples alone. Without it, the order is that of the dataset.
	Shuffle bool
	// Seed fixes the order, Augment and Mix.
	Seed uint64
	// Augment, if not nil, changes the input of each example, another way in each epoch.
	Augment Augmentation
	// Mix, if not nil, then combines the examples of each batch.
	Mix Mixer
	// Workers is how many goroutines fill batches while the loop is busy with those before.
	// There is memory for one batch more than that. 0 means that the loop fills each batch
	// when it wants it. The batches are the same, to the bit, for any number.
	Workers int
}

// Batch is some examples, side by side. All of it is valid until the next batch.
type Batch struct {
	Index    int           // the number of the batch in its epoch, from 0
	Examples []int         // the examples' numbers in the dataset
	X        *tensor.Dense // float32 inputs, (n,C,H,W)
	Y        *tensor.Dense // int32 class numbers, (n), or other targets with the axis n in front
	Waited   time.Duration // how long the loop waited for the batch
}

// Loader cuts a dataset into batches, in memory that it reuses. It serves one loop at a time.
type Loader struct {
	ds    Dataset
	o     Batching
	info  Info
	order []int
	slots []*slot // batch k is filled in slot k%len(slots)
}

// NewLoader returns a Loader of ds.
func NewLoader(ds Dataset, o Batching) (*Loader, error) {
	n := ds.Len()
	switch {
	case n == 0:
		return nil, errors.New("data: the dataset is empty")
	case o.Size < 1:
		return nil, fmt.Errorf("data: batch size %d; want at least 1", o.Size)
	case o.Workers < 0:
		return nil, fmt.Errorf("data: %d workers; want at least 0", o.Workers)
	}
	o.Size = min(o.Size, n)
	l := &Loader{ds: ds, o: o, order: sequence(n)}
	for range o.Workers + 1 {
		s, err := newSlot(ds, o)
		if err != nil {
			return nil, fmt.Errorf("data: %w", err)
		}
		l.slots = append(l.slots, s)
	}
	l.info = l.slots[0].info
	return l, nil
}

// Info describes the examples in the batches, after Augment and Mix.
func (l *Loader) Info() Info { return l.info }

// Len is the number of batches in an epoch.
func (l *Loader) Len() int { return (len(l.order)-1)/l.o.Size + 1 }

// Epoch returns the batches of an epoch; epochs are counted from 0. It ends after the first
// error, which only a dataset that can fail to read gives.
func (l *Loader) Epoch(epoch int) iter.Seq2[Batch, error] {
	return l.EpochFrom(context.Background(), epoch, 0)
}

// EpochFrom returns the batches of an epoch from the given one on. They are those that
// [Loader.Epoch] gives: a run can go on where it was broken off. Where ctx is cancelled, the
// cause is the last error. When the loop ends, in whatever way, nothing is read any more and
// no goroutine is left.
func (l *Loader) EpochFrom(ctx context.Context, epoch, batch int) iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		if epoch < 0 || batch < 0 {
			yield(Batch{}, fmt.Errorf("data: no batch %d of epoch %d", batch, epoch))
			return
		}
		l.arrange(epoch)
		next := func(k int) (Batch, error) { return l.fill(ctx, epoch, k) }
		if l.o.Workers > 0 && batch < l.Len() {
			p := l.ahead(ctx, epoch, batch)
			defer p.stop()
			next = p.next
		}
		for k := batch; k < l.Len(); k++ {
			begun := time.Now()
			b, err := next(k)
			b.Waited = time.Since(begun)
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

// fill fills batch k in its slot.
func (l *Loader) fill(ctx context.Context, epoch, k int) (Batch, error) {
	first := k * l.o.Size
	examples := l.order[first:min(first+l.o.Size, len(l.order))]
	return l.slots[k%len(l.slots)].fill(ctx, epoch, k, examples)
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
