package nn_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/autodiff/gradcheck"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

var regularised = nn.Sequential{nn.Linear{Name: "fc", Out: 3}, nn.BatchNorm{Name: "bn"}, nn.Dropout{P: .5}, nn.ReLU{}}

// In training, Eval gives what the layer gives in inference, and leaves the statistics as they are.
func TestEvalIsTheInferenceFormInTraining(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F64(shape.N, 2))
	y := nn.Eval{Layer: regularised}.Apply(nn.Root(g), x)
	loss := ops.Mean(ops.Square(y))
	params := g.Params()
	require.Len(t, params, 4, "they are trained")
	require.Nil(t, g.Leaf("rng"))
	require.Empty(t, g.Updates())
	for i, dp := range autodiff.Grad(loss, params...) {
		g.Update(params[i], ops.Sub(params[i], dp))
	}
	require.NoError(t, g.Err())

	s := vm.NewStore(1)
	require.NoError(t, s.Init(g.Leaves()...))
	for name, v := range map[string][]float64{"bn.running_mean": {1, 2, 3}, "bn.running_var": {4, 5, 6}, "bn.weight": {1, -1, 2}} {
		require.NoError(t, s.Set(name, dense(v, 3)))
	}
	in := []float64{1, 2, -3, 4}
	plain := apply(regularised, shape.F64(shape.N, 2))
	want := run(t, graph.Inference(plain.y)[0], s, in, 2, 2)
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{loss, y}, vm.Train, vm.Checked)
	require.NoError(t, err)
	m, err := p.NewMachine(s)
	require.NoError(t, err)
	outs, err := m.Run(t.Context(), dense(in, 2, 2))
	require.NoError(t, err)
	require.InDeltaSlice(t, want, outs[1].Float64s(), 1e-12, "inference folds the normalisation")
	for name, v := range map[string][]float64{"bn.running_mean": {1, 2, 3}, "bn.running_var": {4, 5, 6}} {
		got, err := s.Value(name)
		require.NoError(t, err)
		require.Equal(t, v, got.Float64s(), name)
	}
	w, err := s.Value("bn.weight")
	require.NoError(t, err)
	require.NotEqual(t, []float64{1, -1, 2}, w.Float64s())
}

func TestEvalEndsWithItsLayer(t *testing.T) {
	n := apply(nn.Sequential{nn.Frozen{Layer: nn.Eval{Layer: nn.BatchNorm{Name: "a"}}}, nn.BatchNorm{Name: "b"}, nn.Eval{Layer: nn.Named("c", nn.Func(func(x *graph.Node) *graph.Node {
		return ops.Dropout(x, .5)
	}))}}, shape.F32(shape.N, 2))
	require.NoError(t, n.g.Err())
	require.Equal(t, []*graph.Node{n.g.Leaf("b.weight"), n.g.Leaf("b.bias")}, n.g.Params())
	require.Len(t, n.g.Updates(), 2)
	for _, u := range n.g.Updates() {
		require.Contains(t, u.Leaf.Name(), "b.running_")
	}
}

func TestGradientsThroughEvalAndTwoUses(t *testing.T) {
	gradcheck.Check(t, func(x ...*graph.Node) *graph.Node {
		return nn.Eval{Layer: nn.BatchNorm{Name: "bn"}}.Apply(nn.Root(x[0].Graph()), x[0])
	}, shape.F64(4, 2))
	gradcheck.Check(t, func(x ...*graph.Node) *graph.Node {
		s, l := nn.Root(x[0].Graph()), nn.BatchNorm{Name: "bn"}
		return ops.Mul(l.Apply(s, x[0]), l.Apply(s.Shared(), x[1]))
	}, shape.F64(4, 2), shape.F64(4, 2))
}

// Where both parameters of a normalisation are frozen by name, it keeps its statistics; a layer that is only Frozen does not.
func TestFreezingByNameKeepsStatistics(t *testing.T) {
	for pattern, want := range map[string]struct{ params, updates int }{"": {4, 2}, "fc.": {2, 2}, "bn.": {2, 0}, "bn.weight": {3, 2}, "fc.weight": {3, 2}} {
		g := graph.New()
		x := g.Input("x", shape.F64(shape.N, 2))
		scope := nn.Root(g).FreezeWhere(func(name string) bool { return pattern != "" && strings.HasPrefix(name, pattern) })
		nn.Sequential{nn.Linear{Name: "fc", Out: 3}, nn.BatchNorm{Name: "bn"}}.Apply(scope, x)
		require.NoError(t, g.Err())
		require.Len(t, g.Params(), want.params, pattern)
		require.Len(t, g.Updates(), want.updates, pattern)
	}
}
