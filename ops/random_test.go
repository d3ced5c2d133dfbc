package ops_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// trainer returns a function that makes one training step and returns the outputs.
func trainer(t *testing.T, seed uint64, outs []*graph.Node, in ...*tensor.Dense) func() [][]float64 {
	t.Helper()
	p, err := vm.Compile(ref.Engine{}, outs, vm.Train, vm.Checked)
	require.NoError(t, err)
	m, err := p.NewMachine(vm.NewStore(seed))
	require.NoError(t, err)
	return func() (values [][]float64) {
		got, err := m.Run(t.Context(), in...)
		require.NoError(t, err)
		for _, d := range got {
			values = append(values, append([]float64(nil), d.Float64s()...))
		}
		return values
	}
}

func ones(n int) *tensor.Dense {
	v := make([]float64, n)
	for i := range v {
		v[i] = 1
	}
	return tensor.New(tensor.WithBacking(v))
}

func TestDropoutScale(t *testing.T) {
	const n, p = 20000, .3
	g := graph.New()
	x := g.Input("x", shape.F64(n))
	y := ops.Dropout(x, p)
	step := trainer(t, 1, []*graph.Node{y, autodiff.Grad(ops.Sum(y), x)[0]}, ones(n))
	got := step()
	kept := 0
	for _, v := range got[0] {
		if v != 0 {
			kept++
			require.InDelta(t, 1/(1-p), v, 1e-15)
		}
	}
	require.InDelta(t, 1-p, float64(kept)/n, .02)
	require.Equal(t, got[0], got[1], "the gradient of a sum of ones times the mask is the mask")
	require.NotEqual(t, got[0], step()[0], "every step has its own mask")
}

func TestDropoutInInferenceIsItsInput(t *testing.T) {
	g := graph.New()
	x := newFeed(g, "x", shape.Of(4), []float64{1, 2, 3, 4})
	y := graph.Inference(ops.Dropout(x.node, .9))
	require.Equal(t, x.v, computed(t, y, x)[0])
	require.Empty(t, y[0].Graph().Leaves(), "the generator is not needed")
	require.Equal(t, x.node, ops.Dropout(x.node, 0))
}

func TestOneSeed(t *testing.T) {
	run := func(seed uint64) [][]float64 {
		g := graph.New()
		x := g.Input("x", shape.F64(50))
		step := trainer(t, seed, []*graph.Node{ops.Dropout(x, .5), ops.Random(x, shape.Of(3), engine.Normal)}, ones(50))
		return append(step(), step()...)
	}
	require.Equal(t, run(1), run(1))
	a, b := run(1), run(2)
	for i := range a {
		require.NotEqual(t, a[i], b[i])
	}
}

func TestEveryUseHasItsOwnStream(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F64(20))
	a, b := ops.Dropout(x, .5), ops.Dropout(x, .5)
	var c *graph.Node
	g.Within("block", func() { c = ops.Dropout(x, .5) })
	got := trainer(t, 1, []*graph.Node{a, b, c}, ones(20))()
	require.NotEqual(t, got[0], got[1])
	require.NotEqual(t, got[0], got[2])
	require.NotEqual(t, got[1], got[2])
}

// What a layer draws does not depend on what stands before it.
func TestStreamsBelongToTheirLayers(t *testing.T) {
	build := func(before int) []float64 {
		g := graph.New()
		x := g.Input("x", shape.F64(20))
		for range before {
			ops.Dropout(x, .5)
		}
		var y *graph.Node
		g.Within("features.3", func() { y = ops.Dropout(x, .5) })
		return trainer(t, 1, []*graph.Node{y}, ones(20))()[0]
	}
	require.Equal(t, build(0), build(2))
}

