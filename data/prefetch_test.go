package data_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/internal/allocs"
	"github.com/plexaura/plexaura/shape"
)

// widen makes inputs of one pixel twice as wide: the pixel, and a random number.
type widen struct{}

func (widen) Bind(in data.Info) (data.Change, data.Info, error) {
	if in.Input != shape.F32(1, 1, 1) {
		return nil, in, fmt.Errorf("input %v", in.Input)
	}
	in.Input = shape.F32(1, 1, 2)
	own := make([]float32, 2)
	return func(x []float32, r *data.Rand) []float32 {
		own[0], own[1] = x[0], float32(r.Normal())
		return own
	}, in, nil
}

// blur adds to each input a random part of the first, and turns class numbers into
// distributions over three classes.
type blur struct{}

func (blur) Bind(in data.Info) (data.Mix, data.Info, error) {
	in.Target = shape.F32(3)
	return func(n int, b data.Example, r *data.Rand) error {
		part := float32(r.Float64())
		for i := range b.X {
			b.X[i] += part * b.X[0]
		}
		clear(b.Targets)
		for i, class := range b.Labels[:n] {
			b.Targets[3*i+int(class)] = 1 - part
		}
		return nil
	}, in, nil
}

// copied is a batch's content.
type copied struct {
	index    int
	examples []int
	x, y     []float32
}

func contents(t *testing.T, l *data.Loader, epoch, first int) []copied {
	t.Helper()
	all := []copied{}
	for b, err := range l.EpochFrom(context.Background(), epoch, first) {
		require.NoError(t, err)
		c := copied{b.Index, slices.Clone(b.Examples), slices.Clone(b.X.Float32s()), slices.Clone(b.Y.Float32s())}
		runtime.Gosched() // to those that fill ahead
		require.Equal(t, c.x, b.X.Float32s(), "the batch has changed while it was used")
		all = append(all, c)
	}
	return all
}

func TestAnyNumberOfWorkersGivesTheSameBits(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	o := data.Batching{Size: 4, Shuffle: true, Seed: 3, Augment: widen{}, Mix: blur{}}
	want := contents(t, loader(t, counting(t, 50), o), 2, 0)
	require.Len(t, want, 13)
	for _, procs := range []int{1, 2, 8} {
		runtime.GOMAXPROCS(procs)
		for _, workers := range []int{1, 2, 3, 40} {
			o.Workers = workers
			l := loader(t, counting(t, 50), o)
			require.Equal(t, data.Info{Input: shape.F32(1, 1, 2), Target: shape.F32(3)}, l.Info())
			require.Equal(t, want, contents(t, l, 2, 0))
			require.NotEqual(t, want, contents(t, l, 1, 0))
			for _, first := range []int{1, 7, 12, 13, 99} { // on one loader, epoch after epoch
				require.Equal(t, want[min(first, 13):], contents(t, l, 2, first))
			}
		}
	}
}

// yielding lets other goroutines run before each read.
type yielding struct{ data.Dataset }

func (y yielding) Read(i int, e data.Example) error {
	if i%3 == 0 {
		runtime.Gosched()
	}
	return y.Dataset.Read(i, e)
}

// Batch k comes as the k-th, with the examples of batch k, whoever has filled it.
func TestABatchComesInItsPlace(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	const examples, size = 1024, 2
	ds := yielding{counting(t, examples)}
	want := batches(t, loader(t, ds, data.Batching{Size: size, Shuffle: true}), 0, 0)
	for _, procs := range []int{1, 2, 4, 8} {
		runtime.GOMAXPROCS(procs)
		for _, workers := range []int{2, 3, 4, 7} {
			l := loader(t, ds, data.Batching{Size: size, Shuffle: true, Workers: workers})
			for range 4 {
				require.Equal(t, want, batches(t, l, 0, 0), "%d workers, GOMAXPROCS %d", workers, procs)
			}
		}
	}
}

