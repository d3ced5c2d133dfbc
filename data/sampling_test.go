package data_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/internal/allocs"
	"github.com/plexaura/plexaura/shape"
)

// numbered has n examples, whose input is their number; their classes are labels in turn.
func numbered(t testing.TB, n int, labels ...int32) data.Dataset {
	t.Helper()
	x, y := make([]float32, n), make([]int32, n)
	for i := range x {
		x[i], y[i] = float32(i), labels[i%len(labels)]
	}
	ds, err := data.New(x, y, data.Info{Input: shape.F32(1)})
	require.NoError(t, err)
	return ds
}

// order returns the examples of an epoch, with the inputs that they have there.
func order(t testing.TB, ds data.Dataset, o data.Batching, epoch, from int) (examples []int, inputs []float32) {
	t.Helper()
	l, err := data.NewLoader(ds, o)
	require.NoError(t, err)
	for b, err := range l.EpochFrom(context.Background(), epoch, from) {
		require.NoError(t, err)
		examples = append(examples, b.Examples...)
		inputs = append(inputs, b.X.Float32s()...)
	}
	return examples, inputs
}

func TestExamplesAreDrawnInProportionToTheirWeights(t *testing.T) {
	const n = 20000
	weights := make([]float64, n)
	for i := range weights {
		weights[i] = []float64{1, 0, 3}[i%3]
	}
	drawn, _ := order(t, numbered(t, n, 0), data.Batching{Size: 64, Shuffle: true, Weights: weights, Seed: 1}, 0, 0)
	require.Len(t, drawn, n)
	var count [3]int
	repeated := map[int]int{}
	for _, i := range drawn {
		count[i%3]++
		repeated[i]++
	}
	require.Zero(t, count[1])
	require.InDelta(t, n/4, count[0], 4*62) // four standard deviations of a binomial
	require.Less(t, len(repeated), n*2/3)
}

func TestDrawsDependOnSeedEpochAndPositionOnly(t *testing.T) {
	ds := numbered(t, 100, 0)
	weights := make([]float64, 100)
	for i := range weights {
		weights[i] = float64(i)
	}
	o := data.Batching{Size: 7, Shuffle: true, Weights: weights, Seed: 3, Augment: noise{}}
	all, inputs := order(t, ds, o, 2, 0)
	many := o
	many.Workers = 5
	again, same := order(t, ds, many, 2, 0)
	require.Equal(t, all, again)
	require.Equal(t, inputs, same)
	rest, restInputs := order(t, ds, o, 2, 4)
	require.Equal(t, all[28:], rest)
	require.Equal(t, inputs[28:], restInputs)
	other, _ := order(t, ds, o, 3, 0)
	require.NotEqual(t, all, other)

	// An example that is drawn twice is changed twice.
	seen := map[int][]float32{}
	for i, e := range all {
		seen[e] = append(seen[e], inputs[i])
	}
	several := 0
	for _, v := range seen {
		several += len(v) - 1
		slices.Sort(v)
		require.Len(t, slices.Compact(v), len(v))
	}
	require.Positive(t, several)
}

// noise adds a random number.
type noise struct{}

func (noise) Bind(in data.Info) (data.Change, data.Info, error) {
	return func(x []float32, r *data.Rand) []float32 {
		x[0] += float32(r.Float64())
		return x
	}, in, nil
}

func TestDropLastLeavesTheSmallerBatchOut(t *testing.T) {
	ds := numbered(t, 23, 0)
	l, err := data.NewLoader(ds, data.Batching{Size: 5, DropLast: true, Shuffle: true})
	require.NoError(t, err)
	require.Equal(t, 4, l.Len())
	n := 0
	for b, err := range l.Epoch(1) {
		require.NoError(t, err)
		require.Len(t, b.Examples, 5)
		n++
	}
	require.Equal(t, 4, n)
	l, err = data.NewLoader(numbered(t, 20, 0), data.Batching{Size: 5, DropLast: true})
	require.NoError(t, err)
	require.Equal(t, 4, l.Len())
}

func TestMistakesOfSampling(t *testing.T) {
	ds := numbered(t, 4, 0)
	nan := 0.0
	nan /= nan
	for want, o := range map[string]data.Batching{
		"none is left":                       {Size: 5, DropLast: true},
		"there is no Shuffle":                {Size: 1, Weights: []float64{1, 1, 1, 1}},
		"3 Weights for 4 examples":           {Size: 1, Shuffle: true, Weights: []float64{1, 1, 1}},
		"the weight of example 2 is -1":      {Size: 1, Shuffle: true, Weights: []float64{1, 1, -1, 1}},
		"the weight of example 0 is NaN":     {Size: 1, Shuffle: true, Weights: []float64{nan, 1, -1, 1}},
		"all Weights are 0":                  {Size: 1, Shuffle: true, Weights: make([]float64, 4)},
		"the sum of the Weights is infinite": {Size: 1, Shuffle: true, Weights: []float64{1e308, 1e308, 1e308, 0}},
	} {
		_, err := data.NewLoader(ds, o)
		require.ErrorContains(t, err, want)
	}
	for want, f := range map[string]func() error{
		"fraction 1 is 0; want a positive number": func() error { _, err := data.SplitFractions(ds, 1, nil, .5, 0); return err },
		"fractions have a sum of 1.1":             func() error { _, err := data.SplitFractions(ds, 1, nil, .5, .6); return err },
		"0.01 of 4 examples, is none":             func() error { _, err := data.SplitFractions(ds, 1, nil, .01); return err },
		"2 labels for 4 examples":                 func() error { _, err := data.SplitFractions(ds, 1, []int32{0, 1}, .5); return err },
		"5 folds of 4 examples; want 2 to 4":      func() error { _, err := data.KFold(ds, 5, 1, nil); return err },
		"0 classes; want at least 1":              func() error { _, err := data.BalancedWeights(nil, 0); return err },
		"no label is one of the 2 classes":        func() error { _, err := data.BalancedWeights([]int32{-1, 7}, 2); return err },
	} {
		require.ErrorContains(t, f(), want)
	}
}

