package data_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/internal/allocs"
	"github.com/plexaura/plexaura/internal/philox"
	"github.com/plexaura/plexaura/shape"
)

func streamed(t testing.TB, ds data.Dataset) data.Stream {
	t.Helper()
	s, err := data.StreamOf(ds)
	require.NoError(t, err)
	return s
}

func streamLoader(t testing.TB, s data.Stream, o data.Batching) *data.Loader {
	t.Helper()
	l, err := data.NewStreamLoader(s, o)
	require.NoError(t, err)
	return l
}

var onePixel = data.Info{Input: shape.F32(1, 1, 1), Target: shape.I32()}

// yielded yields n examples like those of counting; without end if n is negative.
func yielded(t testing.TB, n int) data.Stream {
	t.Helper()
	s, err := data.Generate(onePixel, func(context.Context, int) iter.Seq2[data.Example, error] {
		return func(yield func(data.Example, error) bool) {
			e := data.Example{X: make([]float32, 1), Labels: make([]int32, 1)}
			for i := 0; i != n; i++ {
				e.X[0], e.Labels[0] = float32(i), int32(i%3)
				if !yield(e, nil) {
					return
				}
			}
		}
	})
	require.NoError(t, err)
	return s
}

// Without a buffer a stream has the batches of its dataset, augmented and mixed by the same random numbers.
func TestAStreamHasTheBatchesOfItsDataset(t *testing.T) {
	for _, o := range []data.Batching{{Size: 4, Seed: 3, Augment: widen{}, Mix: blur{}}, {Size: 5, Seed: 3, Augment: widen{}, Mix: blur{}}, {Size: 4, Seed: 4, DropLast: true, Augment: widen{}, Mix: blur{}}} {
		want := contents(t, loader(t, counting(t, 50), o), 2, 0)
		for _, s := range []data.Stream{streamed(t, counting(t, 50)), yielded(t, 50)} {
			for _, o.Buffer = range []int{0, 1} {
				l := streamLoader(t, s, o)
				require.Equal(t, loader(t, counting(t, 50), data.Batching{Size: 4, Augment: widen{}, Mix: blur{}}).Info(), l.Info())
				require.Zero(t, l.Len())
				require.Equal(t, want, contents(t, l, 2, 0))
				require.NotEqual(t, want, contents(t, l, 1, 0))
			}
		}
	}
}

// shuffledBy is what a shuffle buffer does, as WebDataset's shuffle is written: the buffer is filled, then
// one of it is picked, the last takes its place, and the next is appended.
func shuffledBy(seed uint64, epoch, buffer, n int) (order []int) {
	random, draws := philox.Stream{Seed: seed, ID: philox.ID("data.buffer"), Step: uint64(epoch)}, uint64(0)
	var held []int
	pick := func() {
		k := random.Below(draws, len(held))
		draws++
		order = append(order, held[k])
		held[k] = held[len(held)-1]
		held = held[:len(held)-1]
	}
	for i := range n {
		held = append(held, i)
		if len(held) == max(buffer, 1) {
			pick()
		}
	}
	for len(held) > 0 {
		pick()
	}
	return order
}

func TestTheShuffleBufferIsThatOfAPlainLoop(t *testing.T) {
	for _, buffer := range []int{0, 1, 2, 3, 7, 30, 31, 50} {
		l := streamLoader(t, yielded(t, 31), data.Batching{Size: 4, Buffer: buffer, Seed: 9})
		for epoch := range 3 {
			order := slices.Concat(batches(t, l, epoch, 0)...)
			require.Equal(t, shuffledBy(9, epoch, buffer, 31), order, "a buffer of %d", buffer)
			for at, i := range order {
				require.Less(t, i, at+max(buffer, 1), "an example comes before it has been read")
			}
			slices.Sort(order)
			for i, v := range order {
				require.Equal(t, i, v)
			}
		}
	}
}

// It was computed by the function _shuffle of WebDataset 1.0 in Python, which was given these draws.
func TestTheOrderOfABufferIsPinned(t *testing.T) {
	l := streamLoader(t, yielded(t, 12), data.Batching{Size: 12, Buffer: 5, Seed: 1})
	require.Equal(t, [][]int{{1, 2, 5, 6, 7, 9, 0, 8, 10, 3, 11, 4}}, batches(t, l, 0, 0))
}

