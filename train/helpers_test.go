package train_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/vm"
)

// stripes are n images (1,4,4) of two classes: stripes that lie and stripes that stand, each
// with a little of the other and of a fixed pattern.
func stripes(t testing.TB, n int) data.Dataset {
	t.Helper()
	x, y := make([]float32, n*16), make([]int, n)
	for i := range n {
		y[i] = i % 2
		for p := range 16 {
			lying, standing := float32(p/4%2), float32(p%2)
			if y[i] == 1 {
				lying, standing = standing, lying
			}
			x[i*16+p] = lying - 0.3*standing + 0.3*float32(math.Sin(float64(i*16+p)))
		}
	}
	ds, err := data.New(x, y, data.Info{Input: shape.F32(1, 4, 4), Classes: []string{"lying", "standing"}})
	require.NoError(t, err)
	return ds
}

// network has all that a step can change: parameters, running statistics, random numbers.
var network = nn.Sequential{
	nn.Conv2D{Name: "conv", Out: 3, Kernel: 3, Pad: 1}, nn.BatchNorm{Name: "norm"}, nn.ReLU{},
	nn.Flatten{}, nn.Dropout{P: 0.25}, nn.Linear{Name: "out", Out: 2},
}

// recipe has all the state that an optimiser can have.
var recipe = optim.Recipe{
	Rule: optim.AdamW{LR: 0.01, WeightDecay: 0.01}, Schedule: optim.Cosine{Steps: 12},
	ClipNorm: 1, Accumulate: 3, Average: 0.9,
}

// config is a run of 3 epochs of 4 batches, the last of them smaller.
func config(t testing.TB) train.Config {
	return train.Config{
		Model: network, Train: stripes(t, 14), Validation: stripes(t, 6),
		Engine: ref.Engine{}, Optimizer: recipe, Epochs: 3, Batch: 4, Seed: 7,
	}
}

func fit(t testing.TB, c train.Config) *train.Result {
	t.Helper()
	result, err := train.Fit(context.Background(), c)
	require.NoError(t, err)
	return result
}

// stopAfter makes c cancel the context it returns after that many steps.
func stopAfter(c *train.Config, steps int) context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	c.OnStep = func(train.Step) error {
		if steps--; steps == 0 {
			cancel(errStopped)
		}
		return nil
	}
	return ctx
}

var errStopped = errors.New("stopped by the test")

// values are the bits of every value of a store.
func values(t testing.TB, s *vm.Store) map[string][]float64 {
	t.Helper()
	all := map[string][]float64{}
	for _, name := range s.Names() {
		all[name] = floats(t, s, name)
	}
	return all
}

// floats returns a value of any type; float64 holds each exactly.
func floats(t testing.TB, s *vm.Store, name string) (v []float64) {
	t.Helper()
	d, err := s.Value(name)
	require.NoError(t, err)
	switch d.Dtype() {
	case tensor.Float32:
		for _, f := range d.Float32s() {
			v = append(v, float64(f))
		}
	case tensor.Float64:
		v = append(v, d.Float64s()...)
	case tensor.Int64:
		for _, i := range d.Int64s() {
			require.Less(t, i, int64(1)<<53)
			v = append(v, float64(i))
		}
	default:
		t.Fatalf("%s is %v", name, d.Dtype())
	}
	return v
}

// timeless returns epochs without what differs from run to run.
func timeless(epochs []train.Epoch) []train.Epoch {
	for i := range epochs {
		epochs[i].Seconds, epochs[i].Waited, epochs[i].Timed = 0, 0, 0
	}
	return epochs
}

var times = regexp.MustCompile(`,"seconds":.*`)

// metrics returns the lines of a folder's metrics, without times.
func metrics(t testing.TB, folder string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(folder, train.MetricsFile))
	require.NoError(t, err)
	return times.ReplaceAllString(string(b), "")
}

func load(t testing.TB, folder string) *train.Checkpoint {
	t.Helper()
	c, err := train.LoadCheckpoint(filepath.Join(folder, train.CheckpointFile))
	require.NoError(t, err)
	return c
}

func zeros(dims ...int) *tensor.Dense {
	return tensor.New(tensor.WithShape(dims...), tensor.Of(tensor.Float32))
}
