package train_test

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/dist"
	"github.com/plexaura/plexaura/dist/local"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/vm"
)

// parabola is a regression of one weight w without a bias, for x = 2 or -2: the loss is 4(w-best)² and
// a rest, of curvature 8, so that steps of plain SGD converge for rates below 2/8 and diverge above.
func parabola(t testing.TB) (c train.Config, rest float64) {
	t.Helper()
	x := make([]float32, 64)
	y := make([]float32, 64)
	for i := range x {
		x[i] = float32(4*(i%2) - 2)
		y[i] = 3.3*x[i] + 0.1*float32(math.Sin(float64(i)))
	}
	best := 0.
	for i := range x {
		best += float64(x[i]*y[i]) / 256
	}
	for i := range x {
		rest += math.Pow(float64(y[i])-best*float64(x[i]), 2) / 64
	}
	ds, err := data.New(x, y, data.Info{Input: shape.F32(1), Target: shape.F32(1)})
	require.NoError(t, err)
	return train.Config{
		Model: nn.Linear{Name: "w", Out: 1, NoBias: true}, Train: ds, Engine: ref.Engine{},
		Optimizer: optim.SGD{LR: 7}, Batch: 64, Seed: 1,
	}, rest
}

func TestTheSearchOfRatesFindsWhereALossFalls(t *testing.T) {
	c, rest := parabola(t)
	curve, err := train.FindRate(context.Background(), c, train.RateSearch{From: 1e-4, To: 100, Steps: 120})
	require.NoError(t, err)
	require.True(t, curve.Diverged)
	require.Greater(t, curve.Suggested, 0.005)
	require.Less(t, curve.Suggested, 0.25)
	require.Greater(t, curve.Rates[len(curve.Rates)-1], 0.25, "it stopped before the loss rose")
	require.Less(t, len(curve.Rates), 120)
	w := math.Sqrt((curve.Losses[0] - rest) / 4) // |w-best|
	for i, rate := range curve.Rates {
		require.InEpsilon(t, 1e-4*math.Pow(1e6, float64(i)/119), rate, 1e-9)
		if rate < 0.2 {
			require.InDelta(t, 4*w*w+rest, curve.Losses[i], 1e-3*max(1, 4*w*w), "step %d", i)
		}
		w *= math.Abs(1 - 8*rate)
	}

	sane := train.RateSearch{From: 1e-6, To: 1e-4, Steps: 10}
	curve, err = train.FindRate(context.Background(), c, sane)
	require.NoError(t, err)
	require.False(t, curve.Diverged)
	require.Len(t, curve.Rates, 10)
	require.InEpsilon(t, 1e-4, curve.Rates[9], 1e-9)
}

// A rate that is far too large makes numbers that are not finite, which ends the search and no more.
func TestTheSearchOfRatesEndsWhereNumbersOverflow(t *testing.T) {
	c, _ := parabola(t)
	curve, err := train.FindRate(context.Background(), c, train.RateSearch{From: 1e-3, To: 1e30, Steps: 3})
	require.NoError(t, err)
	require.True(t, curve.Diverged)
	require.NotEmpty(t, curve.Rates)
}

// A loss that is infinite before the first step says nothing of rates.
func TestASearchOfRatesWithoutAStepIsAnError(t *testing.T) {
	c := config(t)
	c.Loss = func(output, target *graph.Node) *graph.Node {
		return ops.MulScalar(ops.MulScalar(ops.CrossEntropy(output, target), 1e30), 1e30)
	}
	curve, err := train.FindRate(context.Background(), c, train.RateSearch{})
	require.ErrorIs(t, err, vm.ErrNotFinite)
	require.Nil(t, curve)
}

// The same number of shards gives the same curve on any number of ranks, also where numbers overflow. Rank 0 has it.
func TestASearchOfRatesGivesTheSameBitsOnAnyNumberOfRanks(t *testing.T) {
	for _, s := range []train.RateSearch{{Steps: 20}, {From: 1e25, To: 1e30, Steps: 3}} {
		c := config(t)
		c.Batch, c.Shards = 5, 4 // with 14 examples: shards of unequal size
		if s.To > 0 {
			c.Optimizer = optim.SGD{LR: 1}
			c.Model = nn.Sequential{nn.Flatten{}, nn.Linear{Name: "a", Out: 4}, nn.Linear{Name: "b", Out: 2}}
		}
		want, err := train.FindRate(context.Background(), c, s)
		require.NoError(t, err)
		require.NotEmpty(t, want.Rates)
		require.Equal(t, s.To > 0, want.Diverged)
		for _, ranks := range []int{2, 4} {
			curves := make([]*train.RateCurve, ranks)
			require.NoError(t, local.Run(ranks, func(g dist.Group) (err error) {
				c := c
				c.Group = g
				curves[g.Rank()], err = train.FindRate(context.Background(), c, s)
				return err
			}), "%d ranks, %+v", ranks, s)
			require.Equal(t, want, curves[0], "%d ranks", ranks)
			for _, other := range curves[1:] {
				require.Equal(t, &train.RateCurve{}, other)
			}
		}
	}
}

func TestTheSearchOfRatesLeavesAllAsItWas(t *testing.T) {
	c := config(t)
	c.Store = fit(t, c).Checkpoint.Store
	before := values(t, c.Store)
	c.Folder = t.TempDir()
	c.OnEpoch = func(train.Epoch) error { t.Error("OnEpoch is called"); return nil }
	c.Callbacks = []train.Callback{noted{}}
	for _, o := range []optim.Optimizer{recipe, optim.Adam{LR: 1}} {
		c.Optimizer = o
		curve, err := train.FindRate(context.Background(), c, train.RateSearch{Steps: 20})
		require.NoError(t, err)
		require.Equal(t, len(curve.Rates), len(curve.Smooth))
		again, err := train.FindRate(context.Background(), c, train.RateSearch{Steps: 20})
		require.NoError(t, err)
		require.Equal(t, curve, again)
	}
	require.Equal(t, before, values(t, c.Store))
	require.NoFileExists(t, c.Folder+"/"+train.CheckpointFile)
}

// other is an optimiser that is no rule.
type other struct{}

func (other) Apply(g *graph.Graph, _ []*graph.Node) *graph.Node { return g.Reject("other", nil) }

func TestAWrongSearchOfRatesIsAnError(t *testing.T) {
	for want, x := range map[string]struct {
		change func(*train.Config)
		search train.RateSearch
	}{
		"train: the search goes from a rate of 1 to 0.5":  {nil, train.RateSearch{From: 1, To: 0.5}},
		"train: the search goes from a rate of NaN to 10": {nil, train.RateSearch{From: math.NaN()}},
		"train: the search has 1 steps":                   {nil, train.RateSearch{Steps: 1}},
		"train: a search of rates does not resume a run":  {func(c *train.Config) { c.Resume = &train.Checkpoint{} }, train.RateSearch{}},
		"train: the Config has no Optimizer":              {func(c *train.Config) { c.Optimizer = nil }, train.RateSearch{}},
		"train: the optim.Recipe has no Rule":             {func(c *train.Config) { c.Optimizer = optim.Recipe{} }, train.RateSearch{}},
		"as the Optimizer, not train_test.other":          {func(c *train.Config) { c.Optimizer = other{} }, train.RateSearch{}},
		"train: the Config has no Model":                  {func(c *train.Config) { c.Model = nil }, train.RateSearch{}},
	} {
		c := config(t)
		if x.change != nil {
			x.change(&c)
		}
		curve, err := train.FindRate(context.Background(), c, x.search)
		require.ErrorContains(t, err, want)
		require.Nil(t, curve)
	}
}