// Each order has the probability that it gets if all examples in the buffer have the same.
func TestAllOfABufferAreEquallyLikely(t *testing.T) {
	const n, buffer, seeds = 5, 3, 40_000
	likely := map[string]float64{}
	var choose func(order, held []int, next int, p float64)
	choose = func(order, held []int, next int, p float64) {
		for len(held) < buffer && next < n {
			held, next = append(slices.Clone(held), next), next+1
		}
		if len(held) == 0 {
			likely[fmt.Sprint(order)] += p
			return
		}
		for k := range held {
			choose(append(slices.Clone(order), held[k]), slices.Delete(slices.Clone(held), k, k+1), next, p/float64(len(held)))
		}
	}
	choose(nil, nil, 0, 1)
	require.Len(t, likely, 54) // 3*3*3*2
	seen := map[string]float64{}
	for seed := range seeds {
		seen[fmt.Sprint(shuffledBy(uint64(seed), 0, buffer, n))]++
	}
	require.Len(t, seen, len(likely))
	for order, p := range likely {
		mean := p * seeds
		require.InDelta(t, mean, seen[order], 5*math.Sqrt(mean*(1-p)), "%s", order) // five standard deviations
	}
}

func TestAnyNumberOfWorkersGivesTheSameBitsOfAStream(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	o := data.Batching{Size: 4, Buffer: 7, Seed: 3, Augment: widen{}, Mix: blur{}}
	want := contents(t, streamLoader(t, yielded(t, 50), o), 2, 0)
	require.Len(t, want, 13)
	for _, procs := range []int{1, 2, 8} {
		runtime.GOMAXPROCS(procs)
		for _, workers := range []int{1, 2, 3, 40} {
			o.Workers = workers
			for _, s := range []data.Stream{yielded(t, 50), streamed(t, yielding{counting(t, 50)})} {
				l := streamLoader(t, s, o)
				require.Equal(t, want, contents(t, l, 2, 0))
				require.NotEqual(t, want, contents(t, l, 1, 0))
				for first := range 14 { // on one loader, epoch after epoch
					require.Equal(t, want[first:], contents(t, l, 2, first))
				}
			}
		}
	}
}

// feint is a stream with a fault.
type feint struct {
	data.Stream
	open   func(epoch int) error
	next   func(i int, r *data.Record) error // before the i-th is read
	decode func(r *data.Record) error
	close  func() error

	name                  string // of its files
	opened, closed, reads *atomic.Int32
}

func feinting(t testing.TB, s data.Stream) feint {
	return feint{
		Stream: s, opened: new(atomic.Int32), closed: new(atomic.Int32), reads: new(atomic.Int32),
		open: func(int) error { return nil }, next: func(int, *data.Record) error { return nil },
		decode: func(*data.Record) error { return nil }, close: func() error { return nil }, name: "file",
	}
}

func (f feint) Open(ctx context.Context, epoch int) (data.Reader, error) {
	if err := f.open(epoch); err != nil {
		return nil, err
	}
	r, err := f.Stream.Open(ctx, epoch)
	f.opened.Add(1)
	return &feintReader{Reader: r, feint: f}, err
}

func (f feint) Decode(r *data.Record, e data.Example) error {
	if err := f.decode(r); err != nil {
		return err
	}
	return f.Stream.Decode(r, e)
}

// allClosed waits until all Readers are closed: on a machine that pauses, the loop may have lost its patience.
func (f feint) allClosed(t *testing.T) {
	t.Helper()
	for i := 0; i < 10_000 && f.closed.Load() < f.opened.Load(); i++ {
		time.Sleep(time.Millisecond)
	}
	require.Equal(t, f.opened.Load(), f.closed.Load())
}

type feintReader struct {
	data.Reader
	feint
	at int
}

func (r *feintReader) Next(to *data.Record) error {
	r.at++
	r.reads.Add(1)
	if err := r.next(r.at-1, to); err != nil {
		return err
	}
	err := r.Reader.Next(to)
	to.Name = fmt.Sprintf("%s %d", r.name, r.at-1)
	return err
}

func (r *feintReader) Close() error {
	r.closed.Add(1)
	return errors.Join(r.Reader.Close(), r.close())
}

