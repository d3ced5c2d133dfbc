package data_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/shape"
)

// hook is a dataset whose reads go through a function first.
type hook struct {
	data.Dataset
	before func(i int)
}

func (h hook) Read(i int, e data.Example) error {
	h.before(i)
	return h.Dataset.Read(i, e)
}

// errorsOf returns the errors of an epoch.
func errorsOf(ctx context.Context, l *data.Loader, epoch int) (errs []error) {
	for _, err := range l.EpochFrom(ctx, epoch, 0) {
		errs = append(errs, err)
	}
	return errs
}

var errBoom = errors.New("boom")

func TestAPanicInReadIsAnErrorThatNamesTheExample(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, workers := range []int{0, 1, 3} {
		l := loader(t, hook{counting(t, 20), func(i int) {
			if i == 7 {
				panic(errBoom)
			}
		}}, data.Batching{Size: 2, Workers: workers})
		for range 2 { // and again, in the next epoch
			errs := errorsOf(context.Background(), l, 0)
			require.Len(t, errs, 4)
			for _, err := range errs[:3] {
				require.NoError(t, err)
			}
			require.ErrorIs(t, errs[3], errBoom)
			require.Regexp(t, `^data: example 7: panic at fault_test.go:\d+: boom$`, errs[3].Error())
		}
	}
	settle(t, before)
}

// cramped gives its examples less room than they need.
type cramped struct{ data.Dataset }

func (c cramped) Read(i int, e data.Example) error {
	e.X = e.X[1:]
	return c.Dataset.Read(i, e)
}

// A dataset of ours may be read by another's, and both say whose the error is.
func TestAnErrorNamesThePackageOnce(t *testing.T) {
	numbers := counting(t, 20)
	half, err := data.Subset(numbers, []int{1, 2, 3})
	require.NoError(t, err)
	for _, ds := range []data.Dataset{cramped{numbers}, cramped{half}, data.Limit(cramped{numbers}, 5), beyond{numbers}} {
		for _, workers := range []int{0, 2} {
			errs := errorsOf(context.Background(), loader(t, ds, data.Batching{Size: 2, Workers: workers}), 0)
			require.Regexp(t, `^data: example 0: (room for|no example)`, errs[0].Error())
			require.Empty(t, plain.Repeats(errs[0].Error()))
		}
	}
	_, err = data.NewLoader(told{counting(t, 20), data.Info{}}, data.Batching{Size: 2})
	require.Error(t, err)
	require.Empty(t, plain.Repeats(err.Error()))
}

// beyond reads what is not there.
type beyond struct{ data.Dataset }

func (b beyond) Read(i int, e data.Example) error { return b.Dataset.Read(i+b.Len(), e) }

// told says something else of its examples.
type told struct {
	data.Dataset
	info data.Info
}

func (d told) Info() data.Info { return d.info }

func TestAPanicOfTheRuntimeNamesTheLine(t *testing.T) {
	var none []int
	l := loader(t, hook{counting(t, 3), func(i int) { none[i] = 1 }}, data.Batching{Size: 2})
	errs := errorsOf(context.Background(), l, 0)
	require.Regexp(t, `^data: example 0: panic at fault_test.go:\d+: runtime error: index out of range`, errs[0].Error())
	var runtimeError runtime.Error
	require.ErrorAs(t, errs[0], &runtimeError)
}

// A goroutine that ends itself, as a test's FailNow does, does not leave the loop waiting.
func TestAReadThatEndsItsGoroutineIsAnError(t *testing.T) {
	for _, workers := range []int{0, 1, 3} {
		l := loader(t, hook{counting(t, 20), func(i int) {
			if i == 4 {
				runtime.Goexit()
			}
		}}, data.Batching{Size: 2, Workers: workers})
		errs := errorsOf(context.Background(), l, 0)
		require.Len(t, errs, 3)
		require.ErrorContains(t, errs[2], "ended its goroutine")
	}
}

