package data

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"sync/atomic"
	"time"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/internal/isnil"
	"github.com/plexaura/plexaura/internal/philox"
)

// Batching configures how a [Loader] divides a dataset or a stream into batches.
type Batching struct {
	// Size is the number of examples in a batch, at least 1. The last batch of an epoch is smaller
	// if the examples run out.
	Size int
	// Shuffle shuffles the examples in each epoch. The order depends only on Seed, the epoch and
	// the number of examples. Without it, the order is that of the dataset. A stream has Buffer instead.
	Shuffle bool
	// Buffer is the number of examples of the shuffle buffer of a stream, at most [MaxBuffer]. The next
	// example is one of the buffer at random, each with the same probability, and the next of the stream
	// takes its place, as in tf.data.Dataset.shuffle and WebDataset's shuffle. The order depends only on
	// Seed, the epoch, Buffer and the number of examples, and an example comes at most Buffer-1 places
	// before its own. 0 and 1 mean the order of the stream.
	Buffer int
	// Steps, if not 0, ends each epoch of a stream after so many batches, if the stream has not ended by
	// then. Nothing is read for others.
	Steps int
	// Weights, if not nil, are those of the examples, from 0. Each epoch then draws as many examples as
	// there are, with replacement, each with a probability in proportion to its weight: rare ones come
	// more often. It needs Shuffle. What is drawn depends only on Seed, the epoch, the position and
	// Weights. See [BalancedWeights]. A stream takes none.
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
	// on one of several processes that share each batch. The others are not read, or of a stream not
	// decoded, and their part of the batch is undefined. With Mix, which combines examples, all are.
	Only func(n int) (lo, hi int)
}

// MaxWorkers is the largest value of [Batching.Workers], MaxBuffer that of [Batching.Buffer].
const (
	MaxWorkers = 1024
	MaxBuffer  = 1 << 24
)

const (
	// maxExamples is the largest size of a dataset. Its order takes eight bytes per example.
	maxExamples = math.MaxInt32
	// maxBatches is the largest number of elements of all batches in memory, 16 GiB.
	maxBatches = int64(1) << 32
)

// check returns an error if o cannot divide a dataset of n examples.
func (o Batching) check(n int) error {
	switch {
	case o.Buffer != 0 || o.Steps != 0:
		return errors.New("Buffer and Steps are of a stream; a dataset has Shuffle")
	case n == 0:
		return errors.New("the dataset is empty")
	case n < 0 || n > maxExamples:
		return fmt.Errorf("a dataset of %d examples; want 1 to %d", n, maxExamples)
	case o.DropLast && o.Size > n:
		return fmt.Errorf("batch size %d for %d examples, and DropLast leaves the smaller batch out: none is left", o.Size, n)
	case o.Weights != nil && !o.Shuffle:
		return errors.New("Weights draw examples at random, but there is no Shuffle")
	}
	return o.checkNumbers()
}

// checkStream returns an error if o cannot divide a stream.
func (o Batching) checkStream() error {
	switch {
	case o.Weights != nil:
		return errors.New("Weights draw from all examples of a dataset; a stream has only the next one")
	case o.Shuffle:
		return errors.New("Shuffle is of a dataset; a stream is shuffled by a Buffer")
	case o.Buffer < 0 || o.Buffer > MaxBuffer:
		return fmt.Errorf("a Buffer of %d examples; want 0 to %d", o.Buffer, MaxBuffer)
	case o.Steps < 0:
		return fmt.Errorf("%d Steps; want at least 1, or 0 for all", o.Steps)
	}
	return o.checkNumbers()
}

func (o Batching) checkNumbers() error {
	switch {
	case o.Size < 1:
		return fmt.Errorf("batch size %d; want at least 1", o.Size)
	case o.Workers < 0 || o.Workers > MaxWorkers:
		return fmt.Errorf("%d workers; want 0 to %d", o.Workers, MaxWorkers)
	}
	return nil
}

// Batch is a number of examples. All its memory is valid until the next batch.
type Batch struct {
	Index    int           // the index of the batch in its epoch, from 0
	Examples []int         // the examples' indices in the dataset, or their places in the stream, from 0
	Names    []string      // of a stream: the names of the examples' records; otherwise nil
	Sum      uint64        // of a stream, if Only is set: a checksum of the batch's records, needed or not
	X        *tensor.Dense // float32 inputs, (n,C,H,W)
	Y        *tensor.Dense // int32 class numbers, (n), or other targets with an axis n in front
	Waited   time.Duration // how long the loop waited for the batch
}

// Loader divides a dataset or a stream into batches, in memory that it reuses. It serves one loop at a
// time; a second one gets an error.
type Loader struct {
	ds     Dataset // nil if there is a stream
	stream Stream  // nil if there is a dataset
	n      int     // examples; of a stream more than there can be
	o      Batching
	info   Info
	draws  *draws  // nil without Weights
	order  []int   // of a dataset
	pool   *pool   // of a stream
	slots  []*slot // batch k is in slot k%len(slots)
	busy   atomic.Bool
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
	return l.ready()
}

