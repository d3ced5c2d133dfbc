package vm_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// siamese is two batches through one batch normalisation, of one channel, and what two owners
// train: a both of them, b the second.
func siamese() (g *graph.Graph, a, b *graph.Node) {
	g = graph.New()
	c := shape.F64(1)
	w, bias := g.Param("weight", c, graph.Fill(1)), g.Param("bias", c, nil)
	mean, variance := g.State("mean", c, graph.Fill(10)), g.State("variance", c, graph.Fill(1))
	norm := func(name string) *graph.Node {
		return ops.BatchNorm(g.Input(name, shape.F64(shape.N, 1)), w, bias, mean, variance, ops.BatchNormOptions{})
	}
	x, y := norm("x"), norm("y")
	a, b = ops.Mean(ops.Mul(x, y)), ops.Mean(ops.Square(y))
	g.Owned(graph.Owner{Name: "both", Shares: true}, func() { g.Update(w, ops.MulScalar(w, 1)) })
	g.Owned(graph.Owner{Name: "second", Shares: true}, func() { g.Update(bias, ops.MulScalar(bias, 1)) })
	return g, a, b
}

var (
	first3  = []float64{1, 2, 6}  // mean 3, unbiased variance 7
	second3 = []float64{4, 8, 12} // mean 8, unbiased variance 16
)

func column(v []float64) *tensor.Dense {
	return tensor.New(tensor.WithShape(len(v), 1), tensor.WithBacking(append([]float64(nil), v...)))
}

func numbersOf(t *testing.T, s *vm.Store, name string) []float64 {
	t.Helper()
	v, err := s.Value(name)
	require.NoError(t, err)
	return v.Float64s()
}

// As torch.nn.BatchNorm1d does, applied to x and then to y: each use moves the running statistics
// by a tenth from where the one before it has left them.
func TestEachUseOfABatchNormUpdatesInTurn(t *testing.T) {
	for _, off := range [][]string{nil, {"cse", "simplify", "fold"}, {"fuse", "inplace", "schedule"}} {
		g, a, b := siamese()
		require.NoError(t, g.Err())
		p, err := vm.Compile(ref.Engine{}, []*graph.Node{a, b}, vm.TrainBy("both", "second"), vm.Checked, vm.Without(off...))
		require.NoError(t, err)
		s := vm.NewStore(1)
		m, err := p.NewMachine(s)
		require.NoError(t, err)
		mean, variance := 10., 1.
		for range 3 {
			_, err := m.Run(ctx, column(first3), column(second3))
			require.NoError(t, err)
			mean, variance = .9*(.9*mean+.1*3)+.1*8, .9*(.9*variance+.1*7)+.1*16
			require.InDeltaSlice(t, []float64{mean}, numbersOf(t, s, "mean"), 1e-12)
			require.InDeltaSlice(t, []float64{variance}, numbersOf(t, s, "variance"), 1e-12)
		}
	}
}

// A program of one loss makes the updates of the uses in it, and asks for their inputs only: the
// step of a generator does not see the real images.
func TestAProgramUpdatesByTheUsesItComputes(t *testing.T) {
	_, _, b := siamese()
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{b}, vm.TrainBy("second"), vm.Checked)
	require.NoError(t, err)
	require.Len(t, p.Inputs(), 1)
	s := vm.NewStore(1)
	m, err := p.NewMachine(s)
	require.NoError(t, err)
	_, err = m.Run(ctx, column(second3))
	require.NoError(t, err)
	require.InDeltaSlice(t, []float64{.9*10 + .1*8}, numbersOf(t, s, "mean"), 1e-12)
	require.InDeltaSlice(t, []float64{.9*1 + .1*16}, numbersOf(t, s, "variance"), 1e-12)
}

func TestManyUsesOfOneLeaf(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F64())
	leaf := g.State("s", shape.F64(), graph.Fill(1))
	for i := range 5 {
		g.Follow(leaf, x, func(old *graph.Node) *graph.Node { return ops.AddScalar(ops.MulScalar(old, 10), float64(i+2)) })
	}
	m, s := machine(t, []*graph.Node{ops.Add(x, leaf)}, vm.Train)
	out, err := m.Run(ctx, tensor.New(tensor.FromScalar(.5)))
	require.NoError(t, err)
	require.Equal(t, 1.5, out[0].ScalarValue(), "a reader sees the old value")
	require.Equal(t, []float64{123456}, numbersOf(t, s, "s"))

	g.Update(leaf, leaf)
	require.ErrorContains(t, g.Err(), "s has an update already")
	g = graph.New()
	leaf = g.State("s", shape.F64(), nil)
	g.Update(leaf, leaf)
	g.Follow(leaf, leaf, func(old *graph.Node) *graph.Node { return old })
	require.ErrorContains(t, g.Err(), "s has an update already")
	g = graph.New()
	g.Follow(leaf, nil, nil)
	require.ErrorContains(t, g.Err(), "leaf and use must be nodes of this graph")
}
