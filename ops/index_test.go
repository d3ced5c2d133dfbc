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

func TestAnIDOutOfRangeIsAnErrorOfTheRun(t *testing.T) {
	for name, f := range map[string]func(x, ids *graph.Node) *graph.Node{
		"Gather":      func(x, ids *graph.Node) *graph.Node { return ops.Gather(x, 1, ids) },
		"GatherAlong": func(x, ids *graph.Node) *graph.Node { return ops.GatherAlong(x, 1, ops.Unsqueeze(ids, 1)) },
		"Embedding":   func(x, ids *graph.Node) *graph.Node { return ops.Embedding(ops.Transpose(x), ids) },
		"its adjoint": func(x, ids *graph.Node) *graph.Node {
			return autodiff.VJP(ops.Gather(x, 1, ids), ops.OnesLike(ops.Gather(x, 1, ids)), x)[0]
		},
	} {
		g := graph.New()
		x, ids := g.Input("x", shape.F32(2, 3)), g.Input("ids", shape.I32(2))
		p, err := vm.Compile(ref.Engine{}, []*graph.Node{f(x, ids)})
		require.NoError(t, err, name)
		m, err := p.NewMachine(vm.NewStore(1))
		require.NoError(t, err)
		for _, id := range []int32{-1, 3} {
			in := map[string]*tensor.Dense{
				"x": tensor.New(tensor.WithShape(2, 3), tensor.Of(tensor.Float32)), "ids": tensor.New(tensor.WithBacking([]int32{0, id})),
			}
			var feeds []*tensor.Dense
			for _, x := range p.Inputs() {
				feeds = append(feeds, in[x.Name()])
			}
			_, err = m.Run(t.Context(), feeds...)
			require.ErrorContains(t, err, "is not one of the axis, 0..2", name)
			require.ErrorContains(t, err, "index_test.go", name)
		}
	}
}

func TestTopKComesInOrderAndEqualsAsTheyStand(t *testing.T) {
	g := graph.New()
	x := newFeed(g, "x", shape.Of(2, 4), []float64{1, 3, 3, 2, nan, 0, inf, 0})
	values, places := ops.TopK(x.node, 3, -1)
	first := ops.ArgMax(x.node, 1)
	require.Equal(t, shape.I64(2), first.Type())
	require.Equal(t, shape.I64(2, 3), places.Type())
	got := computed(t, []*graph.Node{values, ops.Cast(places, shape.Float64), ops.Cast(first, shape.Float64)}, x)
	closeTo(t, []float64{3, 3, 2, nan, inf, 0}, got[0])
	require.Equal(t, []float64{1, 2, 3, 0, 2, 1}, got[1])
	require.Equal(t, []float64{1, 0}, got[2])
}
