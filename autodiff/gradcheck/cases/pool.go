package cases

import (
	"github.com/plexaura/plexaura/autodiff/gradcheck"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

func pools() (rows []Case) {
	for _, p := range []struct {
		label string
		op    ops.MaxPool2DOp
		x     shape.Shape
	}{
		{"2x2", ops.MaxPool2DOp{Kernel: [2]int{2, 2}}, shape.Of(2, 2, 4, 4)},
		{"overlapping 3x3 stride 2", ops.MaxPool2DOp{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}}, shape.Of(1, 2, 5, 5)},
		{"2x3 stride 1x2", ops.MaxPool2DOp{Kernel: [2]int{2, 3}, Stride: [2]int{1, 2}}, shape.Of(1, 1, 3, 5)},
		{"a pad on each side", ops.MaxPool2DOp{Kernel: [2]int{3, 2}, Stride: [2]int{2, 1}, Pad: [2][2]int{{1, 0}, {0, 1}}}, shape.Of(1, 1, 4, 3)},
		{"dilation 1x2", ops.MaxPool2DOp{Kernel: [2]int{2, 2}, Stride: [2]int{1, 1}, Dilation: [2]int{1, 2}}, shape.Of(1, 1, 3, 4)},
		{"ceil", ops.MaxPool2DOp{Kernel: [2]int{2, 2}, Ceil: true}, shape.Of(1, 1, 3, 5)},
		{"stride beyond the kernel", ops.MaxPool2DOp{Kernel: [2]int{1, 2}, Stride: [2]int{2, 3}}, shape.Of(1, 1, 5, 6)},
		{"all differ, ceil", ops.MaxPool2DOp{Kernel: [2]int{3, 2}, Stride: [2]int{2, 3}, Dilation: [2]int{1, 2}, Pad: [2][2]int{{1, 0}, {0, 2}}, Ceil: true}, shape.Of(1, 2, 5, 6)},
		{"batch", ops.MaxPool2DOp{Kernel: [2]int{2, 2}}, shape.Of(n, 1, 2, 4)},
	} {
		rows = append(rows, Case{Op: "MaxPool2D", Label: p.label,
			F: of1(func(x *graph.Node) *graph.Node { return ops.MaxPool2D(x, p.op) }), In: args(gradcheck.Spread, p.x)})
		for _, count := range []bool{false, true} {
			avg := ops.AvgPool2DOp{Kernel: p.op.Kernel, Stride: p.op.Stride, Dilation: p.op.Dilation, Pad: p.op.Pad, Ceil: p.op.Ceil, CountPad: count}
			label := p.label
			if count {
				label += ", padding counts"
			}
			rows = append(rows, Case{Op: "AvgPool2D", Label: label,
				F: of1(func(x *graph.Node) *graph.Node { return ops.AvgPool2D(x, avg) }), In: normal(p.x)})
		}
	}
	return append(rows,
		Case{Op: "MaxPool2D", Label: "third order", Order: 3, F: of1(func(x *graph.Node) *graph.Node { // of MaxPool2DGather too
			return ops.MaxPool2D(x, ops.MaxPool2DOp{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}})
		}), In: args(gradcheck.Spread, shape.Of(1, 1, 5, 5))},
		Case{Op: "MaxPool1D", Label: "3 stride 2, pad 1+1", F: of1(func(x *graph.Node) *graph.Node {
			return ops.MaxPool1D(x, ops.MaxPool1DOptions{Kernel: 3, Stride: 2, Pad: [2]int{1, 1}})
		}), In: args(gradcheck.Spread, shape.Of(n, 2, 5))},
		Case{Op: "AvgPool1D", Label: "3 stride 2, pad 1+1", F: of1(func(x *graph.Node) *graph.Node {
			return ops.AvgPool1D(x, ops.AvgPool1DOptions{Kernel: 3, Stride: 2, Pad: [2]int{1, 1}})
		}), In: normal(shape.Of(n, 2, 5))},
		Case{Op: "GlobalMaxPool2D", F: of1(ops.GlobalMaxPool2D), In: args(gradcheck.Spread, shape.Of(n, 2, 3, 2))},
		Case{Op: "GlobalAvgPool2D", F: of1(ops.GlobalAvgPool2D), In: normal(shape.Of(n, 2, 3, 2))},
	)
}
