package train_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/dist"
	"github.com/plexaura/plexaura/dist/local"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/train/callbacks"
	"github.com/plexaura/plexaura/vm"
)

// onRanks calls Fit on each of the given number of ranks, and returns the results by rank.
func onRanks(t *testing.T, ranks int, c train.Config, of func(rank int, c *train.Config)) ([]*train.Result, []error) {
	t.Helper()
	results, errs := make([]*train.Result, ranks), make([]error, ranks)
	_ = local.Run(ranks, func(g dist.Group) error {
		c, i := c, g.Rank()
		c.Group = g
		if of != nil {
			of(i, &c)
		}
		results[i], errs[i] = train.Fit(context.Background(), c)
		return errs[i]
	})
	return results, errs
}

func noErrors(t *testing.T, errs []error) {
	t.Helper()
	for i, err := range errs {
		require.NoError(t, err, "rank %d", i)
	}
}

// The same number of shards gives the same bits on any number of ranks.
func TestShardsGiveTheSameBitsOnAnyNumberOfRanks(t *testing.T) {
	for _, shards := range []int{4, 6} {
		for _, localNorm := range []bool{false, true} {
			t.Run(fmt.Sprint(shards, localNorm), func(t *testing.T) {
				c := measured(t)
				c.Batch = 5 // with 14 examples: shards of unequal size, and shards without examples
				c.Shards, c.LocalBatchNorm = shards, localNorm
				one := fit(t, c)
				want := values(t, one.Checkpoint.Store)
				for _, ranks := range []int{2, 3, 4} {
					if shards%ranks != 0 {
						continue
					}
					results, errs := onRanks(t, ranks, c, nil)
					noErrors(t, errs)
					for _, r := range results {
						require.Equal(t, want, values(t, r.Checkpoint.Store))
						require.Equal(t, timeless(one.Epochs), timeless(r.Epochs))
					}
				}
			})
		}
	}
}

// Each shard drops others. Of two equal examples, one in each shard, the slope by a weight is what dropout leaves of
// its input: 0 or 2, and 1 on average where the shards differ.
func TestShardsDropOthers(t *testing.T) {
	x := make([]float32, 2*64)
	for i := range x {
		x[i] = 1
	}
	ds, err := data.New(x, make([]float32, 2), data.Info{Input: shape.F32(64), Target: shape.F32(1)})
	require.NoError(t, err)
	c := train.Config{
		Model: nn.Sequential{nn.Dropout{P: .5}, nn.Linear{Name: "w", Out: 1, NoBias: true, Init: nn.Constant(0)}}, Train: ds, Engine: ref.Engine{},
		Loss:      func(output, _ *graph.Node) *graph.Node { return ops.Mean(output) },
		Optimizer: optim.SGD{LR: 1}, Epochs: 1, Batch: 2, Seed: 1, Parallel: train.Parallel{Shards: 2},
	}
	counts := map[float64]int{}
	for _, w := range values(t, fit(t, c).Checkpoint.Store)["w.weight"] {
		counts[w]++
	}
	require.Equal(t, 64, counts[0]+counts[-1]+counts[-2])
	require.Greater(t, counts[-1], 10, "half of 64 is likely")
	require.Greater(t, counts[0], 3, "a quarter")
	require.Greater(t, counts[-2], 3, "a quarter")
}

// Shards change the order of additions, and no more, where nothing is drawn at random.
func TestShardsComputeTheWholeBatch(t *testing.T) {
	for _, e := range []engine.Engine{ref.Engine{}, cpu.New()} {
		c := config(t)
		c.Engine = e
		c.Model = nn.Sequential{
			nn.Conv2D{Name: "conv", Out: 16, Kernel: 3, Pad: 1, NoBias: true}, nn.BatchNorm{Name: "norm"}, nn.ReLU{},
			nn.Conv2D{Name: "conv2", Out: 32, Kernel: 3, Pad: 1, NoBias: true}, nn.BatchNorm{Name: "norm2"}, nn.ReLU{}, nn.MaxPool2D{Kernel: 2},
			nn.Flatten{}, nn.Linear{Name: "hidden", Out: 5}, nn.BatchNorm{Name: "norm3"}, nn.Linear{Name: "out", Out: 2},
		}
		c.Optimizer, c.Batch = optim.SGD{LR: .01, Momentum: .9}, 5
		whole := fit(t, c)
		c.Shards = 4
		parts := fit(t, c)
		want, have := values(t, whole.Checkpoint.Store), values(t, parts.Checkpoint.Store)
		for name := range want {
			require.InDeltaSlice(t, want[name], have[name], 5e-4, "%s of %s", name, e.Name())
		}
		for i := range whole.Epochs {
			require.InDelta(t, whole.Epochs[i].Train.Loss(), parts.Epochs[i].Train.Loss(), 1e-4)
			require.InDelta(t, whole.Epochs[i].Validation.Loss(), parts.Epochs[i].Validation.Loss(), 1e-4)
		}
	}
}