// A loop reads no more than it needs: what a buffer holds, and what comes out of it.
func TestNothingIsReadAheadOfNeed(t *testing.T) {
	for _, workers := range []int{0, 1, 3} {
		f := feinting(t, yielded(t, -1))
		l := streamLoader(t, f, data.Batching{Size: 4, Buffer: 6, Steps: 5, Workers: workers})
		require.Equal(t, 5, l.Len())
		require.Len(t, batches(t, l, 0, 0), 5)
		require.Equal(t, int32(5*4+6-1), f.reads.Load())
		require.Empty(t, batches(t, l, 0, 5))
		require.Equal(t, int32(1), f.opened.Load(), "no further batch is wanted")
		require.Len(t, batches(t, l, 1, 3), 2)
		f.allClosed(t)
	}
	short := streamLoader(t, yielded(t, 10), data.Batching{Size: 4, Steps: 5})
	require.Equal(t, [][]int{{0, 1, 2, 3}, {4, 5, 6, 7}, {8, 9}}, batches(t, short, 0, 0), "the stream ends before")
}

func TestALoopOverAStreamEndsCleanly(t *testing.T) {
	before := runtime.NumGoroutine()
	for name, loop := range map[string]func(l *data.Loader, stopAt int){
		"to its end": func(l *data.Loader, _ int) {
			for range l.Epoch(0) {
			}
		},
		"break": func(l *data.Loader, stopAt int) {
			for b := range l.Epoch(0) {
				if b.Index == stopAt {
					break
				}
			}
		},
		"panic": func(l *data.Loader, stopAt int) {
			defer func() { _ = recover() }()
			for b := range l.Epoch(0) {
				if b.Index == stopAt {
					panic("boom")
				}
			}
		},
		"cancelled": func(l *data.Loader, stopAt int) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			for b := range l.EpochFrom(ctx, 0, 0) {
				if b.Index == stopAt {
					cancel()
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, workers := range []int{0, 1, 2, 5} {
				for stopAt := range 10 {
					f := feinting(t, yielded(t, 20))
					loop(streamLoader(t, f, data.Batching{Size: 2, Buffer: 3, Workers: workers}), stopAt)
					require.LessOrEqual(t, f.opened.Load(), int32(1))
					f.allClosed(t)
					reads := f.reads.Load()
					runtime.Gosched()
					require.Equal(t, reads, f.reads.Load())
				}
			}
			settle(t, before+1) // the subtest's own
		})
	}
}

// The generator's context ends with the loop, whichever way that ends.
func TestAWaitingGeneratorIsTold(t *testing.T) {
	before := runtime.NumGoroutine()
	s, err := data.Generate(onePixel, func(ctx context.Context, _ int) iter.Seq2[data.Example, error] {
		return func(yield func(data.Example, error) bool) {
			for range 4 {
				if !yield(data.Example{X: []float32{1}, Labels: []int32{0}}, nil) {
					return
				}
			}
			<-ctx.Done()
		}
	})
	require.NoError(t, err)
	begun := time.Now()
	for _, workers := range []int{0, 2} {
		for range streamLoader(t, s, data.Batching{Size: 2, Workers: workers}).Epoch(0) {
			break
		}
		ctx, cancel := context.WithCancelCause(context.Background())
		defer cancel(nil)
		for _, err := range streamLoader(t, s, data.Batching{Size: 2, Workers: workers}).EpochFrom(ctx, 0, 1) {
			if err == nil {
				cancel(errBoom)
				continue
			}
			require.ErrorIs(t, err, errBoom)
		}
	}
	settle(t, before)
	require.Less(t, time.Since(begun), time.Minute)
}

// A Next that takes no notice of the end is left alone, with the memory that it may write to.
func TestABlockedNextDoesNotHoldTheLoop(t *testing.T) {
	before := runtime.NumGoroutine()
	entered, release := make(chan struct{}), make(chan struct{})
	f := feinting(t, yielded(t, 20))
	var block atomic.Bool
	f.next = func(i int, _ *data.Record) error {
		if i == 8 && block.CompareAndSwap(true, false) {
			entered <- struct{}{}
			<-release
		}
		return nil
	}
	for _, workers := range []int{1, 2} {
		block.Store(true)
		l := streamLoader(t, f, data.Batching{Size: 2, Buffer: 2, Workers: workers})
		for b := range l.Epoch(0) {
			if b.Index == 2 {
				<-entered
				break
			}
		}
		require.Equal(t, f.opened.Load()-1, f.closed.Load(), "it is in use")
		require.Len(t, batches(t, l, 1, 0), 10, "with other memory")
		release <- struct{}{}
		settle(t, before)
		f.allClosed(t)
	}
}