func TestGeneratorCountsTrainingSteps(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F64(2))
	rng := ops.RNG(g)
	ops.Dropout(x, .5)
	require.Equal(t, rng, ops.RNG(g))
	require.Len(t, g.Updates(), 1)
	require.Equal(t, shape.I64(2), rng.Type())

	p, err := vm.Compile(ref.Engine{}, []*graph.Node{ops.Dropout(x, .5)}, vm.Train)
	require.NoError(t, err)
	s := vm.NewStore(4)
	m, err := p.NewMachine(s)
	require.NoError(t, err)
	state := func() []int64 {
		v, err := s.Value("rng")
		require.NoError(t, err)
		return v.Int64s()
	}
	seed := state()[0]
	for step := range int64(3) {
		require.Equal(t, []int64{seed, step}, state())
		_, err = m.Run(t.Context(), ones(2))
		require.NoError(t, err)
	}
}

func TestRandomFollowsTheTypeOfAClone(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 2))
	y := graph.WithDType(shape.Float64, ops.Mul(x, ops.Random(x, shape.Of(2), engine.Uniform)))[0]
	require.NoError(t, y.Graph().Err())
	require.Equal(t, shape.F64(shape.N, 2), y.Type())
}

func TestMistakesOfRandomOpsSayWhatIsWanted(t *testing.T) {
	g := graph.New()
	x, ids := g.Input("x", shape.F32(3)), g.Input("ids", shape.I32(3))
	for _, c := range []struct {
		build func() *graph.Node
		want  string
	}{
		{func() *graph.Node { return ops.Dropout(x, 1) }, "Dropout: probability 1; want 0 <= p < 1"},
		{func() *graph.Node { return ops.Dropout(x, nan) }, "Dropout: probability NaN"},
		{func() *graph.Node { return ops.Dropout(ids, .5) }, "Dropout: input 0 is int32(3); want float32 or float64"},
		{func() *graph.Node { return ops.Random(ids, shape.Of(2), engine.Normal) }, "Random: input 0 is int32(3)"},
		{func() *graph.Node { return ops.Random(x, shape.Of(-2), engine.Normal) }, "Random: axis 0: extent invalid(-2)"},
	} {
		before := errorCount(g)
		require.False(t, c.build().Valid(), c.want)
		require.ErrorContains(t, g.Err(), c.want)
		require.Equal(t, before+1, errorCount(g), c.want)
	}
	other := graph.New()
	other.State("rng", shape.F32(), nil)
	ops.Dropout(other.Input("x", shape.F32(3)), .5)
	require.ErrorContains(t, other.Err(), "Random: the state of the generator is float32(); want int64(2)")
	require.Equal(t, 1, errorCount(other))
}

func TestByModeSwitchesWithTheMode(t *testing.T) {
	x := newFeed(graph.New(), "x", shape.Of(2), []float64{1, 2})
	y := ops.ByMode(ops.Neg(x.node), ops.Square(x.node))
	require.Equal(t, []float64{-1, -2}, computed(t, []*graph.Node{y}, x)[0])
	require.Equal(t, []float64{1, 4}, computed(t, graph.Inference(y), x)[0])
	require.Equal(t, []float64{-1, -1}, grads(t, y, x)[0])

	inner := ops.ByMode(ops.MulScalar(x.node, 3), ops.MulScalar(x.node, 5))
	nested := ops.ByMode(ops.Neg(inner), ops.Add(inner, ops.ByMode(ops.Exp(x.node), inner)))
	require.Equal(t, []float64{-3, -6}, computed(t, []*graph.Node{nested}, x)[0])
	require.Equal(t, []float64{10, 20}, computed(t, graph.Inference(nested), x)[0])
	require.Equal(t, []float64{-3, -3}, grads(t, nested, x)[0])
}

func TestStopGradientPassesTheValueAlone(t *testing.T) {
	x := newFeed(graph.New(), "x", shape.Of(2), []float64{2, 3})
	y := ops.Mul(x.node, ops.StopGradient(x.node))
	require.Equal(t, []float64{4, 9}, computed(t, []*graph.Node{y}, x)[0])
	require.Equal(t, []float64{2, 3}, grads(t, y, x)[0])
}