func TestBalancedWeightsAreScikitLearns(t *testing.T) {
	// sklearn.utils.class_weight.compute_class_weight("balanced", classes=[0, 1, 2], y=[0, 0, 0, 1, 2, 2])
	w, err := data.BalancedWeights([]int32{0, 0, 0, 1, 2, 2, 255}, 3)
	require.NoError(t, err)
	require.InDeltaSlice(t, []float64{2. / 3, 2, 1}, w, 1e-15)
	require.InDeltaSlice(t, []float64{2, 0, 2. / 3}, data.ExampleWeights([]int32{1, 255, 0}, w), 1e-15)
}

func TestStratifiedPartsHaveAsMuchOfEachClass(t *testing.T) {
	ds := numbered(t, 103, 0, 0, 0, 0, 0, 0, 1, 1, 1, 2)
	labels, err := data.Labels(ds)
	require.NoError(t, err)
	whole := counted(labels)
	for seed := range uint64(5) {
		parts, err := data.SplitFractions(ds, seed, labels, .7, .2, .1)
		require.NoError(t, err)
		all := 0
		for i, part := range parts {
			l, err := data.Labels(part)
			require.NoError(t, err)
			all += len(l)
			for class, n := range counted(l) {
				require.InDelta(t, []float64{.7, .2, .1}[i]*float64(whole[class]), n, 1.01, "part %d, class %d", i, class)
			}
		}
		require.Equal(t, 103, all)

		folds, err := data.KFold(ds, 4, seed, labels)
		require.NoError(t, err)
		seen := map[float32]int{}
		for _, f := range folds {
			require.Equal(t, 103, f.Train.Len()+f.Validation.Len())
			require.InDelta(t, 103./4, f.Validation.Len(), 1)
			l, err := data.Labels(f.Validation)
			require.NoError(t, err)
			for class, n := range counted(l) {
				require.InDelta(t, float64(whole[class])/4, n, 1)
			}
			e := data.Example{X: make([]float32, 1), Labels: make([]int32, 1)}
			for i := range f.Validation.Len() {
				require.NoError(t, f.Validation.Read(i, e))
				seen[e.X[0]]++
			}
		}
		require.Len(t, seen, 103, "each example is for validation once")
	}
}

func counted(labels []int32) map[int32]int {
	n := map[int32]int{}
	for _, l := range labels {
		n[l]++
	}
	return n
}

// faulty is a dataset of which some examples cannot be read.
type faulty struct{ data.Dataset }

func (f faulty) Read(i int, e data.Example) error {
	switch i % 5 {
	case 1:
		return errors.New("damaged")
	case 3:
		panic("damaged too")
	}
	return f.Dataset.Read(i, e)
}

func (faulty) Path(i int) string { return fmt.Sprint(i, ".png") }

func TestDamagedExamplesAreListedAndLeftOut(t *testing.T) {
	ds := faulty{numbered(t, 12, 0, 1)}
	for _, workers := range []int{1, 3} {
		rest, bad, err := data.Undamaged(t.Context(), ds, workers)
		require.NoError(t, err)
		require.Equal(t, 7, rest.Len())
		var names []string
		for _, d := range bad {
			names = append(names, d.Path)
			require.ErrorContains(t, d.Err, "damaged")
		}
		require.Equal(t, []string{"1.png", "3.png", "6.png", "8.png", "11.png"}, names)
		examples, inputs := order(t, rest, data.Batching{Size: 3}, 0, 0)
		require.Len(t, examples, 7)
		require.Equal(t, []float32{0, 2, 4, 5, 7, 9, 10}, inputs)
	}
	sub, err := data.Subset(ds, []int{1, 3})
	require.NoError(t, err)
	_, bad, err := data.Undamaged(t.Context(), sub, 1)
	require.ErrorContains(t, err, "data: none of 2 examples can be read; the first: damaged")
	require.Len(t, bad, 2)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = data.Undamaged(ctx, ds, 1)
	require.ErrorIs(t, err, context.Canceled)
}

// However examples are chosen, an epoch allocates nothing for each of its batches.
func TestSamplersAllocateNothingForABatch(t *testing.T) {
	const n = 2000
	weights := make([]float64, n)
	for i := range weights {
		weights[i] = float64(i % 3)
	}
	for name, b := range map[string]data.Batching{
		"shuffled": {Shuffle: true}, "by weight": {Shuffle: true, Weights: weights}, "whole batches": {Shuffle: true, Weights: weights, DropLast: true},
		"with workers": {Shuffle: true, Weights: weights, Workers: 2},
	} {
		measured := func(size int) float64 {
			b := b
			b.Size = size
			l := loader(t, counting(t, n), b)
			return allocs.PerRun(3, func() {
				for _, err := range l.Epoch(1) {
					require.NoError(t, err)
				}
			})
		}
		require.LessOrEqual(t, measured(2), measured(200)+5, "%s: 1000 batches and 10", name)
	}
}
