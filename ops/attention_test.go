package ops_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// A query without a key gives zeros, and gradients of zero, where 0/0 would be NaN.
func TestAQueryWithoutAKeyGivesZeros(t *testing.T) {
	g := graph.New()
	q, k := newFeed(g, "q", shape.Of(2, 2), []float64{1, 2, 3, 4}), newFeed(g, "k", shape.Of(3, 2), []float64{1, 2, 3, 4, 5, 6})
	v := newFeed(g, "v", shape.Of(3, 1), []float64{1, 10, 100})
	mask := g.Const(shape.Mask(2, 3), []float64{0, 0, 0, 0, 1, 0})
	y := ops.Attention(q.node, k.node, v.node, ops.AttentionOptions{Mask: mask})
	got := computed(t, append(autodiff.Grad(ops.Sum(y), q.node, k.node, v.node), y), q, k, v)
	require.Equal(t, []float64{0, 10}, got[3])
	require.Equal(t, []float64{0, 0, 0, 0}, got[0])
	require.Equal(t, []float64{0, 1, 0}, got[2])
}

// Of products beyond what an exponential holds the greatest decides.
func TestLargeProductsOfAttentionDoNotOverflow(t *testing.T) {
	g := graph.New()
	q, k := newFeed(g, "q", shape.Of(1, 1), []float64{1e150}), newFeed(g, "k", shape.Of(2, 1), []float64{1e150, -1e150})
	v := newFeed(g, "v", shape.Of(2, 1), []float64{3, 5})
	y := ops.Attention(q.node, k.node, v.node, ops.AttentionOptions{Scale: 1})
	got := computed(t, append(autodiff.Grad(ops.Sum(y), v.node), y), q, k, v)
	require.Equal(t, []float64{3}, got[1])
	require.Equal(t, []float64{1, 0}, got[0])
	require.False(t, math.IsNaN(got[1][0]))
}

func ExampleAttention() {
	g := graph.New()
	heads := g.Input("heads", shape.F32(shape.N, 8, 16, 64)) // (N,heads,L,E)
	y := ops.Attention(heads, heads, heads, ops.AttentionOptions{Causal: true})
	fmt.Println(y.Type())
	// Output: float32(N,8,16,64)
}

func ExampleEinsum() {
	g := graph.New()
	x, w := g.Input("x", shape.F32(shape.N, 3, 4)), g.Input("w", shape.F32(5, 4))
	fmt.Println(ops.Einsum("nij,kj->nik", x, w).Type())
	fmt.Println(ops.Einsum("kj,nij", w, x).Type()) // indices that occur once, in order
	ops.Einsum("nij,jk", x, w)
	fmt.Println(g.Err().(graph.ErrorList)[0].Err)
	// Output:
	// float32(N,3,5)
	// float32(3,5,N)
	// extents of index 'j' differ: 4, and 5 in operand 1, float32(5,4)
}

// A step takes the states of the last; see nn.LSTM for a layer.
func ExampleLSTMCell() {
	g := graph.New()
	x, h, c := g.Input("x", shape.F32(shape.N, 3)), g.Input("h", shape.F32(shape.N, 8)), g.Input("c", shape.F32(shape.N, 8))
	r := ops.Recurrence{
		WeightIH: g.Param("weight_ih", shape.F32(32, 3), nil), WeightHH: g.Param("weight_hh", shape.F32(32, 8), nil),
		BiasIH: g.Param("bias_ih", shape.F32(32), nil), BiasHH: g.Param("bias_hh", shape.F32(32), nil),
	}
	h, c = ops.LSTMCell(x, h, c, r)
	fmt.Println(h.Type(), c.Type())
	// Output: float32(N,8) float32(N,8)
}