// What an augmentation draws depends on the seed, the epoch and the example alone.
func TestAugmentationFollowsTheExample(t *testing.T) {
	drawn := func(o data.Batching, epoch int) map[int]float32 {
		o.Augment = widen{}
		seen := map[int]float32{}
		for b, err := range loader(t, counting(t, 20), o).Epoch(epoch) {
			require.NoError(t, err)
			for j, i := range b.Examples {
				seen[i] = b.X.Float32s()[2*j+1]
				require.Equal(t, float32(i), b.X.Float32s()[2*j])
			}
		}
		return seen
	}
	want := drawn(data.Batching{Size: 3, Seed: 5}, 4)
	require.Equal(t, want, drawn(data.Batching{Size: 7, Seed: 5, Shuffle: true, Workers: 2}, 4))
	for i, v := range want {
		require.Equal(t, float32(data.NewRand(5, 4, i).Normal()), v)
	}
	require.NotEqual(t, want, drawn(data.Batching{Size: 3, Seed: 6}, 4))
	require.NotEqual(t, want, drawn(data.Batching{Size: 3, Seed: 5}, 5))
}

// pinnedMix was computed by a separate program: the first numbers of the stream "data.mix" for
// the first batches of the epoch 4, with seed 5.
var pinnedMix = []uint32{0x153cf846, 0x1d034548, 0x5a3de049, 0x33691ea6, 0xadca1e3e}

// What is mixed and what is changed is drawn from streams of their own: batch k is not mixed by
// the numbers that change example k.
func TestMixingDrawsFromAStreamOfItsOwn(t *testing.T) {
	const seed, epoch = 5, 4
	var drawn []uint32
	mix := func(_ int, _ data.Example, r *data.Rand) error {
		drawn = append(drawn, r.Uint32())
		return nil
	}
	l := loader(t, counting(t, 20), data.Batching{Size: 4, Seed: seed, Augment: widen{}, Mix: customMix{custom{mix: mix}}})
	for _, err := range l.Epoch(epoch) {
		require.NoError(t, err)
	}
	require.Equal(t, pinnedMix, drawn)
	for k, v := range drawn {
		require.NotEqual(t, data.NewRand(seed, epoch, k).Uint32(), v, "batch %d", k)
	}
}

func TestLoaderRefusesWhatCannotBeChanged(t *testing.T) {
	_, err := data.NewLoader(counting(t, 3), data.Batching{Size: 1, Workers: -1})
	require.ErrorContains(t, err, "-1 workers")
	wide, err := data.New([]float32{1, 2}, []int{0}, data.Info{Input: shape.F32(2)})
	require.NoError(t, err)
	_, err = data.NewLoader(wide, data.Batching{Size: 1, Augment: widen{}})
	require.ErrorContains(t, err, "data: augmentation: input float32(2)")
}

// watched counts how many reads are going on.
type watched struct {
	data.Dataset
	reading, reads *atomic.Int32
	fail           int // the example that cannot be read; -1 for none
}

func (w watched) Read(i int, e data.Example) error {
	w.reading.Add(1)
	defer w.reading.Add(-1)
	w.reads.Add(1)
	runtime.Gosched()
	if i == w.fail {
		return errUnreadable
	}
	return w.Dataset.Read(i, e)
}

func watch(t *testing.T, n, fail int) watched {
	return watched{counting(t, n), new(atomic.Int32), new(atomic.Int32), fail}
}

// settle waits until no more than n goroutines are left: what was told to end may take a moment.
func settle(t *testing.T, n int) {
	t.Helper()
	for i := 0; i < 10_000 && runtime.NumGoroutine() > n; i++ {
		time.Sleep(time.Millisecond)
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), n)
}

// However a loop ends, nothing is read afterwards and no goroutine is left.
func TestALoopEndsCleanly(t *testing.T) {
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
					ds := watch(t, 20, -1)
					loop(loader(t, ds, data.Batching{Size: 2, Workers: workers}), stopAt)
					require.Zero(t, ds.reading.Load(), "the loop has ended, but somebody reads")
					reads := ds.reads.Load()
					if name == "to its end" {
						require.Equal(t, int32(20), reads)
					} else {
						require.LessOrEqual(t, reads, int32(2*(stopAt+1+workers)))
					}
					runtime.Gosched()
					require.Equal(t, reads, ds.reads.Load())
				}
			}
			settle(t, before+1) // the subtest's own
		})
	}
}

