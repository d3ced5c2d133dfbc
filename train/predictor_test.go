package train_test

import (
	"context"
	"math"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/internal/allocs"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/vm"
)

// inputs returns all inputs of ds, one after the other.
func inputs(t testing.TB, ds data.Dataset) []float32 {
	t.Helper()
	size := ds.Info().Input.Len()
	x, label := make([]float32, ds.Len()*size), make([]int32, 1)
	for i := range ds.Len() {
		require.NoError(t, ds.Read(i, data.Example{X: x[i*size : (i+1)*size], Labels: label}))
	}
	return x
}

func predictor(t testing.TB, c train.Config) *train.Predictor {
	t.Helper()
	p, err := train.NewPredictor(c.Model, fit(t, c).Checkpoint, c.Engine)
	require.NoError(t, err)
	return p
}

// What was trained in batches of 64 predicts in batches of 1, with the same parameters, read
// back from a file (gorgonia#345).
func TestSerialisedBatch(t *testing.T) {
	c := config(t)
	c.Train, c.Batch, c.Folder = stripes(t, 150), 64, t.TempDir()
	together := predictor(t, c)
	alone, err := train.NewPredictor(network, load(t, c.Folder), ref.Engine{})
	require.NoError(t, err)
	x := inputs(t, c.Train)
	want, err := together.Predict(context.Background(), x)
	require.NoError(t, err)
	require.Len(t, want, 150*2)
	for i := range 150 {
		got, err := alone.Predict(context.Background(), x[i*16:(i+1)*16])
		require.NoError(t, err)
		require.InDeltaSlice(t, want[i*2:(i+1)*2], got, 1e-6)
	}
}

// Many goroutines predict, with batches of many sizes, and get what one gets; no goroutine is
// left behind.
func TestPredictorFromManyGoroutines(t *testing.T) {
	c := config(t)
	p := predictor(t, c)
	x := inputs(t, stripes(t, 70))
	want, err := p.Predict(context.Background(), x)
	require.NoError(t, err)
	before := runtime.NumGoroutine()
	var group sync.WaitGroup
	for k := range 32 {
		group.Go(func() {
			for n := 1; n <= 70; n += 1 + k%7 {
				got, err := p.Predict(context.Background(), x[:n*16])
				if err != nil || len(got) != n*2 {
					t.Errorf("%d outputs for %d examples, %v", len(got), n, err)
					return
				}
				for i, v := range got {
					if math.Abs(float64(v-want[i])) > 1e-6 {
						t.Errorf("output %d of %d examples is %v; want %v", i, n, v, want[i])
						return
					}
				}
			}
		})
	}
	group.Wait()
	for i := 0; i < 10_000 && runtime.NumGoroutine() > before; i++ {
		time.Sleep(time.Millisecond) // they have done their work, but may not be gone yet
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), before)
}

func TestPredictAllocatesItsResultAlone(t *testing.T) {
	p := predictor(t, config(t))
	x := inputs(t, stripes(t, 3))
	allocs := allocs.PerRun(100, func() {
		if _, err := p.Predict(context.Background(), x); err != nil {
			t.Error(err)
		}
	})
	require.LessOrEqual(t, allocs, 2.0)
}

// Probabilities are the softmax of the outputs.
func TestProbabilities(t *testing.T) {
	p := predictor(t, config(t))
	x := inputs(t, stripes(t, 5))
	logits, err := p.Outputs(context.Background(), x)
	require.NoError(t, err)
	got, err := p.Predict(context.Background(), x)
	require.NoError(t, err)
	for i := 0; i < len(got); i += 2 {
		want := 1 / (1 + math.Exp(float64(logits[i+1]-logits[i])))
		require.InDelta(t, want, got[i], 1e-6)
		require.InDelta(t, 1-want, got[i+1], 1e-6)
	}
}

func TestTop(t *testing.T) {
	p := predictor(t, config(t))
	require.Equal(t, []train.Class{{1, "standing", 0.75}, {0, "lying", 0.25}}, p.Top(5, []float32{0.25, 0.75}))
	require.Equal(t, []train.Class{{0, "lying", 0.5}}, p.Top(1, []float32{0.5, 0.5}))
	require.Empty(t, p.Top(-1, []float32{1}))
}

