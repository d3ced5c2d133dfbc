package train_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/augment"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
)

// augmented is [config] with augmentation and mix-up.
func augmented(t testing.TB) train.Config {
	c := config(t)
	c.Augment = augment.List{
		augment.RandomCrop{Pad: 1}, augment.Elastic{Sigma: 1, Alpha: 2, Affine: augment.Affine{Rotate: augment.Within(10)}},
	}
	c.Mix = augment.MixUp{Alpha: 1}
	return c
}

// Augmented runs too go on bit for bit where they were stopped, with any number of workers,
// and their files are equal.
func TestResumeAugmentedAtEveryStep(t *testing.T) {
	whole := augmented(t)
	whole.Folder = t.TempDir()
	want := fit(t, whole)
	file := func(folder string) []byte {
		b, err := os.ReadFile(filepath.Join(folder, train.CheckpointFile))
		require.NoError(t, err)
		return b
	}
	for _, step := range []int{1, 4, 6, 7, 12} {
		t.Run(fmt.Sprint(step), func(t *testing.T) {
			c := augmented(t)
			c.Folder, c.Workers = t.TempDir(), step%4-1
			_, err := train.Fit(stopAfter(&c, step), c)
			require.ErrorIs(t, err, errStopped)
			c.OnStep, c.Resume, c.Workers = nil, load(t, c.Folder), (step+1)%4-1
			result := fit(t, c)
			require.Equal(t, values(t, want.Checkpoint.Store), values(t, result.Checkpoint.Store))
			require.Equal(t, timeless(want.Epochs), timeless(result.Epochs))
			require.Equal(t, file(whole.Folder), file(c.Folder))
		})
	}
}

func TestSeedFixesAugmentation(t *testing.T) {
	losses := func(change func(*train.Config)) (l []float64) {
		c := augmented(t)
		change(&c)
		c.OnStep = func(s train.Step) error { l = append(l, s.Loss); return nil }
		fit(t, c)
		return l
	}
	want := losses(func(*train.Config) {})
	require.Equal(t, want, losses(func(c *train.Config) { c.Workers = 3 }))
	require.NotEqual(t, want, losses(func(c *train.Config) { c.Augment = nil }))
	require.NotEqual(t, want, losses(func(c *train.Config) { c.Mix = nil }))
	require.NotEqual(t, want, losses(func(c *train.Config) { c.Seed++ }))
}

// An augmentation may change the size of the inputs: the model and validation have theirs.
func TestAugmentationMayCropInputs(t *testing.T) {
	wide, err := data.New(make([]float32, 6*36), make([]int, 6), data.Info{Input: shape.F32(1, 6, 6), Classes: []string{"lying", "standing"}})
	require.NoError(t, err)
	c := config(t)
	c.Train, c.Augment, c.Folder = wide, augment.RandomCrop{Height: 4, Width: 4}, t.TempDir()
	fit(t, c)
	require.Equal(t, c.Validation.Info(), load(t, c.Folder).Info)
	c.Resume = load(t, c.Folder)
	fit(t, c)

	c.Resume, c.Augment = nil, nil
	_, err = train.Fit(context.Background(), c)
	require.ErrorContains(t, err, "training and validation: the data differ: inputs are float32(1,6,6) and float32(1,4,4)")
	c.Augment = augment.CutOut{}
	_, err = train.Fit(context.Background(), c)
	require.ErrorContains(t, err, "augmentation: Side is 0")
	c.Augment, c.Workers = nil, -2
	_, err = train.Fit(context.Background(), c)
	require.ErrorContains(t, err, "Workers is -2")
}

// The loss of mixed examples is that by their distributions, in float64 by hand; there is no
// accuracy in training, but one in validation, and the checkpoint is for class numbers.
func TestMixedTargets(t *testing.T) {
	x, y := []float32{1, -2, 3, 0.5}, []int{0, 1, 1, 0}
	ds, err := data.New(x, y, data.Info{Input: shape.F32(1), Classes: []string{"a", "b"}})
	require.NoError(t, err)
	c := train.Config{
		Model: nn.Linear{Out: 2, Init: graph.Fill(0), BiasInit: graph.Fill(0)}, Train: ds, Validation: ds, Mix: augment.MixUp{Alpha: 1},
		Engine: ref.Engine{}, Optimizer: optim.SGD{LR: 0.5}, Epochs: 2, Batch: 2, Seed: 3,
	}
	result := fit(t, c)

	loader, err := data.NewLoader(ds, data.Batching{Size: 2, Shuffle: true, Seed: 3, Mix: c.Mix})
	require.NoError(t, err)
	var w, b [2]float64
	for epoch := range 2 {
		sum := 0.0
		for batch, err := range loader.Epoch(epoch) {
			require.NoError(t, err)
			var dw, db [2]float64
			for i, x := range batch.X.Float32s() {
				logits := [2]float64{w[0]*float64(x) + b[0], w[1]*float64(x) + b[1]}
				norm := math.Exp(logits[0]) + math.Exp(logits[1])
				for k := range 2 {
					p, q := math.Exp(logits[k])/norm, float64(batch.Y.Float32s()[2*i+k])
					sum -= q * math.Log(p)
					dw[k], db[k] = dw[k]+(p-q)*float64(x)/2, db[k]+(p-q)/2
				}
			}
			for k := range 2 {
				w[k], b[k] = w[k]-0.5*dw[k], b[k]-0.5*db[k]
			}
		}
		e := result.Epochs[epoch]
		require.InDelta(t, sum/4, e.Train.Loss(), 1e-5)
		require.Zero(t, e.Train.Labels)
		require.Equal(t, 4, e.Validation.Labels)
	}
	require.InDeltaSlice(t, w[:], floats(t, result.Checkpoint.Store, "weight"), 1e-5)
	require.Equal(t, ds.Info(), result.Checkpoint.Info)

	c.Loss = func(output, target *graph.Node) *graph.Node {
		return ops.CrossEntropy(output, ops.OneHot(target, 2, output))
	}
	_, err = train.Fit(context.Background(), c)
	require.ErrorContains(t, err, "OneHot") // which takes no distributions
}

// sluggish takes a while for each example.
type sluggish struct{ data.Dataset }

func (s sluggish) Read(i int, e data.Example) error {
	time.Sleep(time.Millisecond)
	return s.Dataset.Read(i, e)
}

// Steps that load their own data wait for all of it.
func TestWaitingIsTold(t *testing.T) {
	c := config(t)
	c.Train, c.Workers = sluggish{c.Train}, -1
	c.OnStep = func(s train.Step) error {
		require.GreaterOrEqual(t, s.Waited, 1e-3*float64(s.SoFar.Examples))
		require.LessOrEqual(t, s.Waited, s.Seconds)
		return nil
	}
	for _, e := range fit(t, c).Epochs {
		require.GreaterOrEqual(t, e.Waited, 14e-3)
		require.LessOrEqual(t, e.Waited, e.Seconds)
		require.Equal(t, e.Waited/e.Seconds, e.WaitShare())
	}
	require.Zero(t, train.Epoch{}.WaitShare())
}
