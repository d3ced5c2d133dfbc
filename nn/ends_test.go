package nn_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// Every layer of sequences pads one end as ops can.
func TestLayersOfSequencesPadOneEnd(t *testing.T) {
	pad := nn.BeforeAfter(2, 0)
	for _, tt := range []struct {
		layer nn.Layer
		op    func(x, w *graph.Node) *graph.Node
		w     shape.Shape
	}{
		{nn.Conv1D{Out: 2, Kernel: 3, Pad: pad, NoBias: true}, func(x, w *graph.Node) *graph.Node {
			return ops.Conv1D(x, w, ops.Conv1DOptions{Pad: [2]int{2, 0}})
		}, shape.OfInts(2, 4, 3)},
		{nn.ConvTranspose1D{Out: 2, Kernel: 3, Pad: pad, NoBias: true}, func(x, w *graph.Node) *graph.Node {
			return ops.ConvTranspose1D(x, w, ops.Conv1DOptions{Pad: [2]int{2, 0}}, 0)
		}, shape.OfInts(4, 2, 3)},
		{nn.MaxPool1D{Kernel: 5, Stride: 1, Pad: pad}, func(x, _ *graph.Node) *graph.Node {
			return ops.MaxPool1D(x, ops.MaxPool1DOptions{Kernel: 5, Stride: 1, Pad: [2]int{2, 0}})
		}, shape.OfInts(1)},
		{nn.AvgPool1D{Kernel: 5, Stride: 1, Pad: pad}, func(x, _ *graph.Node) *graph.Node {
			return ops.AvgPool1D(x, ops.AvgPool1DOptions{Kernel: 5, Stride: 1, Pad: [2]int{2, 0}})
		}, shape.OfInts(1)},
	} {
		g := graph.New()
		x := g.Input("x", shape.F64(shape.N, 4, 9))
		y := tt.layer.Apply(nn.Root(g), x)
		want := tt.op(x, g.Input("w", shape.F64().Of(tt.w)))
		require.NoError(t, g.Err(), "%T", tt.layer)
		require.Equal(t, want.Type(), y.Type(), "%T", tt.layer)
		require.Equal(t, want.In(0).Op(), y.In(0).Op(), "%T", tt.layer)
	}
}

func TestEndsRead(t *testing.T) {
	require.Equal(t, "2", nn.Ends(2).String())
	require.Equal(t, "2", nn.BeforeAfter(2, 2).String())
	require.Equal(t, "2,0", nn.BeforeAfter(2, 0).String())
	for _, bad := range []nn.Ends{-1, nn.BeforeAfter(-1, 0), nn.BeforeAfter(0, 1<<31)} {
		g := graph.New()
		nn.Conv1D{Out: 2, Kernel: 3, Pad: bad}.Apply(nn.Root(g), g.Input("x", shape.F64(shape.N, 4, 9)))
		require.ErrorContains(t, g.Err(), "Conv1D: ")
	}
}
