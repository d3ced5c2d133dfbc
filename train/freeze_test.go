package train_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
)

// deep has two blocks with batch normalisation before the head.
var deep = nn.Sequential{
	nn.Conv2D{Name: "conv1", Out: 3, Kernel: 3, Pad: 1}, nn.BatchNorm{Name: "norm1"}, nn.ReLU{},
	nn.Conv2D{Name: "conv2", Out: 3, Kernel: 3, Pad: 1}, nn.BatchNorm{Name: "norm2"}, nn.ReLU{},
	nn.Flatten{}, nn.Dropout{P: 0.25}, nn.Linear{Name: "out", Out: 2},
}

func frozenConfig(t testing.TB) train.Config {
	c := config(t)
	c.Model, c.Freeze = deep, []string{"conv1.*", "norm1.*"}
	return c
}

// Freezing by name gives the bits of a model whose layers are Frozen and Eval.
func TestFreezingByNameIsFreezingInTheModel(t *testing.T) {
	c := frozenConfig(t)
	byName := fit(t, c).Checkpoint.Store
	c.Freeze = nil
	model := append(nn.Sequential{}, deep...)
	model[0], model[1] = nn.Frozen{Layer: model[0]}, nn.Frozen{Layer: nn.Eval{Layer: model[1]}}
	c.Model = model
	require.Equal(t, values(t, fit(t, c).Checkpoint.Store), values(t, byName))
	require.Equal(t, []float64{0, 0, 0}, floats(t, byName, "norm1.running_mean"))
	require.NotEqual(t, []float64{0, 0, 0}, floats(t, byName, "norm2.running_mean"))
}

// The backward pass ends where nothing before is trained: one gradient by a filter, and none by an input.
func TestFrozenParametersHaveNoGradients(t *testing.T) {
	for _, tt := range []struct {
		freeze   []string
		byFilter int
		byInput  int
	}{{nil, 2, 1}, {[]string{"conv1.*", "norm1.*"}, 1, 0}, {[]string{"conv*", "norm*"}, 0, 0}, {[]string{"conv1.*"}, 1, 1}, {[]string{"conv2.weight"}, 1, 1}} {
		c := frozenConfig(t)
		c.Freeze = tt.freeze
		var byFilter, byInput int
		c.OnStart = func(s train.Start) error {
			g := s.Network.Training.Loss.Graph()
			var roots []*graph.Node
			for _, u := range g.Updates() {
				roots = append(roots, u.Value)
			}
			for _, n := range graph.Reachable(roots...) {
				switch {
				case n.Op() == nil:
				case n.Op().Name() == "Conv2DFilterGrad":
					byFilter++
				case n.Op().Name() == "Conv2DInputGrad":
					byInput++
				}
			}
			return nil
		}
		fit(t, c)
		require.Equal(t, []int{tt.byFilter, tt.byInput}, []int{byFilter, byInput}, "%v", tt.freeze)
	}
}

// A run that unfreezes can stop after any step, and goes on with the same bits.
func TestARunThatUnfreezesResumes(t *testing.T) {
	c := frozenConfig(t)
	c.UnfreezeAt = 2
	whole := fit(t, c)
	for steps := 1; steps < 12; steps++ {
		c := c
		ctx := stopAfter(&c, steps)
		part, err := train.Fit(ctx, c)
		require.ErrorIs(t, err, errStopped)
		rest := c
		rest.OnStep, rest.Resume = nil, part.Checkpoint
		require.Equal(t, values(t, whole.Checkpoint.Store), values(t, fit(t, rest).Checkpoint.Store), "after %d steps", steps)
	}
	frozen := c
	frozen.UnfreezeAt, frozen.Epochs = 0, 1
	before := fit(t, frozen).Checkpoint.Store
	require.NotEqual(t, floats(t, before, "conv1.weight"), floats(t, whole.Checkpoint.Store, "conv1.weight"))
	require.NotEqual(t, []float64{0, 0, 0}, floats(t, whole.Checkpoint.Store, "norm1.running_mean"))
	require.NotContains(t, before.Names(), "conv1.weight.exp_avg")
	require.Contains(t, whole.Checkpoint.Store.Names(), "conv1.weight.exp_avg")
	require.Contains(t, whole.Checkpoint.Training, "conv1.weight.exp_avg")

	other := c
	other.Resume, other.UnfreezeAt = whole.Checkpoint, 3
	_, err := train.Fit(t.Context(), other)
	require.EqualError(t, err, `train: resuming: the run began with Freeze ["conv1.*" "norm1.*"] and UnfreezeAt 2, this has ["conv1.*" "norm1.*"] and 3`)
}

