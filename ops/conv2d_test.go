package ops_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// built applies f to Inputs of the given types.
func built(f func(x ...*graph.Node) *graph.Node, types ...shape.Type) (*graph.Node, error) {
	g := graph.New()
	var in []*graph.Node
	for i, t := range types {
		in = append(in, g.Input(fmt.Sprint("x", i), t))
	}
	return f(in...), g.Err()
}

func conv(op ops.Conv2DOp) func(x ...*graph.Node) *graph.Node {
	return func(x ...*graph.Node) *graph.Node { return ops.Conv2D(x[0], x[1], op) }
}

func TestConv2DShapes(t *testing.T) {
	for _, c := range []struct {
		x, w shape.Type
		op   ops.Conv2DOp
		want shape.Type
	}{
		{shape.F32(shape.N, 1, 28, 28), shape.F32(6, 1, 5, 5), ops.Conv2DOp{Pad: ops.SamePad(5)}, shape.F32(shape.N, 6, 28, 28)},
		{shape.F64(shape.N, 3, 8, 8), shape.F64(6, 3, 2, 2), ops.Conv2DOp{Pad: ops.SamePad(2)}, shape.F64(shape.N, 6, 8, 8)},
		{shape.F32(shape.Batch(2), 3, 224, 224), shape.F32(64, 3, 11, 11), ops.Conv2DOp{Stride: [2]int{4, 4}, Pad: ops.PadHW(2, 2)}, shape.F32(shape.Batch(2), 64, 55, 55)},
		{shape.F32(5, 4, 9, 7), shape.F32(8, 2, 3, 2), ops.Conv2DOp{Groups: 2, Dilation: [2]int{2, 3}, Pad: [2][2]int{{1, 0}, {0, 2}}}, shape.F32(5, 8, 6, 6)},
		{shape.F32(0, 1, 3, 3), shape.F32(1, 1, 3, 3), ops.Conv2DOp{}, shape.F32(0, 1, 1, 1)},
	} {
		y, err := built(conv(c.op), c.x, c.w)
		require.NoError(t, err)
		require.Equal(t, c.want, y.Type())
	}
}

func TestConv2DRefusals(t *testing.T) {
	x, w := shape.F32(shape.N, 4, 8, 8), shape.F32(6, 4, 3, 3)
	for _, c := range []struct {
		x, w shape.Type
		op   ops.Conv2DOp
		want string
	}{
		{shape.F32(4, 8, 8), w, ops.Conv2DOp{}, "want an input (N,C,H,W) and a filter (O,C/groups,KH,KW), have (4,8,8) and (6,4,3,3)"},
		{x, shape.F32(6, 4, 3), ops.Conv2DOp{}, "have (N,4,8,8) and (6,4,3)"},
		{x, shape.F64(6, 4, 3, 3), ops.Conv2DOp{}, "float32 and float64"},
		{shape.I32(1, 4, 8, 8), shape.I32(6, 4, 3, 3), ops.Conv2DOp{}, "float32 or float64"},
		{shape.F32(shape.N, 3, 8, 8), w, ops.Conv2DOp{}, "input has 3 channels, the filter (6,4,3,3) with 1 group wants 4"},
		{x, w, ops.Conv2DOp{Groups: 2}, "input has 4 channels, the filter (6,4,3,3) with 2 groups wants 8"},
		{x, shape.F32(7, 2, 3, 3), ops.Conv2DOp{Groups: 2}, "7 outputs, which cannot be split evenly into 2 groups"},
		{x, w, ops.Conv2DOp{Groups: -1}, "groups is -1"},
		{x, w, ops.Conv2DOp{Stride: [2]int{1, -2}}, "width: stride is -2, want 1"},
		{x, w, ops.Conv2DOp{Dilation: [2]int{-1, 1}}, "height: dilation is -1"},
		{x, w, ops.Conv2DOp{Pad: [2][2]int{{0, -1}, {}}}, "height: padding after is -1, want 0"},
		{x, w, ops.Conv2DOp{Pad: [2][2]int{{}, {1 << 40, 0}}}, "width: padding before is 1099511627776"},
		{x, w, ops.Conv2DOp{Dilation: [2]int{1, 4}}, "width: a window of extent 9 does not fit in 8 padded by 0 and 0"},
		{x, shape.F32(6, 4, 0, 3), ops.Conv2DOp{}, "the filter (6,4,0,3) has no elements"},
		{shape.F32(1, 4, shape.N, 8), w, ops.Conv2DOp{}, "height: the image has extent N: only the batch axis may depend on N"},
		{shape.F32(1, shape.N, 8, 8), w, ops.Conv2DOp{}, "only the batch axis may depend on N"},
		{x, shape.F32(shape.N, 4, 3, 3), ops.Conv2DOp{}, "only the batch axis may depend on N"},
	} {
		y, err := built(conv(c.op), c.x, c.w)
		require.ErrorContains(t, err, c.want)
		require.False(t, y.Valid())
	}
}

