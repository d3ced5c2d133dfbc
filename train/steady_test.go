package train_test

import (
	"math"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/train/callbacks"
)

// steadyAllocs is how often the steps of a run allocate, from the 20th of an epoch to its end: the least of
// several runs, since the garbage collector and the clean-up of earlier tests may come in between.
func steadyAllocs(t *testing.T, c train.Config) uint64 {
	t.Helper()
	const first, attempts = 20, 5
	least := uint64(math.MaxUint64)
	for range attempts {
		var before, after runtime.MemStats
		c.OnStep = func(s train.Step) error {
			switch s.Batch {
			case first:
				runtime.ReadMemStats(&before)
			case s.Batches:
				runtime.ReadMemStats(&after)
			}
			return nil
		}
		fit(t, c)
		if least = min(least, after.Mallocs-before.Mallocs); least == 0 {
			break
		}
	}
	return least
}

// Whatever a run has, a step allocates nothing once some have been made: 280 of them, no more than a few pages of
// the runtime's own.
func TestAStepOfFitAllocatesNothing(t *testing.T) {
	weights := ops.CrossEntropyOptions{Weights: []float64{1, 3}}
	for name, with := range map[string]func(c *train.Config){
		"nothing": func(*train.Config) {},
		"class weights": func(c *train.Config) {
			c.Loss = func(x, y *graph.Node) *graph.Node { return ops.CrossEntropy(x, y, weights) }
		},
		"focal loss": func(c *train.Config) {
			c.Loss = func(x, y *graph.Node) *graph.Node { return ops.FocalLoss(x, y) }
		},
		"weighted sampler": func(c *train.Config) {
			c.DropLast, c.Weights = true, make([]float64, c.Train.Len())
			for i := range c.Weights {
				c.Weights[i] = 1 + float64(i%3)
			}
		},
		"metrics": func(c *train.Config) { c.Metrics = measured(t).Metrics },
		"callbacks": func(c *train.Config) {
			c.Folder = filepath.Join(t.TempDir(), "run")
			c.Optimizer = optim.Recipe{Rule: optim.Adam{}, Scaled: true}
			c.Callbacks = []train.Callback{
				&callbacks.Best{}, &callbacks.EarlyStopping{Patience: 1}, &callbacks.CSV{Path: filepath.Join(t.TempDir(), "epochs.csv")},
				&callbacks.ReduceOnPlateau{Patience: 1, Factor: .5}, &callbacks.TensorBoard{Dir: filepath.Join(t.TempDir(), "tensorboard")},
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := config(t)
			c.Train, c.Epochs, c.Engine, c.Workers = stripes(t, 1200), 1, cpu.New(), -1
			with(&c)
			require.LessOrEqual(t, steadyAllocs(t, c), uint64(2))
		})
	}
}
