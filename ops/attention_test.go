package ops_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
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

// composed is attention by products, a softmax and selections. allowed may be nil.
func composed(q, k, v, allowed *graph.Node, scale float64) *graph.Node {
	products := ops.MatMul(ops.MulScalar(q, scale), k, ops.MatMulOp{TransB: true})
	if allowed == nil {
		return ops.MatMul(ops.Softmax(products, -1), v)
	}
	some := ops.Greater(ops.MaxKeep(ops.Cast(allowed, shape.Float64), -1), ops.Scalar(products, 0))
	logits := ops.Where(ops.Or(allowed, ops.Not(some)), products, ops.Scalar(products, math.Inf(-1)))
	return ops.MatMul(ops.Where(allowed, ops.Softmax(logits, -1), ops.Scalar(products, 0)), v)
}

// Results and gradients are those of the composition, whatever restricts the keys, on both engines.
func TestAttentionIsItsComposition(t *testing.T) {
	r := rand.New(rand.NewPCG(52, 4))
	values := func(n int) []float64 {
		v := make([]float64, n)
		for i := range v {
			v[i] = r.NormFloat64()
		}
		return v
	}
	for trial := range 60 {
		l, s, e, w := 1+r.IntN(20), 1+r.IntN(20), 1+r.IntN(9), 1+r.IntN(9)
		keys := r.IntN(s + 1)
		g := graph.New()
		q, k := newFeed(g, "q", shape.OfInts(2, l, e), values(2*l*e)), newFeed(g, "k", shape.OfInts(2, s, e), values(2*s*e))
		v, dy := newFeed(g, "v", shape.OfInts(2, s, w), values(2*s*w)), newFeed(g, "dy", shape.OfInts(2, l, w), values(2*l*w))
		opts := ops.AttentionOptions{Scale: .7, Causal: r.IntN(2) == 0}
		mask := make([]float64, l*s)
		for i := range mask {
			mask[i] = float64(r.IntN(2))
		}
		masked, counted := r.IntN(2) == 0, r.IntN(2) == 0
		if masked {
			opts.Mask = g.Const(shape.Mask(shape.Dim(l), shape.Dim(s)), slices.Clone(mask))
		}
		shift := 0
		if counted {
			opts.Keys = g.Const(shape.I64(), []float64{float64(keys)})
			shift = keys - l
		}
		for i := range mask {
			query, key := i/s, i%s
			if !masked {
				mask[i] = 1
			}
			if opts.Causal && key > query+shift || counted && key >= keys {
				mask[i] = 0
			}
		}
		var outs []*graph.Node
		for _, y := range []*graph.Node{
			ops.Attention(q.node, k.node, v.node, opts),
			composed(q.node, k.node, v.node, g.Const(shape.Mask(shape.Dim(l), shape.Dim(s)), mask), .7),
		} {
			outs = append(append(outs, y), autodiff.Grad(ops.Sum(ops.Mul(y, dy.node)), q.node, k.node, v.node)...)
		}
		for _, eng := range []engine.Engine{ref.Engine{}, cpu.New()} {
			got := computedOn(t, eng, nil, outs, q, k, v, dy)
			for i := range 4 {
				require.InDeltaSlice(t, got[4+i], got[i], 1e-12, "trial %d, output %d: %d queries, %d keys, %+v", trial, i, l, s, opts)
			}
		}
	}
}

// Each head has its own mask, also where a number is not finite, of which only some heads read.
func TestHeadsHaveMasksOfTheirOwn(t *testing.T) {
	g := graph.New()
	q := newFeed(g, "q", shape.Of(2, 1, 1), []float64{1, 1})
	k, v := newFeed(g, "k", shape.Of(2, 2, 1), []float64{0, 0, 0, 0}), newFeed(g, "v", shape.Of(2, 2, 1), []float64{math.Inf(1), 5, 7, math.NaN()})
	y := ops.Attention(q.node, k.node, v.node, ops.AttentionOptions{Mask: g.Const(shape.Mask(2, 1, 2), []float64{0, 1, 1, 0})})
	for _, eng := range []engine.Engine{ref.Engine{}, cpu.New()} {
		got := computedOn(t, eng, nil, append(autodiff.Grad(ops.Sum(y), v.node, q.node), y), q, k, v)
		require.Equal(t, [][]float64{{0, 1, 1, 0}, {0, 0}, {5, 7}}, got)
	}
}

