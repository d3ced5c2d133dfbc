package cases

import (
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

func convolutions() (rows []Case) {
	for _, c := range []struct {
		label string
		op    ops.Conv2DOp
		x, w  shape.Shape
	}{
		{"plain", ops.Conv2DOp{}, shape.Of(2, 2, 3, 4), shape.Of(2, 2, 2, 2)},
		{"1x1", ops.Conv2DOp{}, shape.Of(2, 3, 2, 2), shape.Of(2, 3, 1, 1)},
		{"stride 2x1, kernel 2x3", ops.Conv2DOp{Stride: [2]int{2, 1}}, shape.Of(1, 2, 5, 4), shape.Of(2, 2, 2, 3)},
		{"rest beyond the last window", ops.Conv2DOp{Stride: [2]int{2, 3}}, shape.Of(1, 1, 6, 6), shape.Of(1, 1, 3, 2)},
		{"a pad on each side", ops.Conv2DOp{Pad: [2][2]int{{1, 0}, {2, 1}}}, shape.Of(1, 1, 3, 2), shape.Of(2, 1, 2, 3)},
		{"dilation 1x2", ops.Conv2DOp{Dilation: [2]int{1, 2}}, shape.Of(1, 2, 3, 5), shape.Of(1, 2, 2, 2)},
		{"stride, dilation, pad", ops.Conv2DOp{Stride: [2]int{2, 3}, Dilation: [2]int{2, 1}, Pad: ops.PadHW(2, 1)}, shape.Of(1, 1, 5, 6), shape.Of(1, 1, 2, 3)},
		{"stride beyond the kernel, pads too", ops.Conv2DOp{Stride: [2]int{3, 2}, Pad: [2][2]int{{3, 0}, {0, 2}}}, shape.Of(1, 1, 4, 3), shape.Of(2, 1, 2, 1)},
		{"groups 2", ops.Conv2DOp{Groups: 2, Pad: ops.PadHW(1, 0)}, shape.Of(1, 4, 2, 2), shape.Of(2, 2, 2, 2)},
		{"depthwise", ops.Conv2DOp{Groups: 3}, shape.Of(1, 3, 3, 2), shape.Of(6, 1, 2, 1)},
		{"batch", ops.Conv2DOp{Pad: ops.SamePad(3)}, shape.Of(n, 1, 3, 3), shape.Of(2, 1, 3, 3)},
	} {
		rows = append(rows, Case{Op: "Conv2D", Label: c.label,
			F: of2(func(x, w *graph.Node) *graph.Node { return ops.Conv2D(x, w, c.op) }), In: normal(c.x, c.w)})
	}
	for _, c := range []struct {
		label string
		op    ops.Conv1DOptions
		x, w  shape.Shape
	}{
		{"plain", ops.Conv1DOptions{}, shape.Of(n, 2, 5), shape.Of(2, 2, 3)},
		{"stride 2, dilation 2, pad 1+0, groups 2", ops.Conv1DOptions{Stride: 2, Dilation: 2, Pad: [2]int{1, 0}, Groups: 2}, shape.Of(2, 2, 6), shape.Of(2, 1, 2)},
	} {
		rows = append(rows, Case{Op: "Conv1D", Label: c.label,
			F: of2(func(x, w *graph.Node) *graph.Node { return ops.Conv1D(x, w, c.op) }), In: normal(c.x, c.w)})
	}
	for _, c := range []struct {
		label string
		op    ops.Conv2DOp
		extra [2]int
		x, w  shape.Shape
	}{
		{"plain", ops.Conv2DOp{}, [2]int{}, shape.Of(n, 2, 2, 3), shape.Of(2, 1, 2, 2)},
		{"stride 2x3, dilation 1x2, pad, extra", ops.Conv2DOp{Stride: [2]int{2, 3}, Dilation: [2]int{1, 2}, Pad: ops.PadHW(1, 0)}, [2]int{1, 2}, shape.Of(1, 2, 2, 2), shape.Of(2, 1, 3, 2)},
	} {
		rows = append(rows, Case{Op: "ConvTranspose2D", Label: c.label,
			F: of2(func(x, w *graph.Node) *graph.Node { return ops.ConvTranspose2D(x, w, c.op, c.extra) }), In: normal(c.x, c.w)})
	}
	return rows
}
