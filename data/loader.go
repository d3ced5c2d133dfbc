package data

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/bits"
	"sync/atomic"
	"time"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/internal/philox"
)

// Batching configures how a [Loader] divides a dataset into batches.
type Batching struct {
	// Size is the number of examples in a batch, at least 1. The last batch of an epoch is smaller
	// if the examples run out.
	Size int
	// Shuffle shuffles the examples in each epoch. The order depends only on Seed, the epoch and
	// the number of examples. Without it, the order is that of the dataset.
	Shuffle bool
	// Weights, if not nil, are those of the examples, from 0. Each epoch then draws as many examples as
	// there are, with replacement, each with a probability in proportion to its weight: rare ones come
	// more often. It needs Shuffle. What is drawn depends only on Seed, the epoch, the position and
	// Weights. See [BalancedWeights].
	Weights []float64
	// DropLast leaves the last batch of an epoch out if it is smaller than Size.
	DropLast bool
	// Seed determines the order, Augment and Mix.
	Seed uint64
	// Augment, if not nil, changes the input of each example, differently in each epoch.
	Augment Augmentation
	// Mix, if not nil, combines the examples of each batch after that.
	Mix Mixer
	// Workers is the number of goroutines that fill batches while the loop is busy with earlier
	// ones, at most [MaxWorkers]. The memory is for one batch more than that. 0 means that a batch
	// is filled when the loop needs it. The batches are bit-identical for any number.
	Workers int
	// Only, if not nil, returns the range [lo,hi) of the examples of a batch of n that are needed, as
	// on one of several processes that share each batch. The others are not read, and their part of the
	// batch is undefined. With Mix, which combines examples, all are read.
	Only func(n int) (lo, hi int)
}

// MaxWorkers is the largest value of [Batching.Workers].
const MaxWorkers = 1024

const (
	// maxExamples is the largest size of a dataset. Its order takes eight bytes per example.
	maxExamples = math.MaxInt32
	// maxBatches is the largest number of elements of all batches in memory, 16 GiB.
	maxBatches = int64(1) << 32
)

func (o Batching) check(n int) error {
	switch {
	case n == 0:
		return errors.New("the dataset is empty")
	case n < 0 || n > maxExamples:
		return fmt.Errorf("a dataset of %d examples; want 1 to %d", n, maxExamples)
	case o.Size < 1:
		return fmt.Errorf("batch size %d; want at least 1", o.Size)
	case o.DropLast && o.Size > n:
		return fmt.Errorf("batch size %d for %d examples, and DropLast leaves the smaller batch out: none is left", o.Size, n)
	case o.Weights != nil && !o.Shuffle:
		return errors.New("Weights draw examples at random, but there is no Shuffle")
	case o.Workers < 0 || o.Workers > MaxWorkers:
		return fmt.Errorf("%d workers; want 0 to %d", o.Workers, MaxWorkers)
	}
	return nil
}

// Batch is a number of examples. All its memory is valid until the next batch.
type Batch struct {
	Index    int           // the index of the batch in its epoch, from 0
	Examples []int         // the examples' indices in the dataset
	X        *tensor.Dense // float32 inputs, (n,C,H,W)
	Y        *tensor.Dense // int32 class numbers, (n), or other targets with an axis n in front
	Waited   time.Duration // how long the loop waited for the batch
}

// Loader divides a dataset into batches, in memory that it reuses. It serves one loop at a time; a
// second one gets an error.
type Loader struct {
	ds    Dataset
	n     int // examples
	o     Batching
	info  Info
	draws *draws // nil without Weights
	order []int
	slots []*slot // batch k is in slot k%len(slots)
	busy  atomic.Bool
}

// NewLoader returns a Loader of ds.
func NewLoader(ds Dataset, o Batching) (*Loader, error) {
	n, err := count(ds)
	if err == nil {
		err = o.check(n)
	}
	if err != nil {
		return nil, prefixed(err)
	}
	o.Size = min(o.Size, n)
	l := &Loader{ds: ds, n: n, o: o}
	if l.draws, err = newDraws(o.Weights, n); err != nil {
		return nil, prefixed(err)
	}
	if err := l.reserve(); err != nil {
		return nil, prefixed(err)
	}
	l.info = l.slots[0].info
	return l, nil
}

