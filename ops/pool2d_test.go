package ops_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

func maxPool(op ops.MaxPool2DOp) func(x ...*graph.Node) *graph.Node {
	return func(x ...*graph.Node) *graph.Node { return ops.MaxPool2D(x[0], op) }
}

func avgPool(op ops.AvgPool2DOp) func(x ...*graph.Node) *graph.Node {
	return func(x ...*graph.Node) *graph.Node { return ops.AvgPool2D(x[0], op) }
}

func TestPool2DShapes(t *testing.T) {
	for _, c := range []struct {
		x    shape.Type
		op   ops.MaxPool2DOp
		want shape.Type
	}{
		{shape.F32(shape.N, 6, 28, 28), ops.MaxPool2DOp{Kernel: [2]int{2, 2}}, shape.F32(shape.N, 6, 14, 14)},
		{shape.F32(shape.N, 96, 55, 55), ops.MaxPool2DOp{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}}, shape.F32(shape.N, 96, 27, 27)},
		{shape.F64(2, 3, 6, 7), ops.MaxPool2DOp{Kernel: [2]int{3, 2}, Stride: [2]int{2, 3}, Ceil: true}, shape.F64(2, 3, 3, 3)},
		// A third window would start in the padding at the end: there is none, as in PyTorch.
		{shape.F32(1, 1, 3, 3), ops.MaxPool2DOp{Kernel: [2]int{2, 2}, Pad: ops.PadHW(1, 1), Ceil: true}, shape.F32(1, 1, 2, 2)},
	} {
		y, err := built(maxPool(c.op), c.x)
		require.NoError(t, err)
		require.Equal(t, c.want, y.Type())
		y, err = built(avgPool(ops.AvgPool2DOp{Kernel: c.op.Kernel, Stride: c.op.Stride, Pad: c.op.Pad, Ceil: c.op.Ceil}), c.x)
		require.NoError(t, err)
		require.Equal(t, c.want, y.Type())
	}
}

func TestPool2DRefusals(t *testing.T) {
	x, two := shape.F32(shape.N, 4, 8, 8), [2]int{2, 2}
	for _, c := range []struct {
		x    shape.Type
		op   ops.MaxPool2DOp
		want string
	}{
		{shape.F32(4, 8, 8), ops.MaxPool2DOp{Kernel: two}, "want an input (N,C,H,W), have (4,8,8)"},
		{shape.U8(1, 4, 8, 8), ops.MaxPool2DOp{Kernel: two}, "float32 or float64"},
		{x, ops.MaxPool2DOp{}, "height: kernel is 0, want 1"},
		{x, ops.MaxPool2DOp{Kernel: two, Stride: [2]int{-1, 1}}, "height: stride is -1"},
		{x, ops.MaxPool2DOp{Kernel: two, Pad: [2][2]int{{}, {0, -3}}}, "width: padding after is -3"},
		{x, ops.MaxPool2DOp{Kernel: [2]int{2, 9}}, "kernel [2 9] over input (N,4,8,8): width: a window of extent 9 does not fit in 8"},
		{shape.F32(1, 4, 8, shape.N), ops.MaxPool2DOp{Kernel: two}, "width: the image has extent N"},
	} {
		y, err := built(maxPool(c.op), c.x)
		require.ErrorContains(t, err, c.want)
		require.False(t, y.Valid())
		_, err = built(avgPool(ops.AvgPool2DOp{Kernel: c.op.Kernel, Stride: c.op.Stride, Pad: c.op.Pad}), c.x)
		require.ErrorContains(t, err, c.want)
	}
}

// TestMaxOfPaddingAloneIsRefused: and exactly that, checked against a search for an empty
// window; the mean of padding alone is 0.
func TestMaxOfPaddingAloneIsRefused(t *testing.T) {
	refused := 0
	for in := 1; in <= 4; in++ {
		for kernel := 1; kernel <= 3; kernel++ {
			for stride := 1; stride <= 3; stride++ {
				for dilation := 1; dilation <= 3; dilation++ {
					for before := range 5 {
						for after := range 5 {
							op := ops.MaxPool2DOp{Kernel: [2]int{1, kernel}, Stride: [2]int{1, stride}, Dilation: [2]int{1, dilation}, Pad: [2][2]int{1: {before, after}}}
							y, err := built(avgPool(ops.AvgPool2DOp{Kernel: op.Kernel, Stride: op.Stride, Dilation: op.Dilation, Pad: op.Pad}), shape.F32(1, 1, 1, shape.Dim(in)))
							if err != nil {
								require.ErrorContains(t, err, "does not fit")
								continue
							}
							empty := hasEmptyWindow(op, in, y.Type().Int(3))
							_, err = built(maxPool(op), shape.F32(1, 1, 1, shape.Dim(in)))
							require.Equal(t, empty, err != nil, "%+v over %d: %v", op, in, err)
							if empty {
								refused++
								require.ErrorContains(t, err, "width: a window of extent")
								require.ErrorContains(t, err, "lies entirely in the padding and has no maximum")
							}
						}
					}
				}
			}
		}
	}
	require.Positive(t, refused)
}

func hasEmptyWindow(op ops.MaxPool2DOp, in, n int) bool {
	for o := range n {
		inside := 0
		for k := range op.Kernel[1] {
			if at := o*op.Stride[1] + k*op.Dilation[1] - op.Pad[1][0]; at >= 0 && at < in {
				inside++
			}
		}
		if inside == 0 {
			return true
		}
	}
	return false
}

func TestGlobalPoolsRefuseWhatIsNoImage(t *testing.T) {
	for _, f := range []func(*graph.Node) *graph.Node{ops.GlobalAvgPool2D, ops.GlobalMaxPool2D} {
		build := func(x ...*graph.Node) *graph.Node { return f(x[0]) }
		y, err := built(build, shape.F32(shape.N, 5, 7, 3))
		require.NoError(t, err)
		require.Equal(t, shape.F32(shape.N, 5, 1, 1), y.Type())
		_, err = built(build, shape.F32(shape.N, 5, 7))
		require.ErrorContains(t, err, "want an input (N,C,H,W), have (N,5,7)")
		_, err = built(build, shape.F32(1, 5, shape.N, 3))
		require.ErrorContains(t, err, "want an input (N,C,H,W) in which only the batch axis depends on N, have (1,5,N,3)")
		_, err = built(build, shape.F32(1, 5, 0, 3))
		require.ErrorContains(t, err, "have (1,5,0,3)")
	}
}