func TestFaultsOfAStreamAreErrorsThatNameThePlace(t *testing.T) {
	before := runtime.NumGoroutine()
	at := func(place int, fault func() error) func(int, *data.Record) error {
		return func(i int, _ *data.Record) error {
			if i == place {
				return fault()
			}
			return nil
		}
	}
	var none []int
	for want, c := range map[string]struct {
		batches int // before the error
		fault   func(f *feint)
	}{
		`data: example 7 of the stream: boom`:                                  {3, func(f *feint) { f.next = at(7, func() error { return errBoom }) }},
		`data: example 7 of the stream: line 3: EOF`:                           {3, func(f *feint) { f.next = at(7, func() error { return fmt.Errorf("line 3: %w", io.EOF) }) }},
		`data: example 7 of the stream: panic at stream_test\.go:\d+: runtime`: {3, func(f *feint) { f.next = at(7, func() error { none[7] = 1; return nil }) }},
		`data: reading a batch ended its goroutine`:                            {3, func(f *feint) { f.next = at(7, func() error { runtime.Goexit(); return nil }) }},
		`data: opening the stream: boom`:                                       {0, func(f *feint) { f.open = func(int) error { return errBoom } }},
		`data: opening the stream: panic at stream_test\.go:\d+: boom`:         {0, func(f *feint) { f.open = func(int) error { panic(errBoom) } }},
		`data: closing the stream after 20 examples: boom`:                     {10, func(f *feint) { f.close = func() error { return errBoom } }},
		`data: closing the stream after 20 examples: panic at stream_test`:     {10, func(f *feint) { f.close = func() error { panic(errBoom) } }},
		`data: example 7, file 7: boom`:                                        {3, func(f *feint) { f.decode = decoding(7, func() error { return errBoom }) }},
		`data: example 7, file 7: panic at stream_test\.go:\d+: runtime`:       {3, func(f *feint) { f.decode = decoding(7, func() error { none[7] = 1; return nil }) }},
	} {
		for _, workers := range []int{0, 1, 3} {
			f := feinting(t, yielded(t, 20))
			c.fault(&f)
			l := streamLoader(t, f, data.Batching{Size: 2, Workers: workers})
			for range 2 { // and again, in the next epoch
				errs := errorsOf(context.Background(), l, 0)
				require.Len(t, errs, c.batches+1, want)
				for _, err := range errs[:c.batches] {
					require.NoError(t, err)
				}
				require.Regexp(t, "^"+want, errs[c.batches].Error())
				require.NotContains(t, errs[c.batches].Error(), "\n")
			}
			f.allClosed(t)
		}
	}
	settle(t, before)
}

func decoding(i float32, fault func() error) func(r *data.Record) error {
	return func(r *data.Record) error {
		if r.X[0] == i {
			return fault()
		}
		return nil
	}
}

type nothingToRead struct{ data.Stream }

func (nothingToRead) Open(context.Context, int) (data.Reader, error) { return nil, nil }