// reserve allocates the memory of the batches.
func (l *Loader) reserve() error {
	order, slots := sequence(l.n), []*slot(nil)
	for range min(l.o.Workers+1, l.Len()) {
		s, err := newSlot(l.ds, l.n, l.o)
		if err != nil {
			return err
		}
		slots = append(slots, s)
	}
	l.order, l.slots = order, slots
	return nil
}

// Info describes the examples in the batches, after Augment and Mix.
func (l *Loader) Info() Info {
	if l == nil {
		return Info{}
	}
	return l.info
}

// Len returns the number of batches in an epoch.
func (l *Loader) Len() int {
	if l == nil || l.ds == nil {
		return 0
	}
	return l.o.Batches(l.n)
}

// Batches returns the number of batches in an epoch of n examples; 0 if o cannot divide them. A batch is
// not larger than n.
func (o Batching) Batches(n int) int {
	switch size := min(o.Size, n); {
	case size < 1:
		return 0
	case o.DropLast:
		return n / size
	default:
		return (n-1)/size + 1
	}
}

// Epoch returns the batches of an epoch, counted from 0. It ends after the first error, which can
// occur only if reading from the dataset can fail.
func (l *Loader) Epoch(epoch int) iter.Seq2[Batch, error] {
	return l.EpochFrom(context.Background(), epoch, 0)
}

// EpochFrom returns the batches of an epoch from the given one on. They are the same as those of
// [Loader.Epoch], so that an interrupted run can continue. An error in reading, changing or mixing
// names the example or the batch; so does a panic, which becomes an error.
//
// If ctx is cancelled, its cause is the last error, even if a Read does not return. When the loop
// ends, for whatever reason, reading has stopped and no goroutine is left. The one exception is a
// Read that does not return within a second after ctx was cancelled. It is abandoned together with
// the memory that it writes to, which is not used again; its goroutine ends when it returns.
func (l *Loader) EpochFrom(ctx context.Context, epoch, batch int) iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		if err := l.begin(ctx, epoch, batch); err != nil {
			yield(Batch{}, prefixed(err))
			return
		}
		defer l.busy.Store(false)
		if batch >= l.Len() {
			return
		}
		p := l.ahead(ctx, epoch, batch)
		defer l.end(p)
		for k := batch; k < l.Len(); k++ {
			begun := time.Now()
			b, err := p.next(k)
			b.Waited = time.Since(begun)
			if !yield(b, err) || err != nil {
				return
			}
		}
	}
}

// begin reserves the Loader for one loop.
func (l *Loader) begin(ctx context.Context, epoch, batch int) error {
	switch {
	case l == nil || l.ds == nil:
		return errors.New("the Loader was not made by NewLoader")
	case ctx == nil:
		return errors.New("no context")
	case epoch < 0 || epoch > math.MaxInt32 || batch < 0:
		return fmt.Errorf("no batch %d of epoch %d", batch, epoch)
	case !l.busy.CompareAndSwap(false, true):
		return errors.New("the Loader serves another loop")
	}
	if l.slots == nil {
		if err := l.reserve(); err != nil {
			l.busy.Store(false)
			return err
		}
	}
	l.arrange(epoch)
	return nil
}

// end ends the reading of an epoch. Slots that an abandoned Read may still write to are left to it.
func (l *Loader) end(p *prefetch) {
	if !p.stop() {
		l.order, l.slots = nil, nil
	}
}

func (l *Loader) arrange(epoch int) {
	if l.draws != nil {
		l.draws.fill(l.order, philox.Stream{Seed: l.o.Seed, ID: philox.ID("data.draws"), Step: uint64(epoch)})
		return
	}
	for i := range l.order {
		l.order[i] = i
	}
	if l.o.Shuffle {
		shuffle(l.order, philox.Stream{Seed: l.o.Seed, ID: philox.ID("data.order"), Step: uint64(epoch)})
	}
}

// shuffle puts s into random order by the method of Fisher and Yates. The bias of the
// multiplication, len(s)/2^64, is negligible.
func shuffle(s []int, stream philox.Stream) {
	for i := len(s) - 1; i > 0; i-- {
		b := stream.Block(uint64(i))
		j, _ := bits.Mul64(uint64(b[1])<<32|uint64(b[0]), uint64(i+1))
		s[i], s[j] = s[j], s[i]
	}
}