// custom is an augmentation, or a mixer, of functions.
type custom struct {
	change data.Change
	mix    data.Mix
	bind   func()
}

type customMix struct{ custom }

func (c custom) Bind(in data.Info) (data.Change, data.Info, error) {
	if c.bind != nil {
		c.bind()
	}
	return c.change, in, nil
}

func (c customMix) Bind(in data.Info) (data.Mix, data.Info, error) { return c.mix, in, nil }

func TestFaultsOfAugmentationAndMixingAreErrors(t *testing.T) {
	for _, workers := range []int{0, 2} {
		run := func(a data.Augmentation, m data.Mixer) error {
			l, err := data.NewLoader(counting(t, 9), data.Batching{Size: 4, Augment: a, Mix: m, Workers: workers})
			if err != nil {
				return err
			}
			errs := errorsOf(context.Background(), l, 0)
			return errs[len(errs)-1]
		}
		for want, err := range map[string]error{
			"data: example 0: panic at fault_test.go": run(custom{change: func([]float32, *data.Rand) []float32 { panic("boom") }}, nil),
			"data: example 0: augmentation returns 2 elements; want float32(1,1,1)": run(custom{change: func([]float32, *data.Rand) []float32 {
				return make([]float32, 2)
			}}, nil),
			"data: augmentation: data_test.custom returns no Change": run(custom{}, nil),
			"data: mixing: data_test.customMix returns no Mix":       run(nil, customMix{}),
			"data: panic at fault_test.go":                           run(custom{bind: func() { panic("boom") }}, nil),
			"data: mixing batch 0: panic at fault_test.go": run(nil, customMix{custom{mix: func(int, data.Example, *data.Rand) error {
				panic("boom")
			}}}),
		} {
			require.ErrorContains(t, err, want)
		}
	}
}

func TestNilDatasetsAreErrors(t *testing.T) {
	var typed *data.Memory[uint8]
	for _, ds := range []data.Dataset{nil, typed, hook{}} {
		_, err := data.NewLoader(ds, data.Batching{Size: 1})
		require.ErrorContains(t, err, "data: ")
		_, err = data.Subset(ds, nil)
		require.ErrorContains(t, err, "data: ")
		_, _, err = data.Split(ds, 0, 1)
		require.ErrorContains(t, err, "data: ")
		_, err = data.WithPreprocess(ds, data.Preprocess{})
		require.ErrorContains(t, err, "data: ")
	}
	_, err := data.NewLoader(nil, data.Batching{Size: 1})
	require.EqualError(t, err, "data: no dataset: it is nil")
	_, err = data.NewLoader(data.Limit(nil, 3), data.Batching{Size: 1})
	require.EqualError(t, err, "data: no dataset: it is nil")
}

func TestALoopThatCannotBeIsAnError(t *testing.T) {
	l := loader(t, counting(t, 4), data.Batching{Size: 2})
	var noContext context.Context
	require.ErrorContains(t, errorsOf(noContext, l, 0)[0], "data: no context")
	require.ErrorContains(t, errorsOf(context.Background(), new(data.Loader), 0)[0], "data: the Loader was not made by NewLoader")
	require.ErrorContains(t, errorsOf(context.Background(), nil, 0)[0], "data: the Loader was not made by NewLoader")
	require.ErrorContains(t, errorsOf(context.Background(), l, math.MaxInt)[0], "data: no batch 0 of epoch")
}

// Two loops would fill the same memory.
func TestALoaderServesOneLoopAtATime(t *testing.T) {
	l := loader(t, counting(t, 8), data.Batching{Size: 2, Workers: 2})
	for b, err := range l.Epoch(0) {
		require.NoError(t, err)
		want := slices.Clone(b.X.Float32s())
		require.ErrorContains(t, errorsOf(context.Background(), l, 1)[0], "the Loader serves another loop")
		require.Equal(t, want, b.X.Float32s())
	}
	require.Len(t, batches(t, l, 0, 0), 4, "the next loop")
}