func TestPredictorRefuses(t *testing.T) {
	c := config(t)
	p := predictor(t, c)
	for _, n := range []int{0, 15, 17} {
		_, err := p.Predict(context.Background(), make([]float32, n))
		require.ErrorContains(t, err, "numbers are not a multiple of 16, the size of an example of float32(1,4,4)")
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errStopped)
	_, err := p.Predict(ctx, make([]float32, 16))
	require.ErrorIs(t, err, errStopped)
	_, err = train.NewPredictor(network, nil, ref.Engine{})
	require.ErrorContains(t, err, "no weights")
	_, err = p.Evaluate(context.Background(), nil, nil)
	require.ErrorContains(t, err, "no dataset")
	_, err = train.NewPredictor(network, fit(t, c).Checkpoint, nil)
	require.ErrorContains(t, err, "no engine")
	_, err = train.NewPredictor(network, fit(t, c).Checkpoint, (*ref.Engine)(nil))
	require.ErrorContains(t, err, "no engine")
	_, err = train.NewPredictor((*nn.Linear)(nil), fit(t, c).Checkpoint, ref.Engine{})
	require.ErrorContains(t, err, "no model")
	_, err = train.NewPredictor(nil, fit(t, c).Checkpoint, ref.Engine{})
	require.ErrorContains(t, err, "no model")
}

// The evaluation agrees with one by hand, from the predictions.
func TestEvaluate(t *testing.T) {
	c := config(t)
	c.Epochs = 1 // so that not everything is right
	p := predictor(t, c)
	ds := stripes(t, 101)
	x := inputs(t, ds)
	y, err := p.Predict(context.Background(), x)
	require.NoError(t, err)
	loss, correct, confusion := 0.0, 0, [][]int{{0, 0}, {0, 0}}
	for i := range 101 {
		best := 0
		if y[2*i+1] > y[2*i] {
			best = 1
		}
		confusion[i%2][best]++
		loss -= math.Log(float64(y[2*i+i%2])) / 101
		if best == i%2 {
			correct++
		}
	}
	got, err := p.Evaluate(context.Background(), ds, nil)
	require.NoError(t, err)
	require.Equal(t, confusion, got.Confusion)
	require.Equal(t, correct, got.Correct)
	require.Equal(t, 101, got.Labels)
	require.Equal(t, 101, got.Examples)
	require.InDelta(t, loss, got.Loss(), 1e-5)
	require.InDelta(t, float64(correct)/101, got.Accuracy(), 1e-12)
	require.Greater(t, correct, 50)
}

// A regression has no classes: no accuracy, no confusion, and predicts plain numbers.
func TestRegression(t *testing.T) {
	var x, y []float32
	for i := range 64 {
		v := float32(i)/32 - 1
		x, y = append(x, v), append(y, 3*v-1, -v)
	}
	ds, err := data.New(x, y, data.Info{Input: shape.F32(1), Target: shape.F32(2)})
	require.NoError(t, err)
	c := train.Config{
		Model: nn.Linear{Out: 2}, Train: ds, Validation: ds, Folder: t.TempDir(),
		Engine: ref.Engine{}, Optimizer: optim.SGD{LR: 0.5}, Epochs: 60, Batch: 16,
	}
	p := predictor(t, c)
	got, err := p.Predict(context.Background(), []float32{0.5, -1})
	require.NoError(t, err)
	require.InDeltaSlice(t, []float32{0.5, -0.5, -4, 1}, got, 1e-3)
	e, err := p.Evaluate(context.Background(), ds, nil)
	require.NoError(t, err)
	require.Less(t, e.Loss(), 1e-5)
	require.Nil(t, e.Confusion)
	require.Zero(t, e.Labels)
	require.NotContains(t, metrics(t, c.Folder), "accuracy")
}

