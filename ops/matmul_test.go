package ops_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

func matMul(op ...ops.MatMulOp) func(x ...*graph.Node) *graph.Node {
	return func(x ...*graph.Node) *graph.Node { return ops.MatMul(x[0], x[1], op...) }
}

func TestMatMulShapes(t *testing.T) {
	n := shape.N
	for _, c := range []struct {
		a, b, want shape.Type
		op         ops.MatMulOp
	}{
		{shape.F32(n, 400), shape.F32(400, 120), shape.F32(n, 120), ops.MatMulOp{}},
		{shape.F32(n, 400), shape.F32(120, 400), shape.F32(n, 120), ops.MatMulOp{TransB: true}},
		{shape.F32(n, 400), shape.F32(n, 120), shape.F32(400, 120), ops.MatMulOp{TransA: true}},
		{shape.F32(n, 4), shape.F32(n, 4), shape.F32(n, n), ops.MatMulOp{TransB: true}},
		{shape.F64(n, 3, 4, 5), shape.F64(n, 3, 5, 6), shape.F64(n, 3, 4, 6), ops.MatMulOp{}},
		{shape.F64(n, 4, 5), shape.F64(5, 6), shape.F64(n, 4, 6), ops.MatMulOp{}},
		{shape.F64(4, 5), shape.F64(n, 5, 6), shape.F64(n, 4, 6), ops.MatMulOp{}},
	} {
		y, err := built(matMul(c.op), c.a, c.b)
		require.NoError(t, err)
		require.Equal(t, c.want, y.Type())
	}
}

func TestMatMulRefusals(t *testing.T) {
	n := shape.N
	for _, c := range []struct {
		a, b shape.Type
		op   ops.MatMulOp
		want string
	}{
		{shape.F32(4), shape.F32(4, 5), ops.MatMulOp{}, "want 2 axes or more, have (4) and (4,5)"},
		{shape.F32(n, 4), shape.F32(5, 6), ops.MatMulOp{}, "inner extents differ: (N,4) has 4, (5,6) has 5"},
		{shape.F32(n, 4), shape.F32(4, 6), ops.MatMulOp{TransA: true}, "inner extents differ: (N,4) transposed has N, (4,6) has 4"},
		{shape.F32(2, 4, 5), shape.F32(3, 5, 6), ops.MatMulOp{}, "batches differ: (2,4,5) and (3,5,6)"},
		{shape.F32(3, 2, 4, 5), shape.F32(2, 5, 6), ops.MatMulOp{}, "batches differ"},
		{shape.I64(3, 4), shape.I64(4, 5), ops.MatMulOp{}, "float32 or float64"},
		{shape.F32(3, 4), shape.F64(4, 5), ops.MatMulOp{}, "float32 and float64"},
	} {
		y, err := built(matMul(c.op), c.a, c.b)
		require.ErrorContains(t, err, c.want)
		require.False(t, y.Valid())
	}
	_, err := built(matMul(ops.MatMulOp{}, ops.MatMulOp{}), shape.F32(1, 1), shape.F32(1, 1))
	require.ErrorContains(t, err, "more than one MatMulOp")
}

// TestMatMulGradOfASharedMatrixIsOneProduct: no product for each batch that is then summed.
func TestMatMulGradOfASharedMatrixIsOneProduct(t *testing.T) {
	g := graph.New()
	a, b := g.Input("a", shape.F32(shape.N, 4, 5)), g.Input("b", shape.F32(5, 6))
	dy := g.Input("dy", shape.F32(shape.N, 4, 6))
	db := autodiff.VJP(ops.MatMul(a, b), dy, b)[0]
	require.NoError(t, g.Err())
	require.Equal(t, ops.MatMulOp{TransA: true}, db.Op())
	require.Equal(t, shape.F32(shape.Batch(4), 5), db.In(0).Type())
}

func TestAddBiasAlongAxis1(t *testing.T) {
	for _, s := range []shape.Shape{shape.Of(2, 3), shape.Of(2, 3, 2), shape.Of(2, 3, 1, 2)} {
		g := graph.New()
		x := newFeed(g, "x", s, make([]float64, s.Len()))
		b := newFeed(g, "b", shape.Of(3), []float64{1, 2, 3})
		y := ops.AddBias(x.node, b.node)
		require.NoError(t, g.Err())
		dy := newFeed(g, "dy", s, counter(0, s.Len()))
		got := computed(t, append(autodiff.VJP(y, dy.node, x.node, b.node), y), x, b, dy)
		sums := make([]float64, 3)
		for i, v := range got[2] {
			channel := i / (s.Len() / 6) % 3
			require.Equal(t, float64(1+channel), v)
			sums[channel] += dy.v[i]
		}
		require.Equal(t, dy.v, got[0])
		require.InDeltaSlice(t, sums, got[1], 1e-12)
	}
	for _, types := range [][]shape.Type{
		{shape.F32(shape.N, 3), shape.F32(4)}, {shape.F32(3), shape.F32(3)}, {shape.F32(shape.N, 3), shape.F32(3, 1)},
	} {
		_, err := built(func(x ...*graph.Node) *graph.Node { return ops.AddBias(x[0], x[1]) }, types...)
		require.ErrorContains(t, err, "AddBias: want x (N,C,...) and a bias (C)")
	}
}