func TestStreamsWithoutABatchAreErrors(t *testing.T) {
	first := func(s data.Stream, o data.Batching, epoch, batch int) error {
		for _, err := range streamLoader(t, s, o).EpochFrom(context.Background(), epoch, batch) {
			return err
		}
		return nil
	}
	onlyOnce, err := data.Generate(onePixel, func(_ context.Context, epoch int) iter.Seq2[data.Example, error] {
		return func(yield func(data.Example, error) bool) {
			if epoch == 0 {
				yield(data.Example{X: []float32{1}, Labels: []int32{0}}, nil)
			}
		}
	})
	require.NoError(t, err)
	require.NoError(t, first(onlyOnce, data.Batching{Size: 2}, 0, 0))
	require.EqualError(t, first(onlyOnce, data.Batching{Size: 2}, 1, 0), "data: the stream has no examples")
	require.EqualError(t, first(onlyOnce, data.Batching{Size: 2, DropLast: true}, 0, 0), "data: the stream has 1 examples, fewer than a batch of 2, and DropLast leaves the smaller batch out: none is left")
	require.EqualError(t, first(yielded(t, 5), data.Batching{Size: 2}, 0, 4), "data: the stream has only 5 examples, 3 batches: it cannot go on after 4")
	require.EqualError(t, first(yielded(t, 5), data.Batching{Size: 2, DropLast: true}, 0, 3), "data: the stream has only 5 examples, 2 batches: it cannot go on after 3")
	require.NoError(t, first(yielded(t, 5), data.Batching{Size: 2}, 0, 3), "it has ended there")
	require.NoError(t, first(yielded(t, 5), data.Batching{Size: 2, DropLast: true}, 0, 2))
	require.EqualError(t, first(nothingToRead{yielded(t, 5)}, data.Batching{Size: 2}, 0, 0), "data: opening the stream: Open returns no Reader")
}

func TestFaultsOfGeneratorsNameTheirLine(t *testing.T) {
	for want, seq := range map[string]iter.Seq2[data.Example, error]{
		`example 1 of the stream: it has 2, 1 and 0 elements in X, Labels and Targets; want 1, 1 and 0 for float32(1,1,1) and int32()`: func(yield func(data.Example, error) bool) {
			_ = yield(data.Example{X: []float32{1}, Labels: []int32{0}}, nil) && yield(data.Example{X: []float32{1, 2}, Labels: []int32{0}}, nil)
		},
		`example 0 of the stream: boom`:                           func(yield func(data.Example, error) bool) { yield(data.Example{}, errBoom) },
		`example 0 of the stream: panic at stream_test.go:`:       func(func(data.Example, error) bool) { panic(errBoom) },
		`opening the stream: the generator returns nil for epoch`: nil,
	} {
		s, err := data.Generate(onePixel, func(context.Context, int) iter.Seq2[data.Example, error] { return seq })
		require.NoError(t, err)
		errs := errorsOf(context.Background(), streamLoader(t, s, data.Batching{Size: 1}), 0)
		require.ErrorContains(t, errs[len(errs)-1], "data: "+want)
	}
	_, err := data.Generate(onePixel, nil)
	require.EqualError(t, err, "data: no generator: it is nil")
	_, err = data.Generate(data.Info{}, func(context.Context, int) iter.Seq2[data.Example, error] { return nil })
	require.ErrorContains(t, err, "data: input type")
}

func TestOptionsThatAreNotOfStreams(t *testing.T) {
	var typed *feint
	for want, err := range map[string]error{
		"data: no stream: it is nil": second(data.NewStreamLoader(nil, data.Batching{Size: 1})),
		"data: Weights draw from all examples of a dataset; a stream has only the next one": second(data.NewStreamLoader(yielded(t, 3), data.Batching{Size: 1, Weights: []float64{1}})),
		"data: Shuffle is of a dataset; a stream is shuffled by a Buffer":                   second(data.NewStreamLoader(yielded(t, 3), data.Batching{Size: 1, Shuffle: true})),
		"data: a Buffer of -1 examples; want 0 to 16777216":                                 second(data.NewStreamLoader(yielded(t, 3), data.Batching{Size: 1, Buffer: -1})),
		"data: -1 Steps; want at least 1, or 0 for all":                                     second(data.NewStreamLoader(yielded(t, 3), data.Batching{Size: 1, Steps: -1})),
		"data: batch size 0; want at least 1":                                               second(data.NewStreamLoader(yielded(t, 3), data.Batching{})),
		"data: -1 workers; want 0 to 1024":                                                  second(data.NewStreamLoader(yielded(t, 3), data.Batching{Size: 1, Workers: -1})),
		"data: Buffer and Steps are of a stream; a dataset has Shuffle":                     second(data.NewLoader(counting(t, 3), data.Batching{Size: 1, Buffer: 2})),
	} {
		require.EqualError(t, err, want)
	}
	_, err := data.NewStreamLoader(typed, data.Batching{Size: 1})
	require.EqualError(t, err, "data: no stream: it is nil")
	_, err = data.NewStreamLoader(feint{}, data.Batching{Size: 1})
	require.ErrorContains(t, err, "data: panic at ")
	_, err = data.StreamOf(nil)
	require.EqualError(t, err, "data: no dataset: it is nil")
}