// The moving averages of the parameters predict, where the optimiser keeps them.
func TestPredictorUsesAverages(t *testing.T) {
	c := config(t)
	w := fit(t, c).Checkpoint
	require.True(t, w.Averaged)
	x := inputs(t, stripes(t, 4))
	predict := func() []float32 {
		p, err := train.NewPredictor(network, w, ref.Engine{})
		require.NoError(t, err)
		y, err := p.Predict(context.Background(), x)
		require.NoError(t, err)
		return y
	}
	averaged := predict()
	for _, name := range []string{"conv.weight", "out.weight", "out.bias", "conv.bias", "norm.weight", "norm.bias"} {
		v, err := w.Store.Value(name + ".ema")
		require.NoError(t, err)
		require.NoError(t, w.Store.Set(name, v))
	}
	w.Averaged = false
	require.Equal(t, averaged, predict())
}

// Class numbers for every pixel are counted pixel by pixel.
func TestClassesPerPixel(t *testing.T) {
	x, y := make([]float32, 6*4), make([]int, 6*4)
	for i := range x {
		x[i] = float32(i%3) - 1
		if x[i] > 0 {
			y[i] = 1
		}
	}
	ds, err := data.New(x, y, data.Info{Input: shape.F32(1, 2, 2), Target: shape.I32(2, 2)})
	require.NoError(t, err)
	c := train.Config{
		Model: nn.Conv2D{Name: "conv", Out: 2, Kernel: 1}, Train: ds,
		Engine: ref.Engine{}, Optimizer: optim.Adam{LR: 0.1}, Epochs: 30, Batch: 4,
	}
	result := fit(t, c)
	require.Equal(t, train.Metrics{Examples: 6, Labels: 24, Correct: 24, LossSum: result.Epochs[29].Train.LossSum}, result.Epochs[29].Train)
	p, err := train.NewPredictor(c.Model, result.Checkpoint, c.Engine)
	require.NoError(t, err)
	require.Equal(t, shape.F32(2, 2, 2), p.Output())
	e, err := p.Evaluate(context.Background(), ds, nil)
	require.NoError(t, err)
	require.Equal(t, [][]int{{16, 0}, {0, 8}}, e.Confusion)
}

// Bare weights, not made by Fit, can be used as well.
func TestBareStore(t *testing.T) {
	store := vm.NewStore(1)
	for name, n := range map[string][]int{"out.weight": {2, 16}, "out.bias": {2}} {
		require.NoError(t, store.Set(name, zeros(n...)))
	}
	p, err := train.NewPredictor(nn.Sequential{nn.Flatten{}, nn.Linear{Name: "out", Out: 2}},
		&train.Checkpoint{Info: stripes(t, 1).Info(), Store: store}, ref.Engine{})
	require.NoError(t, err)
	got, err := p.Predict(context.Background(), make([]float32, 16))
	require.NoError(t, err)
	require.Equal(t, []float32{0.5, 0.5}, got)
}

// The ranges do not depend on how examples are shared out among calls, and a model in 8-bit integers
// that was calibrated with them chooses nearly as in float32.
func TestAPredictorIsCalibratedAndQuantised(t *testing.T) {
	c := config(t)
	c.Train = stripes(t, 150)
	w := fit(t, c).Checkpoint
	p, err := train.NewPredictor(network, w, ref.Engine{})
	require.NoError(t, err)
	x, once, parts := inputs(t, c.Train), vm.Ranges{}, vm.Ranges{}
	require.NoError(t, p.Calibrate(context.Background(), once, x))
	for part := range slices.Chunk(x, 7*16) {
		require.NoError(t, p.Calibrate(context.Background(), parts, part))
	}
	require.NotEmpty(t, once)
	require.Len(t, parts, len(once))
	for name, r := range once { // products of other numbers of rows may round differently
		require.InDelta(t, r.Min, parts[name].Min, 1e-5, name)
		require.InDelta(t, r.Max, parts[name].Max, 1e-5, name)
	}
	require.ErrorContains(t, p.Calibrate(context.Background(), once, x[:3]), "3 numbers are not a multiple of 16")

	small, err := train.NewPredictor(network, w, ref.Engine{}, vm.Quantise(once))
	require.NoError(t, err)
	want, err := p.Predict(context.Background(), x)
	require.NoError(t, err)
	got, err := small.Predict(context.Background(), x)
	require.NoError(t, err)
	require.NotEqual(t, want, got)
	require.InDeltaSlice(t, want, got, .05)
	require.ErrorContains(t, small.Calibrate(context.Background(), vm.Ranges{}, x), "train: ")
}