func TestTheCauseOfACancelledContextIsTheLastError(t *testing.T) {
	cause := errors.New("enough")
	for _, workers := range []int{0, 1, 3} {
		ctx, cancel := context.WithCancelCause(context.Background())
		defer cancel(nil)
		var errs []error
		for b, err := range loader(t, counting(t, 20), data.Batching{Size: 2, Workers: workers}).EpochFrom(ctx, 0, 0) {
			errs = append(errs, err)
			if err == nil && b.Index == 3 {
				cancel(cause)
			}
		}
		// what was ready by then may still come
		require.GreaterOrEqual(t, len(errs), 5)
		require.LessOrEqual(t, len(errs), 5+workers)
		for _, err := range errs[:len(errs)-1] {
			require.NoError(t, err)
		}
		require.ErrorIs(t, errs[len(errs)-1], cause)
	}
}

// A read error comes where its batch would have come, whoever met it first.
func TestReadErrorsComeInOrder(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, workers := range []int{0, 1, 2, 7} {
		l := loader(t, watch(t, 30, 13), data.Batching{Size: 2, Workers: workers})
		for range 3 {
			n := 0
			for b, err := range l.Epoch(0) {
				if n < 6 {
					require.NoError(t, err)
					require.Equal(t, n, b.Index)
				} else {
					require.ErrorIs(t, err, errUnreadable)
					require.ErrorContains(t, err, "data: example 13: unreadable")
				}
				n++
			}
			require.Equal(t, 7, n)
		}
	}
	settle(t, before)
}

func TestWorkersAllocateNothingForABatch(t *testing.T) {
	ds := counting(t, 2000)
	allocs := func(size int) float64 {
		l := loader(t, ds, data.Batching{Size: size, Shuffle: true, Workers: 2, Augment: widen{}, Mix: blur{}})
		return allocs.PerRun(3, func() {
			for _, err := range l.Epoch(1) {
				require.NoError(t, err)
			}
		})
	}
	require.LessOrEqual(t, allocs(2), allocs(200)+5, "1000 batches and 10")
}

// slow takes its time for each example.
type slow struct{ data.Dataset }

func (s slow) Read(i int, e data.Example) error {
	time.Sleep(time.Millisecond)
	return s.Dataset.Read(i, e)
}

// Without workers the loop waits for every read; never for longer than it runs.
func TestWaitedIsTheTimeSpentWaiting(t *testing.T) {
	for _, workers := range []int{0, 2} {
		begun, waited := time.Now(), time.Duration(0)
		for b, err := range loader(t, slow{counting(t, 12)}, data.Batching{Size: 3, Workers: workers}).Epoch(0) {
			require.NoError(t, err)
			waited += b.Waited
		}
		require.LessOrEqual(t, waited, time.Since(begun))
		require.Positive(t, waited)
		if workers == 0 {
			require.GreaterOrEqual(t, waited, 12*time.Millisecond)
		}
	}
}

// digits are 6,400 images of MNIST's size.
func digits(b *testing.B) data.Dataset {
	ds, err := data.New(make([]uint8, 6400*784), make([]int32, 6400), data.Info{Input: shape.F32(1, 28, 28)})
	require.NoError(b, err)
	return ds
}

// benchmarkEpochs times the epochs of digits.
func benchmarkEpochs(b *testing.B, l *data.Loader) {
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range l.Epoch(0) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/6400*1e9, "ns/image")
}

func BenchmarkLoader(b *testing.B) {
	for _, workers := range []int{0, 1, 2} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			benchmarkEpochs(b, loader(b, digits(b), data.Batching{Size: 64, Shuffle: true, Workers: workers}))
		})
	}
}

func BenchmarkStreamLoader(b *testing.B) {
	for _, workers := range []int{0, 1, 2} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			benchmarkEpochs(b, streamLoader(b, streamed(b, digits(b)), data.Batching{Size: 64, Buffer: 1000, Workers: workers}))
		})
	}
}