// Between the last frozen epoch and the next, a checkpoint lacks what the optimiser will keep, and nothing else.
func TestARunResumesWhereItUnfreezes(t *testing.T) {
	c := frozenConfig(t)
	c.UnfreezeAt = 2
	whole := fit(t, c)
	folder := filepath.Join(t.TempDir(), "run")
	stopped := c
	stopped.Folder, stopped.OnEpoch = folder, func(train.Epoch) error { return train.ErrStop }
	part := fit(t, stopped)
	require.Len(t, part.Epochs, 1)
	require.Zero(t, part.Checkpoint.Progress.Batch)
	again := func() *train.Checkpoint {
		from, err := train.LoadCheckpoint(filepath.Join(folder, train.CheckpointFile))
		require.NoError(t, err)
		return from
	}
	for _, from := range []*train.Checkpoint{again(), part.Checkpoint} {
		rest := c
		rest.Resume = from
		require.Equal(t, values(t, whole.Checkpoint.Store), values(t, fit(t, rest).Checkpoint.Store))
	}
	for _, name := range []string{"conv2.weight", "conv2.weight.exp_avg", "norm1.running_mean"} {
		rest := c
		rest.Resume = again()
		require.NoError(t, rest.Resume.Store.Delete(name))
		_, err := train.Fit(t.Context(), rest)
		var mismatch *train.MismatchError
		require.ErrorAs(t, err, &mismatch)
		require.Equal(t, []string{name}, mismatch.Missing)
	}
}

// With shards, a frozen part is frozen too, the bits do not depend on the number of ranks, and a run resumes.
func TestShardsFreezeAndUnfreeze(t *testing.T) {
	c := frozenConfig(t)
	c.Shards, c.UnfreezeAt = 2, 3
	one := fit(t, c)
	results, errs := onRanks(t, 2, c, func(int, *train.Config) {})
	noErrors(t, errs)
	for _, r := range results {
		require.Equal(t, values(t, one.Checkpoint.Store), values(t, r.Checkpoint.Store))
	}
	for _, steps := range []int{3, 8, 9} {
		c := c
		part, err := train.Fit(stopAfter(&c, steps), c)
		require.ErrorIs(t, err, errStopped)
		c.OnStep, c.Resume = nil, part.Checkpoint
		require.Equal(t, values(t, one.Checkpoint.Store), values(t, fit(t, c).Checkpoint.Store), "after %d steps", steps)
	}
	frozen := c
	frozen.UnfreezeAt = 0
	after := fit(t, frozen).Checkpoint.Store
	require.Equal(t, []float64{0, 0, 0}, floats(t, after, "norm1.running_mean"))
	frozen.Freeze, frozen.Epochs = nil, 1
	frozen.Optimizer = optim.SGD{LR: 1e-30}
	require.Equal(t, floats(t, fit(t, frozen).Checkpoint.Store, "conv1.weight"), floats(t, after, "conv1.weight"))
}

// outside makes a parameter without a scope.
type outside struct{}

func (outside) Apply(_ nn.Scope, x *graph.Node) *graph.Node {
	return ops.Mul(x, x.Graph().Param("factor", shape.F32(), graph.Fill(1)))
}

func TestMistakesOfFreezing(t *testing.T) {
	for want, of := range map[string]func(c *train.Config){
		`train: Freeze: "cnv1.*" matches no parameter; near it are conv1.*, conv2.*`:  func(c *train.Config) { c.Freeze = []string{"cnv1.*"} },
		`train: Freeze: "norm1.running_*" matches no parameter`:                       func(c *train.Config) { c.Freeze = []string{"norm1.running_*"} },
		`train: Freeze: invalid pattern "conv[": syntax error in pattern`:             func(c *train.Config) { c.Freeze = []string{"conv["} },
		`train: Freeze: "*" leave no parameter to train`:                              func(c *train.Config) { c.Freeze = []string{"*"} },
		"train: UnfreezeAt is 2, but nothing is frozen; name parameters in Freeze":    func(c *train.Config) { c.Freeze, c.UnfreezeAt = nil, 2 },
		"train: UnfreezeAt is 1; want an epoch from 2 to the last, 3, or 0 for never": func(c *train.Config) { c.UnfreezeAt = 1 },
		"train: UnfreezeAt is 4; want an epoch from 2 to the last, 3, or 0 for never": func(c *train.Config) { c.UnfreezeAt = 4 },
		"train: Freeze: the model makes factor without nn.Scope; freeze them there, by graph.Graph.FrozenParam": func(c *train.Config) {
			c.Model, c.Freeze = append(nn.Sequential{outside{}}, deep...), []string{"factor"}
		},
	} {
		c := frozenConfig(t)
		of(&c)
		result, err := train.Fit(t.Context(), c)
		require.Nil(t, result)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "\n")
	}
}

// A group of an optimiser may name parameters that are trained later.
func TestGroupsMayNameWhatIsTrainedLater(t *testing.T) {
	c := frozenConfig(t)
	c.UnfreezeAt, c.Epochs = 2, 2
	c.Optimizer = optim.Recipe{Rule: optim.SGD{LR: .1}, Groups: []optim.Group{{Match: "conv1.*", LR: .01}}}
	fit(t, c)
	c.Optimizer = optim.Recipe{Rule: optim.SGD{LR: .1}, Groups: []optim.Group{{Match: "conv3.*", LR: .01}}}
	_, err := train.Fit(t.Context(), c)
	require.ErrorContains(t, err, `"conv3.*" matches no parameter`)
}