// NewStreamLoader returns a Loader of s. Its memory is that of the batches, for Workers+1 of them, and
// of as many records as these and Buffer have.
func NewStreamLoader(s Stream, o Batching) (*Loader, error) {
	if isnil.Of(s) {
		return nil, prefixed(errNoStream)
	}
	if err := o.checkStream(); err != nil {
		return nil, prefixed(err)
	}
	return (&Loader{stream: s, n: math.MaxInt, o: o}).ready()
}

// ready allocates the memory for the first time.
func (l *Loader) ready() (*Loader, error) {
	if err := l.reserve(); err != nil {
		return nil, prefixed(err)
	}
	l.info = l.slots[0].info
	return l, nil
}

// reserve allocates the memory of the batches.
func (l *Loader) reserve() error {
	read, err := l.describe()
	if err != nil {
		return err
	}
	slots := []*slot(nil)
	for range min(l.o.Workers+1, l.batches()) {
		s, err := newSlot(read, l.n, l.o)
		if err != nil {
			return err
		}
		slots = append(slots, s)
	}
	if l.stream != nil {
		l.pool = newPool(l.o.Buffer)
	} else {
		l.order = sequence(l.n)
	}
	for _, s := range slots {
		s.of(l.ds, l.stream)
	}
	l.slots = slots
	return nil
}

// describe returns the Info of the examples as they are read.
func (l *Loader) describe() (info Info, err error) {
	if l.stream != nil {
		info, err = describeStream(l.stream)
	} else {
		info, err = describe(l.ds)
	}
	if err == nil {
		err = info.Err()
	}
	return info, err
}

// Info describes the examples in the batches, after Augment and Mix.
func (l *Loader) Info() Info {
	if l == nil {
		return Info{}
	}
	return l.info
}

// Len returns the number of batches in an epoch. Of a stream it is that of [Batching.Steps], before which
// the stream may end, and 0 if that is not known.
func (l *Loader) Len() int {
	switch {
	case l == nil || l.ds == nil && l.stream == nil:
		return 0
	case l.stream != nil:
		return l.o.Steps
	}
	return l.o.Batches(l.n)
}

// batches is Len, or more than there can be.
func (l *Loader) batches() int {
	if n := l.Len(); n > 0 {
		return n
	}
	return math.MaxInt
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
// occur only if reading from the dataset or the stream can fail, or a stream has no batch.
func (l *Loader) Epoch(epoch int) iter.Seq2[Batch, error] {
	return l.EpochFrom(context.Background(), epoch, 0)
}

// EpochFrom returns the batches of an epoch from the given one on. They are the same as those of
// [Loader.Epoch], so that an interrupted run can continue. An error in reading, changing or mixing
// names the example or the batch; so does a panic, which becomes an error.
//
// Of a stream, the batches before the given one are read again, but not decoded. It is an error if the
// stream ends before them.
//
// If ctx is cancelled, its cause is the last error, even if a Read does not return. When the loop
// ends, for whatever reason, reading has stopped and no goroutine is left. The one exception is a
// Read that does not return within a second after ctx was cancelled, or a Next of a stream within a second
// after the loop ended. It is abandoned together with the memory that it writes to, which is not used
// again; its goroutine ends when it returns.
func (l *Loader) EpochFrom(ctx context.Context, epoch, batch int) iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		if err := l.begin(ctx, epoch, batch); err != nil {
			yield(Batch{}, prefixed(err))
			return
		}
		defer l.busy.Store(false)
		if batch >= l.batches() {
			return
		}
		p := l.ahead(ctx, epoch, batch)
		defer l.end(p)
		for k := batch; k < p.batches; k++ {
			begun := time.Now()
			b, err := p.next(k)
			if err == errEnd {
				return
			}
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
	case l == nil || l.ds == nil && l.stream == nil:
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
	return nil
}

// end ends the reading of an epoch. Memory that an abandoned Read may still write to is left to it.
func (l *Loader) end(p *prefetch) {
	if !p.stop() {
		l.order, l.pool, l.slots = nil, nil, nil
	}
}

// source returns the source of an epoch from the given batch on.
func (l *Loader) source(epoch, first int) source {
	if l.stream != nil {
		order := philox.Stream{Seed: l.o.Seed, ID: philox.ID("data.buffer"), Step: uint64(epoch)}
		return &feed{stream: l.stream, pool: l.pool, order: order, epoch: epoch, first: first, size: l.o.Size, dropLast: l.o.DropLast}
	}
	l.arrange(epoch)
	return &arranged{order: l.order, size: l.o.Size}
}

// arrange sets the order of the examples of a dataset.
func (l *Loader) arrange(epoch int) {
	if l.draws != nil {
		l.draws.fill(l.order, philox.Stream{Seed: l.o.Seed, ID: philox.ID("data.draws"), Step: uint64(epoch)})
		return
	}
	for i := range l.order {
		l.order[i] = i
	}
	if l.o.Shuffle {
		philox.Stream{Seed: l.o.Seed, ID: philox.ID("data.order"), Step: uint64(epoch)}.Shuffle(l.order)
	}
}