// A run that was stopped on some ranks goes on on another number of them, and ends with the same bits.
func TestARunGoesOnOnAnotherNumberOfRanks(t *testing.T) {
	c := measured(t)
	c.Batch, c.Shards = 5, 4
	whole := fit(t, c)
	folder := filepath.Join(t.TempDir(), "run")
	steps := 0
	_, errs := onRanks(t, 4, c, func(rank int, c *train.Config) {
		c.Folder = folder
		c.OnStep = func(train.Step) error {
			if steps++; steps == 4 {
				return train.ErrStop
			}
			return nil
		}
	})
	noErrors(t, errs)
	require.Equal(t, 4, steps, "rank 0 calls back, and no other")
	results, errs := onRanks(t, 2, c, func(_ int, c *train.Config) {
		var err error
		c.Resume, err = train.LoadCheckpoint(filepath.Join(folder, train.CheckpointFile))
		require.NoError(t, err)
		c.Folder = folder
	})
	noErrors(t, errs)
	require.True(t, results[0].Saved)
	require.Equal(t, values(t, whole.Checkpoint.Store), values(t, results[1].Checkpoint.Store))
	saved, err := train.LoadCheckpoint(filepath.Join(folder, train.CheckpointFile))
	require.NoError(t, err)
	require.Equal(t, values(t, whole.Checkpoint.Store), values(t, saved.Store))
}

// What a callback changes in the store of rank 0, as one that lowers the learning rate does, changes on all
// ranks.
func TestCallbacksChangeTheValuesOfAllRanks(t *testing.T) {
	c := config(t)
	c.Shards = 2
	c.Optimizer = optim.Recipe{Rule: optim.SGD{LR: .1}, Scaled: true}
	plateau := func() *callbacks.ReduceOnPlateau {
		return &callbacks.ReduceOnPlateau{Patience: 1, MinDelta: 100, Factor: .5}
	}
	c.Callbacks = []train.Callback{plateau()}
	one := fit(t, c)
	require.Equal(t, []float64{.25}, floats(t, one.Checkpoint.Store, optim.RateScale))
	results, errs := onRanks(t, 2, c, func(rank int, c *train.Config) { c.Callbacks = []train.Callback{plateau()} })
	noErrors(t, errs)
	for _, r := range results {
		require.Equal(t, values(t, one.Checkpoint.Store), values(t, r.Checkpoint.Store))
	}
}

// Cancelling one rank ends all of them after the same step, with the checkpoint of that step.
func TestARankThatIsCancelledEndsAll(t *testing.T) {
	for _, rank := range []int{0, 2} {
		c := config(t)
		folder := filepath.Join(t.TempDir(), "run")
		results, errs := make([]*train.Result, 3), make([]error, 3)
		_ = local.Run(3, func(g dist.Group) error {
			c, i := c, g.Rank()
			c.Group, c.Folder = g, folder
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			if i == rank {
				c.Train = &cancelling{Dataset: c.Train, cancel: cancel}
			}
			results[i], errs[i] = train.Fit(ctx, c)
			return errs[i]
		})
		for i := range errs {
			require.ErrorIs(t, errs[i], context.Canceled, "rank %d", i)
			require.Equal(t, results[0].Checkpoint.Progress.Batch, results[i].Checkpoint.Progress.Batch)
			require.Equal(t, values(t, results[0].Checkpoint.Store), values(t, results[i].Checkpoint.Store))
		}
		saved, err := train.LoadCheckpoint(filepath.Join(folder, train.CheckpointFile))
		require.NoError(t, err)
		require.Equal(t, values(t, results[0].Checkpoint.Store), values(t, saved.Store))
	}
}

// cancelling cancels a context in the second epoch.
type cancelling struct {
	data.Dataset
	cancel context.CancelFunc
	reads  atomic.Int32
}

func (c *cancelling) Read(i int, e data.Example) error {
	if c.reads.Add(1) == 22 { // 14 are for a digest of the data
		c.cancel()
	}
	return c.Dataset.Read(i, e)
}