func TestConvTransposeRefusals(t *testing.T) {
	x, w := shape.F32(shape.N, 4, 5, 5), shape.F32(4, 2, 3, 3)
	for _, c := range []struct {
		x, w  shape.Type
		op    ops.Conv2DOp
		extra [2]int
		want  string
	}{
		{shape.F32(4, 5, 5), w, ops.Conv2DOp{}, [2]int{}, "ConvTranspose2D: want an input (N,C,H,W) and a filter (C,O/groups,KH,KW), have (4,5,5)"},
		{shape.F32(shape.N, 3, 5, 5), w, ops.Conv2DOp{}, [2]int{}, "input has 3 channels, the filter (4,2,3,3) wants 4"},
		{x, w, ops.Conv2DOp{}, [2]int{0, 1}, "width: extra is 1, want 0 to below the stride 1"},
		{x, w, ops.Conv2DOp{Stride: [2]int{-1, 1}}, [2]int{}, "height: stride is -1, want 1"},
		{x, w, ops.Conv2DOp{Groups: 3}, [2]int{}, "input has 4 channels, which cannot be split evenly into 3 groups"},
		{x, w, ops.Conv2DOp{Groups: -1}, [2]int{}, "groups is -1"},
		{x, shape.F32(4, 0, 3, 3), ops.Conv2DOp{}, [2]int{}, "filter (4,0,3,3); want at least one element"},
		{x, w, ops.Conv2DOp{Pad: ops.PadHW(0, 4)}, [2]int{}, "width: the result would have an extent of -1, for an input of 5; pad by less"},
		{shape.F32(1, 4, shape.N, 5), w, ops.Conv2DOp{}, [2]int{}, "only the batch axis"},
		{shape.I32(1, 4, 5, 5), shape.I32(4, 2, 3, 3), ops.Conv2DOp{}, [2]int{}, "float32 or float64"},
	} {
		y, err := built(func(x ...*graph.Node) *graph.Node { return ops.ConvTranspose2D(x[0], x[1], c.op, c.extra) }, c.x, c.w)
		require.ErrorContains(t, err, c.want)
		require.False(t, y.Valid())
	}
}

func TestConv1DRefusals(t *testing.T) {
	build := func(x ...*graph.Node) *graph.Node { return ops.Conv1D(x[0], x[1], ops.Conv1DOptions{}) }
	_, err := built(build, shape.F32(shape.N, 4, 8, 8), shape.F32(2, 4, 3))
	require.ErrorContains(t, err, "Conv1D: want an input (N,C,L) and a filter (O,C/groups,K), have (N,4,8,8) and (2,4,3)")
	_, err = built(build, shape.F32(shape.N, 4, 2), shape.F32(2, 4, 3))
	require.ErrorContains(t, err, "Conv1D: as images of one row: filter (2,4,1,3) over input (N,4,1,2): width: a window of extent 3 does not fit in 2")
}

// TestBindNeedsTheCapability: an engine that cannot convolve is told of by name.
func TestBindNeedsTheCapability(t *testing.T) {
	for _, op := range ops.All {
		b, ok := op.(interface {
			Bind(engine.Engine, []engine.Operand, engine.Operand) (engine.Bound, error)
		})
		if !ok {
			continue
		}
		_, err := b.Bind(memoryEngine{}, engine.InRows(shape.F32(1, 1, 1, 1), shape.F32(1, 1, 1, 1), shape.F32(1)), engine.InRow(shape.F32(1, 1, 1, 1)))
		require.ErrorContains(t, err, "engine memory cannot do", op.Name())
	}
}

// memoryEngine has no kernel.
type memoryEngine struct{ engine.Engine }

func (memoryEngine) Name() string { return "memory" }

func TestSamePadsKeepTheExtent(t *testing.T) {
	for kernel := 1; kernel <= 7; kernel++ {
		for dilation := range 4 {
			pad := ops.SamePads(kernel, dilation)
			require.LessOrEqual(t, pad[1]-pad[0], 1)
			require.GreaterOrEqual(t, pad[1], pad[0], "the odd one is after")
			g := graph.New()
			x, w := g.Input("x", shape.F32(2, 3, 30)), g.Input("w", shape.F32(4, 3, shape.Dim(kernel)))
			y := ops.Conv1D(x, w, ops.Conv1DOptions{Pad: pad, Dilation: dilation})
			require.Equal(t, shape.F32(2, 4, 30), y.Type(), "%d, %d", kernel, dilation)
		}
	}
}
