package ops_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

func TestTypesOfReductions(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 3, 4, 5))
	for _, c := range []struct {
		y    *graph.Node
		want shape.Type
	}{
		{ops.Sum(x), shape.F32()},
		{ops.Sum(x, 0), shape.F32(3, 4, 5)},
		{ops.Sum(x, -1, 1), shape.F32(shape.N, 4)},
		{ops.SumKeep(x, 2, 3), shape.F32(shape.N, 3, 1, 1)},
		{ops.MeanKeep(x), shape.F32(1, 1, 1, 1)},
		{ops.Mean(x, 0, 1), shape.F32(4, 5)},
		{ops.MaxKeep(x, 0), shape.F32(1, 3, 4, 5)},
		{ops.Min(x, -2), shape.F32(shape.N, 3, 5)},
		{ops.MinKeep(x, -2), shape.F32(shape.N, 3, 1, 5)},
		{ops.Prod(x, 3), shape.F32(shape.N, 3, 4)},
		{ops.Variance(x, 0, 2, 3), shape.F32(3)},
		{ops.Count(x, 0), shape.F32()},
		{ops.BroadcastTo(ops.Sum(x, 0), shape.Of(shape.N, 3, 4, 5)), shape.F32(shape.N, 3, 4, 5)},
		{ops.SumTo(x, shape.Of(3, 1, 1)), shape.F32(3, 1, 1)},
		{ops.Sum(g.Input("i", shape.I64(2, 3)), 0), shape.I64(3)},
	} {
		require.NoError(t, g.Err())
		require.Equal(t, c.want, c.y.Type())
	}
}

func TestMistakesOfReductionsSayWhatIsWanted(t *testing.T) {
	g := graph.New()
	x, mask := g.Input("x", shape.F32(shape.N, 3)), g.Input("mask", shape.Mask(3))
	ids, empty := g.Input("ids", shape.I32(3)), g.Input("empty", shape.F32(2, 0))
	for _, c := range []struct {
		build func() *graph.Node
		want  string
	}{
		{func() *graph.Node { return ops.Sum(x, 2) }, "Sum: no axis 2 among 2 axes"},
		{func() *graph.Node { return ops.Max(x, -3) }, "Max: no axis -3 among 2 axes"},
		{func() *graph.Node { return ops.Sum(x, 1, -1) }, "Sum: axis 1 is given twice"},
		{func() *graph.Node { return ops.Sum(mask) }, "Sum: input 0 is bool(3); want a number"},
		{func() *graph.Node { return ops.Max(empty, 1) }, "Max: axis 1 of float32(2,0) has no elements to choose from"},
		{func() *graph.Node { return ops.Count(ids) }, "Count: input 0 is int32(3); want float32 or float64"},
		{func() *graph.Node { return ops.BroadcastTo(x, shape.Of(3)) }, "BroadcastTo: float32(N,3) does not broadcast to (3)"},
		{func() *graph.Node { return ops.BroadcastTo(x, shape.Of(-1)) }, "BroadcastTo: axis 0: extent invalid(-1)"},
		{func() *graph.Node { return ops.SumTo(x, shape.Of(4)) }, "SumTo: (4) does not broadcast to float32(N,3)"},
		{func() *graph.Node { return autodiff.Grad(ops.Sum(ops.Prod(x, 0)), x)[0] }, "Prod: the gradient of a product over the batch axis 0 of float32(N,3)"},
	} {
		before := errorCount(g)
		require.False(t, c.build().Valid(), c.want)
		require.ErrorContains(t, g.Err(), c.want)
		require.Equal(t, before+1, errorCount(g), c.want)
	}
}

func TestReductionsCompute(t *testing.T) {
	g := graph.New()
	x := newFeed(g, "x", shape.Of(2, 3), []float64{1, 5, 3, -2, 0, 4})
	for _, c := range []struct {
		name string
		y    *graph.Node
		want []float64
	}{
		{"Sum", ops.Sum(x.node, 1), []float64{9, 2}},
		{"Mean", ops.Mean(x.node, 0), []float64{-.5, 2.5, 3.5}},
		{"Max", ops.Max(x.node), []float64{5}},
		{"Min", ops.MinKeep(x.node, 1), []float64{1, -2}},
		{"Prod", ops.Prod(x.node, -1), []float64{15, 0}},
		{"Variance", ops.Variance(x.node, 1), []float64{8. / 3, 56. / 9}},
		{"Count", ops.Count(x.node, 1), []float64{3}},
		{"BroadcastTo", ops.BroadcastTo(ops.Max(x.node, 1), shape.Of(2, 2)), []float64{5, 4, 5, 4}},
		{"SumTo", ops.SumTo(x.node, shape.Of(2, 1)), []float64{9, 2}},
	} {
		closeTo(t, c.want, computed(t, []*graph.Node{c.y}, x)[0], c.name)
	}
}