// A part that would end outside, and a number of keys that there are not, are errors of the run, at
// either end; the last that fits is none.
func TestPlacesOutsideAreErrorsOfTheRun(t *testing.T) {
	for _, eng := range []engine.Engine{ref.Engine{}, cpu.New()} {
		g := graph.New()
		at := g.Input("at", shape.I64())
		x := g.Const(shape.F64(5, 2), make([]float64, 10))
		rows := g.Const(shape.F64(2, 2), []float64{1, 2, 3, 4})
		for name, c := range map[string]struct {
			y        *graph.Node
			from, to int64
		}{
			"UpdateSlice": {ops.UpdateSlice(x, rows, 0, at), 0, 3},
			"Keys":        {ops.Attention(rows, x, x, ops.AttentionOptions{Keys: at}), 0, 5},
		} {
			p, err := vm.Compile(eng, []*graph.Node{c.y}, vm.Checked)
			require.NoError(t, err)
			m, err := p.NewMachine(vm.NewStore(1))
			require.NoError(t, err)
			for place := c.from - 2; place <= c.to+2; place++ {
				_, err := m.Run(t.Context(), tensor.New(tensor.FromScalar(place)))
				if c.from <= place && place <= c.to {
					require.NoError(t, err, "%s at %d", name, place)
				} else {
					require.ErrorContains(t, err, fmt.Sprintf("id %d", place), "%s", name)
				}
			}
		}
	}
}

func TestUpdateSliceWritesAPart(t *testing.T) {
	g := graph.New()
	x, part := newFeed(g, "x", shape.Of(2, 4), []float64{1, 2, 3, 4, 5, 6, 7, 8}), newFeed(g, "part", shape.Of(2, 2), []float64{10, 20, 30, 40})
	y := ops.UpdateSlice(x.node, part.node, -1, g.Const(shape.I32(), []float64{1}))
	weights := g.Const(shape.F64(2, 4), []float64{1, 2, 3, 4, 5, 6, 7, 8})
	for _, eng := range []engine.Engine{ref.Engine{}, cpu.New()} {
		got := computedOn(t, eng, nil, append(autodiff.Grad(ops.Sum(ops.Mul(y, weights)), x.node, part.node), y, x.node), x, part)
		require.Equal(t, [][]float64{{1, 0, 0, 4, 5, 0, 0, 8}, {2, 3, 6, 7}, {1, 10, 20, 4, 5, 30, 40, 8}, {1, 2, 3, 4, 5, 6, 7, 8}}, got)
	}
}

func ExampleUpdateSlice() {
	g := graph.New()
	keys := g.State("keys", shape.F32(1, 8, 1024, 64), nil)
	key, position := g.Input("key", shape.F32(1, 8, 1, 64)), g.Input("position", shape.I32())
	g.Update(keys, ops.UpdateSlice(keys, key, 2, position)) // a step writes a position
	fmt.Println(g.Updates()[0].Value.Type())
	// Output: float32(1,8,1024,64)
}

// What a query may not attend to does not matter to it, whatever it is: to no result, and to no
// gradient.
func TestWhatMayNotBeAttendedToDoesNotMatter(t *testing.T) {
	g := graph.New()
	nan := math.NaN()
	q := newFeed(g, "q", shape.Of(3, 1), []float64{1, 2, 3})
	k, v := newFeed(g, "k", shape.Of(3, 1), []float64{1, 2, nan}), newFeed(g, "v", shape.Of(3, 1), []float64{1, 10, math.Inf(1)})
	two := ops.AttentionOptions{Mask: g.Const(shape.Mask(3), []float64{1, 1, 0})}
	masked := ops.Attention(q.node, k.node, v.node, two)
	causal := ops.Attention(q.node, k.node, v.node, ops.AttentionOptions{Causal: true})
	outs := append(autodiff.Grad(ops.Sum(masked), q.node, k.node, v.node), masked, causal)
	for _, eng := range []engine.Engine{ref.Engine{}, cpu.New()} {
		got := computedOn(t, eng, nil, outs, q, k, v)
		for i := range 3 {
			want := 10 - 9/(1+math.Exp(q.v[i]))
			require.InDelta(t, want, got[3][i], 1e-12)
			require.False(t, math.IsNaN(got[0][i]+got[1][i]+got[2][i]), "%v", got)
			if i == 1 {
				require.InDelta(t, want, got[4][i], 1e-12)
			}
		}
		require.Zero(t, got[1][2])
		require.Zero(t, got[2][2])
		require.Equal(t, 1., got[4][0])
		require.True(t, math.IsNaN(got[4][2]), "this query has them")
	}
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
