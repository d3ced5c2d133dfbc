package ops_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// Integers divided by 0, powers, and shifts by more than all bits have the results that are documented.
func TestIntegersAtTheirEdges(t *testing.T) {
	const low = math.MinInt32
	for _, c := range []struct {
		name       string
		f          func(a, b *graph.Node) *graph.Node
		d          shape.DType
		a, b, want []float64
	}{
		{"Div", ops.Div, shape.Int32, []float64{7, -7, low, 5}, []float64{2, 2, -1, 0}, []float64{3, -3, low, 0}},
		{"Fmod", ops.Fmod, shape.Int32, []float64{7, -7, 7, -7, low, 5}, []float64{3, 3, -3, -3, -1, 0}, []float64{1, -1, 1, -1, 0, 5}},
		{"Mod", ops.Mod, shape.Int64, []float64{7, -7, 7, -7, -6, -5}, []float64{3, 3, -3, -3, 3, 0}, []float64{1, 2, -2, -1, 0, -5}},
		{"Mod", ops.Mod, shape.Uint8, []float64{200, 7}, []float64{7, 0}, []float64{4, 7}},
		{"Pow", ops.Pow, shape.Int32, []float64{2, -3, 2, 1, -1, -1, 0, 0, 3}, []float64{10, 3, 32, -5, -3, -4, 0, -1, 1}, []float64{1024, -27, 0, 1, -1, 1, 1, 0, 3}},
		{"Pow", ops.Pow, shape.Uint8, []float64{3, 16}, []float64{5, 2}, []float64{243, 0}},
		{"ShiftLeft", ops.ShiftLeft, shape.Int32, []float64{3, -1, 1, 1}, []float64{2, 31, 32, -1}, []float64{12, low, 0, 0}},
		{"ShiftRight", ops.ShiftRight, shape.Int32, []float64{-5, 5, -5, 5, -5}, []float64{1, 1, 40, -1, -1}, []float64{-3, 2, -1, 0, -1}},
		{"ShiftRight", ops.ShiftRight, shape.Uint8, []float64{255}, []float64{7}, []float64{1}},
		{"BitXor", ops.BitXor, shape.Uint8, []float64{255}, []float64{170}, []float64{85}},
		{"BitNot", func(a, _ *graph.Node) *graph.Node { return ops.BitNot(a) }, shape.Uint8, []float64{85}, []float64{0}, []float64{170}},
		{"BitNot", func(a, _ *graph.Node) *graph.Node { return ops.BitNot(a) }, shape.Int32, []float64{low, 0}, []float64{0, 0}, []float64{math.MaxInt32, -1}},
	} {
		for _, opts := range [][]vm.Option{nil, {vm.Without("fold")}} {
			g := graph.New()
			operand := func(v []float64) *graph.Node {
				return g.Const(shape.Make(c.d, shape.Dim(len(v))), v)
			}
			y := ops.Cast(c.f(operand(c.a), operand(c.b)), shape.Float64)
			require.NoError(t, g.Err(), c.name)
			require.Equal(t, c.want, computedBy(t, opts, []*graph.Node{y})[0], "%s of %v", c.name, c.d)
		}
	}
}

func TestRoundingAndWhatIsNoNumber(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	x := vec(graph.New(), "x", -1.5, -.5, .5, 1.5, 2.5, inf, -inf, nan)
	for name, c := range map[string]struct {
		f    func(x *graph.Node) *graph.Node
		want []float64
	}{
		"Ceil":  {ops.Ceil, []float64{-1, negZero, 1, 2, 3, inf, -inf}},
		"Round": {ops.Round, []float64{-2, negZero, 0, 2, 2, inf, -inf}},
		"IsNaN": {func(x *graph.Node) *graph.Node { return ops.Cast(ops.IsNaN(x), shape.Float64) }, []float64{0, 0, 0, 0, 0, 0, 0, 1}},
		"IsInf": {func(x *graph.Node) *graph.Node { return ops.Cast(ops.IsInf(x), shape.Float64) }, []float64{0, 0, 0, 0, 0, 1, 1, 0}},
	} {
		got := computed(t, []*graph.Node{c.f(x.node)}, x)[0]
		require.Equal(t, c.want, got[:len(c.want)], name)
	}
}