// torch.amax and torch.amin.
func TestTiedMaximaShareTheGradient(t *testing.T) {
	x := vec(graph.New(), "x", 1, 2, 2)
	require.Equal(t, []float64{0, .5, .5}, grads(t, ops.Max(x.node), x)[0])
	require.Equal(t, []float64{1, 0, 0}, grads(t, ops.Min(x.node), x)[0])
	m := newFeed(graph.New(), "m", shape.Of(2, 2), []float64{4, 4, 1, 3})
	require.Equal(t, []float64{.5, .5, 0, 1}, grads(t, ops.MaxKeep(m.node, 1), m)[0])
}

func TestProductsWithZerosHaveGradientsOfBothOrders(t *testing.T) {
	x := vec(graph.New(), "x", 0, 2, 5, 3)
	require.Equal(t, []float64{30, 0, 0, 0}, grads(t, ops.Prod(x.node), x)[0])
	z := vec(graph.New(), "z", 0, 2, 0, 3)
	d := autodiff.Grad(ops.Prod(z.node), z.node)[0]
	require.Equal(t, []float64{0, 0, 0, 0}, computed(t, []*graph.Node{d}, z)[0])
	// of z0*z1*z2*z3 by z0, then by each: only z1*z3 with z2 is left
	first := ops.Sum(ops.Slice(d, ops.Range{Stop: 1}))
	require.Equal(t, []float64{0, 0, 6, 0}, grads(t, first, z)[0])
}

// batches runs y, of an input of float64(N,...), at several batch sizes of one program.
func batches(t *testing.T, outs []*graph.Node, sizes []int, value func(i int) float64) (results [][][]float64) {
	t.Helper()
	p, err := vm.Compile(ref.Engine{}, outs, vm.Checked)
	require.NoError(t, err)
	m, err := p.NewMachine(vm.NewStore(1))
	require.NoError(t, err)
	for _, n := range sizes {
		var in []*tensor.Dense
		for _, x := range p.Inputs() {
			v := make([]float64, x.Type().At(n).Len())
			for i := range v {
				v[i] = value(i)
			}
			in = append(in, tensor.New(tensor.WithShape(x.Type().At(n).Ints()...), tensor.WithBacking(v)))
		}
		got, err := m.Run(t.Context(), in...)
		require.NoError(t, err)
		var values [][]float64
		for _, d := range got {
			values = append(values, append([]float64(nil), d.Float64s()...))
		}
		results = append(results, values)
	}
	return results
}

func TestMeansFollowTheSizeOfTheBatch(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F64(shape.N, 2))
	mean := ops.Mean(ops.Square(x))
	for i, r := range batches(t, []*graph.Node{mean, autodiff.Grad(mean, x)[0], ops.Count(x, 0)}, []int{4, 1, 4}, func(i int) float64 { return float64(i + 1) }) {
		n := []int{4, 1, 4}[i]
		sum := 0.
		for k := 1; k <= 2*n; k++ {
			sum += float64(k * k)
		}
		require.InDelta(t, sum/float64(2*n), r[0][0], 1e-12)
		for k, d := range r[1] {
			require.InDelta(t, 2*float64(k+1)/float64(2*n), d, 1e-12)
		}
		require.Equal(t, []float64{float64(n)}, r[2])
	}
}

func TestEmptyTensorsReduce(t *testing.T) {
	x := newFeed(graph.New(), "x", shape.Of(2, 0), nil)
	require.Equal(t, []float64{0, 0}, computed(t, []*graph.Node{ops.Sum(ops.Exp(x.node), 1)}, x)[0])
	require.Equal(t, []float64{1}, computed(t, []*graph.Node{ops.Prod(x.node)}, x)[0])
	require.Empty(t, grads(t, ops.Square(x.node), x)[0])
}