func second(_ *data.Loader, err error) error { return err }

// A rank reads all records and decodes its own; the checksum is of all.
func TestOnlyItsOwnPartIsDecoded(t *testing.T) {
	sums := func(s data.Stream, lo, hi int) (sums []uint64) {
		f := feinting(t, s)
		var decoded atomic.Int32
		f.decode = func(*data.Record) error { decoded.Add(1); return nil }
		l := streamLoader(t, f, data.Batching{Size: 4, Buffer: 3, Workers: 2, Only: func(int) (int, int) { return lo, hi }})
		for b, err := range l.Epoch(0) {
			require.NoError(t, err)
			require.Equal(t, fmt.Sprintf("file %d", b.Examples[0]), b.Names[0])
			sums = append(sums, b.Sum)
			for j := lo; j < hi; j++ {
				require.Equal(t, float32(b.Examples[j]), b.X.Float32s()[j])
			}
		}
		require.Equal(t, int32(3*(hi-lo)), decoded.Load())
		return sums
	}
	want := sums(yielded(t, 12), 0, 2)
	require.Len(t, want, 3)
	require.Equal(t, want, sums(yielded(t, 12), 2, 4))
	require.NotEqual(t, want[0], want[1])
	others := feinting(t, yielded(t, 12))
	others.next = func(_ int, r *data.Record) error { r.Raw = append(r.Raw, 1); return nil }
	have := sums(others, 0, 2)
	for k := range want {
		require.NotEqual(t, want[k], have[k])
	}
}

// Ranks whose streams differ in anything that is read see it.
func TestTheChecksumIsOfAllThatIsRead(t *testing.T) {
	sum := func(info data.Info, name string, of func(i int, e data.Example)) uint64 {
		s, err := data.Generate(info, func(context.Context, int) iter.Seq2[data.Example, error] {
			return func(yield func(data.Example, error) bool) {
				for i := range 4 {
					e := data.Example{X: []float32{float32(i)}}
					if info.Target.DType == shape.Int32 {
						e.Labels = []int32{int32(i)}
					} else {
						e.Targets = []float32{float32(i)}
					}
					of(i, e)
					if !yield(e, nil) {
						return
					}
				}
			}
		})
		require.NoError(t, err)
		f := feinting(t, s)
		f.name = name
		for b, err := range streamLoader(t, f, data.Batching{Size: 4, Only: func(int) (int, int) { return 0, 0 }}).Epoch(0) {
			require.NoError(t, err)
			return b.Sum
		}
		return 0
	}
	same := func(int, data.Example) {}
	numbers := data.Info{Input: shape.F32(1), Target: shape.F32(1)}
	sums := map[uint64]bool{}
	for i, v := range []uint64{
		sum(onePixel, "", same),
		sum(onePixel, "another file", same),
		sum(onePixel, "", func(i int, e data.Example) { e.X[0] += float32(i / 3) }),
		sum(onePixel, "", func(i int, e data.Example) { e.Labels[0] += int32(i / 3) }),
		sum(numbers, "", same),
		sum(numbers, "", func(i int, e data.Example) { e.Targets[0] += float32(i / 3) }),
	} {
		require.NotContains(t, sums, v, i)
		sums[v] = true
	}
	require.Contains(t, sums, sum(onePixel, "", same))
}

func TestAStreamAllocatesNothingForAnExample(t *testing.T) {
	for name, s := range map[string]func(n int) data.Stream{
		"dataset":   func(n int) data.Stream { return streamed(t, counting(t, n)) },
		"generator": func(n int) data.Stream { return yielded(t, n) },
	} {
		for _, workers := range []int{0, 2} {
			per := func(n int) float64 {
				l := streamLoader(t, s(n), data.Batching{Size: 20, Buffer: 16, Workers: workers, Augment: widen{}, Mix: blur{}})
				return allocs.PerRun(3, func() {
					for _, err := range l.Epoch(1) {
						require.NoError(t, err)
					}
				})
			}
			require.LessOrEqual(t, per(4000), per(100)+5, "200 batches and 5 of a %s, %d workers", name, workers)
		}
	}
}