// A Read that does not return is left behind when the context is cancelled. What it writes to
// in the end is not the memory of the epochs after it.
func TestABlockedReadDoesNotHoldTheLoop(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, workers := range []int{0, 1, 3} {
		cause, blocked, release := errors.New("enough"), make(chan struct{}, 1), make(chan struct{})
		ctx, cancel := context.WithCancelCause(context.Background())
		defer cancel(nil)
		ds := hook{counting(t, 20), func(i int) {
			if i == 5 && ctx.Err() == nil {
				blocked <- struct{}{}
				<-release
			}
		}}
		l := loader(t, ds, data.Batching{Size: 2, Workers: workers, Augment: widen{}})
		go func() {
			<-blocked
			cancel(cause)
		}()
		errs := errorsOf(ctx, l, 0)
		require.ErrorIs(t, errs[len(errs)-1], cause)
		require.LessOrEqual(t, len(errs), 3)

		n := 0
		for b, err := range l.Epoch(3) { // while the blocked Read returns and writes
			require.NoError(t, err)
			if b.Index == 1 {
				close(release)
			}
			want := slices.Clone(b.X.Float32s())
			for range 20 {
				runtime.Gosched()
			}
			require.Equal(t, want, b.X.Float32s())
			for j, i := range b.Examples {
				require.Equal(t, float32(i), b.X.Float32s()[2*j])
			}
			n++
		}
		require.Equal(t, 10, n)
	}
	settle(t, before)
}

// A loop that is left while somebody's Read blocks ends with its context.
func TestABrokenLoopWaitsForReadsUntilItsContextEnds(t *testing.T) {
	before, release := runtime.NumGoroutine(), make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	blocked := make(chan struct{})
	l := loader(t, hook{counting(t, 20), func(i int) {
		if i == 2 {
			close(blocked)
			<-release
		}
	}}, data.Batching{Size: 2, Workers: 1})
	for range l.EpochFrom(ctx, 0, 0) {
		<-blocked
		cancel()
		break
	}
	close(release)
	settle(t, before)
}

func TestNumbersThatClaimMemoryHaveBounds(t *testing.T) {
	claim := func(n int, input shape.Type, o data.Batching) error {
		_, err := data.NewLoader(long{counting(t, 1), n, input}, o)
		return err
	}
	pixel, image := shape.F32(1, 1, 1), shape.F32(3, 1000, 1000)
	require.ErrorContains(t, claim(10, pixel, data.Batching{Size: 1, Workers: math.MaxInt}), fmt.Sprintf("%d workers; want 0 to 1024", math.MaxInt))
	require.ErrorContains(t, claim(10, pixel, data.Batching{Size: 1, Workers: data.MaxWorkers + 1}), "1025 workers; want 0 to 1024")
	require.NoError(t, claim(10, pixel, data.Batching{Size: 1, Workers: data.MaxWorkers}))
	require.NoError(t, claim(10, pixel, data.Batching{Size: math.MaxInt}))
	require.ErrorContains(t, claim(math.MaxInt, pixel, data.Batching{Size: 1}), "examples; want 1 to 2147483647")
	require.ErrorContains(t, claim(-1, pixel, data.Batching{Size: 1}), "-1 examples; want 1 to 2147483647")
	require.ErrorContains(t, claim(1<<20, image, data.Batching{Size: 1 << 20}), "batch size 1048576 is too large for examples of float32(3,1000,1000); want at most 357")
	require.ErrorContains(t, claim(1<<20, image, data.Batching{Size: 300, Workers: 5}),
		"5 workers are too many for batches of 300 examples of float32(3,1000,1000); want at most 3")
	_, _, err := data.Split(long{counting(t, 1), math.MaxInt, pixel}, 1, 1)
	require.ErrorContains(t, err, "cannot choose")
}

// long says that it has so many examples of a type.
type long struct {
	data.Dataset
	n     int
	input shape.Type
}

func (l long) Len() int { return l.n }

func (l long) Info() data.Info {
	info := l.Dataset.Info()
	info.Input = l.input
	return info
}