// What differs between ranks is an error on all of them, before the first step.
func TestRanksThatDifferDoNotStart(t *testing.T) {
	for _, tt := range []struct {
		name string
		of   func(c *train.Config)
		want string
	}{
		{"seed", func(c *train.Config) { c.Seed++ }, "ranks 0 and 1 differ in seed"},
		{"batch", func(c *train.Config) { c.Batch++ }, "batch size"},
		{"model", func(c *train.Config) {
			c.Model = network[: len(network)-2 : len(network)-2]
			c.Model = append(c.Model.(nn.Sequential), nn.Linear{Name: "out", Out: 2})
		}, "the program of a shard"},
		{"optimiser", func(c *train.Config) { c.Optimizer = optim.SGD{LR: .2} }, "the program of updates"},
		{"data", func(c *train.Config) {
			x := make([]float32, 14*16)
			var err error
			c.Train, err = data.New(x, make([]int, 14), c.Train.Info())
			require.NoError(t, err)
		}, "training data"},
		{"settings", func(c *train.Config) { c.Settings = map[string]int{"width": 3} }, "settings"},
		{"missing", func(c *train.Config) { c.Optimizer = nil }, "the Config has no Optimizer"},
		{"folder", func(c *train.Config) {
			c.Store = vm.NewStore(1)
		}, "missing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			started := false
			_, errs := onRanks(t, 2, config(t), func(rank int, c *train.Config) {
				c.OnStart = func(train.Start) error { started = true; return nil }
				if rank == 1 {
					tt.of(c)
				}
			})
			for i := range errs {
				require.ErrorContains(t, errs[i], tt.want, "rank %d", i)
			}
			require.False(t, started)
		})
	}
}

// An error in the data of one rank, or in what it computes, ends all.
func TestAnErrorOnOneRankEndsAll(t *testing.T) {
	for _, tt := range []struct {
		name string
		ds   func(data.Dataset) data.Dataset
		want string
	}{
		{"reading", func(ds data.Dataset) data.Dataset { return failing{ds, 13} }, "example 13: it is torn"},
		{"a label that is no class", func(ds data.Dataset) data.Dataset { return mislabelled{ds, 13} }, "id 99"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := config(t)
			c.Validation = nil
			_, errs := onRanks(t, 2, c, func(rank int, c *train.Config) { c.Train = tt.ds(c.Train) })
			for i := range errs {
				require.ErrorContains(t, errs[i], tt.want, "rank %d", i)
			}
		})
	}
}

type failing struct {
	data.Dataset
	at int
}

func (f failing) Read(i int, e data.Example) error {
	if i == f.at {
		return errors.New("it is torn")
	}
	return f.Dataset.Read(i, e)
}

type mislabelled struct {
	data.Dataset
	at int
}

func (m mislabelled) Read(i int, e data.Example) error {
	err := m.Dataset.Read(i, e)
	if i == m.at {
		e.Labels[0] = 99
	}
	return err
}

// A loss that is not finite ends all ranks, and changes nothing.
func TestALossThatIsNotFiniteEndsAllRanks(t *testing.T) {
	c := config(t)
	c.Optimizer = optim.SGD{LR: 1e30}
	c.Model = nn.Sequential{nn.Flatten{}, nn.Linear{Name: "a", Out: 4}, nn.Linear{Name: "b", Out: 2}}
	results, errs := onRanks(t, 2, c, nil)
	for i := range errs {
		require.ErrorIs(t, errs[i], vm.ErrNotFinite, "rank %d", i)
		require.Equal(t, results[0].Checkpoint.Progress.Batch, results[i].Checkpoint.Progress.Batch)
	}
}

func TestShardsThatCannotBe(t *testing.T) {
	for want, of := range map[string]func(c *train.Config){
		"Shards is -1":       func(c *train.Config) { c.Shards = -1 },
		"Timeout is -1ns":    func(c *train.Config) { c.Timeout = -1 },
		"there is no Wire 9": func(c *train.Config) { c.Wire = 9 },
		"Gradients compute whole batch": func(c *train.Config) {
			c.Shards, c.Gradients = 2, func([]*graph.Node, int, ...*graph.Node) (train.Gradients, error) { return nil, nil }
		},
	} {
		c := config(t)
		of(&c)
		_, err := train.Fit(context.Background(), c)
		require.ErrorContains(t, err, want)
	}
	_, errs := onRanks(t, 2, config(t), func(_ int, c *train.Config) { c.Shards = 3 })
	require.ErrorContains(t, errs[1], "Shards is 3 on 2 ranks; want a multiple")
}
