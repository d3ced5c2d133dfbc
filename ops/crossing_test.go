package ops_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// TestExamplesMeetEachOtherOnlyWhereAskedTo: a prediction (N,1) less a target (N) would be (N,N),
// whose mean is a loss that trains towards the mean of all targets.
func TestExamplesMeetEachOtherOnlyWhereAskedTo(t *testing.T) {
	column, row, flat := shape.F32(shape.N, 1), shape.F32(1, shape.N), shape.F32(shape.N)
	two := map[string]func(a, b *graph.Node) *graph.Node{
		"Add": ops.Add, "Sub": ops.Sub, "Mul": ops.Mul, "Div": ops.Div, "Pow": ops.Pow, "Maximum": ops.Maximum, "Minimum": ops.Minimum,
		"Equal": ops.Equal, "Less": ops.Less, "GreaterEqual": ops.GreaterEqual,
		"Where": func(a, b *graph.Node) *graph.Node { return ops.Where(ops.Less(a, a), a, b) },
	}
	for name, f := range two {
		for _, c := range [][2]shape.Type{{column, flat}, {flat, column}, {shape.F32(shape.N, 3, 1), flat}, {shape.F32(shape.N, 1, 4), shape.F32(shape.N, 4)}} {
			_, err := built(func(x ...*graph.Node) *graph.Node { return f(x[0], x[1]) }, c[0], c[1])
			require.ErrorContains(t, err, "every example with every other", "%s of %v", name, c)
			require.ErrorContains(t, err, "Reshape", name)
		}
		for _, c := range []struct {
			a, b shape.Type
			want shape.Shape
		}{
			{column, row, shape.Of(shape.N, shape.N)}, {column, column, column.Shape}, {flat, flat, flat.Shape},
			{shape.F32(shape.N, 1, 4), shape.F32(1, shape.N, 4), shape.Of(shape.N, shape.N, 4)},
			{flat, shape.F32(5, shape.N), shape.Of(5, shape.N)}, {flat, shape.F32(shape.N, shape.N), shape.Of(shape.N, shape.N)},
			{column, shape.F32(4), shape.Of(shape.N, 4)}, {shape.F32(64, 1), shape.F32(64), shape.Of(64, 64)},
		} {
			y, err := built(func(x ...*graph.Node) *graph.Node { return f(x[0], x[1]) }, c.a, c.b)
			require.NoError(t, err, name)
			require.Equal(t, c.want, y.Type().Shape, name)
		}
	}
	for _, loss := range []func(a, b *graph.Node) *graph.Node{ops.MSE, ops.BinaryCrossEntropy, ops.Hinge} {
		_, err := built(func(x ...*graph.Node) *graph.Node { return loss(x[0], x[1]) }, column, flat)
		require.ErrorContains(t, err, "want one type")
	}
}

// TestWhatIsNotSelectedHasNoGradient of its own: but 0 times an infinite derivative is NaN, unless
// the branch is given other numbers.
func TestWhatIsNotSelectedHasNoGradient(t *testing.T) {
	g := graph.New()
	x := newFeed(g, "x", shape.Of(3), []float64{0, 4, -1})
	zero, one := ops.Scalar(x.node, 0), ops.Scalar(x.node, 1)
	positive := ops.Greater(x.node, zero)
	branch := ops.Sqrt(x.node)
	naive := ops.Where(positive, branch, zero)
	guarded := ops.Where(positive, ops.Sqrt(ops.Where(positive, x.node, one)), zero)
	d := append(autodiff.Grad(ops.Sum(naive), x.node, branch), autodiff.Grad(ops.Sum(guarded), x.node)...)
	got := computed(t, append(d, naive, guarded), x)
	require.True(t, math.IsNaN(got[0][0]) && math.IsNaN(got[0][2]), "%v", got[0])
	require.Equal(t, .25, got[0][1])
	require.Equal(t, []float64{0, 1, 0}, got[1], "the adjoint of the branch")
	require.Equal(t, []float64{0, .25, 0}, got[2])
	require.Equal(t, []float64{0, 2, 0}, got[3])
	require.Equal(t, []float64{0, 2, 0}, got[4])
}
