package cases

import (
	"fmt"

	"github.com/plexaura/plexaura/autodiff/gradcheck"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

func volumes() (rows []Case) {
	for _, c := range []struct {
		label string
		op    ops.Conv3DOptions
		x, w  shape.Shape
	}{
		{"batch", ops.Conv3DOptions{}, shape.Of(n, 2, 3, 2, 3), shape.Of(2, 2, 2, 2, 2)},
		{"stride, dilation, pads, groups", ops.Conv3DOptions{Stride: [3]int{2, 1, 2}, Dilation: [3]int{2, 1, 1}, Pad: [3][2]int{{1, 0}, {0, 1}, {1, 1}}, Groups: 2},
			shape.Of(1, 4, 4, 2, 3), shape.Of(2, 2, 2, 2, 2)},
		{"depthwise, stride, dilation, pads", ops.Conv3DOptions{Stride: [3]int{2, 1, 2}, Dilation: [3]int{2, 1, 1}, Pad: [3][2]int{{1, 0}, {0, 1}, {1, 1}}, Groups: 2},
			shape.Of(n, 2, 4, 2, 3), shape.Of(2, 1, 2, 2, 2)},
	} {
		rows = append(rows, Case{Op: "Conv3D", Label: c.label,
			F: of2(func(x, w *graph.Node) *graph.Node { return ops.Conv3D(x, w, c.op) }), In: normal(c.x, c.w)})
	}
	for _, c := range []struct {
		label string
		op    ops.Conv3DOptions
		extra [3]int
		x, w  shape.Shape
	}{
		{"batch", ops.Conv3DOptions{}, [3]int{}, shape.Of(n, 1, 2, 2, 2), shape.Of(1, 2, 2, 1, 2)},
		{"stride, dilation, pads, groups, extra", ops.Conv3DOptions{Stride: [3]int{2, 1, 2}, Dilation: [3]int{2, 1, 1}, Pad: [3][2]int{{1, 0}, {0, 0}, {1, 1}}, Groups: 2}, [3]int{1, 0, 1},
			shape.Of(1, 2, 2, 2, 2), shape.Of(2, 1, 2, 2, 2)},
		{"side by side, pads, groups, extra", ops.Conv3DOptions{Stride: [3]int{2, 2, 1}, Pad: [3][2]int{{1, 0}, {0, 1}, {0, 0}}, Groups: 2}, [3]int{1, 1, 0},
			shape.Of(n, 2, 2, 2, 2), shape.Of(2, 1, 2, 2, 1)},
	} {
		rows = append(rows, Case{Op: "ConvTranspose3D", Label: c.label,
			F: of2(func(x, w *graph.Node) *graph.Node { return ops.ConvTranspose3D(x, w, c.op, c.extra) }), In: normal(c.x, c.w)})
	}
	rows = append(rows,
		Case{Op: "ConvTranspose1D", Label: "batch", F: of2(func(x, w *graph.Node) *graph.Node { return ops.ConvTranspose1D(x, w, ops.Conv1DOptions{}, 0) }),
			In: normal(shape.Of(n, 2, 3), shape.Of(2, 1, 2))},
		Case{Op: "ConvTranspose1D", Label: "stride 2, dilation 2, pad 1+0, groups 2, extra", F: of2(func(x, w *graph.Node) *graph.Node {
			return ops.ConvTranspose1D(x, w, ops.Conv1DOptions{Stride: 2, Dilation: 2, Pad: [2]int{1, 0}, Groups: 2}, 1)
		}), In: normal(shape.Of(1, 2, 3), shape.Of(2, 2, 2))},
	)
	op := ops.MaxPool3DOptions{Kernel: [3]int{2, 2, 3}, Stride: [3]int{1, 2, 2}, Pad: [3][2]int{{1, 0}, {0, 1}, {1, 1}}, Ceil: true}
	rows = append(rows, Case{Op: "MaxPool3D", Label: "batch", F: of1(func(x *graph.Node) *graph.Node { return ops.MaxPool3D(x, op) }),
		In: args(gradcheck.Spread, shape.Of(n, 1, 2, 3, 4))})
	for _, count := range []bool{false, true} {
		avg := ops.AvgPool3DOptions{Kernel: op.Kernel, Stride: op.Stride, Pad: op.Pad, Ceil: true, CountPad: count}
		rows = append(rows, Case{Op: "AvgPool3D", Label: fmt.Sprintf("padding counts %v", count),
			F: of1(func(x *graph.Node) *graph.Node { return ops.AvgPool3D(x, avg) }), In: normal(shape.Of(n, 1, 2, 3, 4))})
	}
	return rows
}

func otherPools() (rows []Case) {
	for _, p := range []struct {
		op     string
		f      func(x *graph.Node) *graph.Node
		values gradcheck.Values
		x      shape.Shape
	}{
		{"GlobalMaxPool1D", ops.GlobalMaxPool1D, gradcheck.Spread, shape.Of(n, 2, 4)},
		{"GlobalAvgPool1D", ops.GlobalAvgPool1D, nil, shape.Of(n, 2, 4)},
		{"GlobalMaxPool3D", ops.GlobalMaxPool3D, gradcheck.Spread, shape.Of(n, 2, 2, 2, 3)},
		{"GlobalAvgPool3D", ops.GlobalAvgPool3D, nil, shape.Of(n, 2, 2, 2, 3)},
		{"AdaptiveMaxPool1D", func(x *graph.Node) *graph.Node { return ops.AdaptiveMaxPool1D(x, 3) }, gradcheck.Spread, shape.Of(n, 2, 5)},
		{"AdaptiveAvgPool1D", func(x *graph.Node) *graph.Node { return ops.AdaptiveAvgPool1D(x, 3) }, nil, shape.Of(n, 2, 5)},
		{"AdaptiveMaxPool2D", func(x *graph.Node) *graph.Node { return ops.AdaptiveMaxPool2D(x, [2]int{2, 3}) }, gradcheck.Spread, shape.Of(n, 1, 4, 5)},
		{"AdaptiveAvgPool2D", func(x *graph.Node) *graph.Node { return ops.AdaptiveAvgPool2D(x, [2]int{2, 3}) }, nil, shape.Of(n, 1, 4, 5)},
		{"AdaptiveMaxPool3D", func(x *graph.Node) *graph.Node { return ops.AdaptiveMaxPool3D(x, [3]int{2, 1, 2}) }, gradcheck.Spread, shape.Of(n, 1, 3, 2, 3)},
		{"AdaptiveAvgPool3D", func(x *graph.Node) *graph.Node { return ops.AdaptiveAvgPool3D(x, [3]int{2, 1, 2}) }, nil, shape.Of(n, 1, 3, 2, 3)},
		{"LpPool3D", func(x *graph.Node) *graph.Node {
			return ops.LpPool3D(x, 2, ops.MaxPool3DOptions{Kernel: [3]int{2, 1, 2}, Pad: [3][2]int{{1, 0}}, Ceil: true})
		}, gradcheck.NonZero, shape.Of(n, 1, 2, 2, 3)},
		{"LpPool1D", func(x *graph.Node) *graph.Node {
			return ops.LpPool1D(x, 2.5, ops.MaxPool1DOptions{Kernel: 2, Dilation: 2, Stride: 1})
		}, gradcheck.NonZero, shape.Of(n, 1, 5)},
	} {
		rows = append(rows, Case{Op: p.op, F: of1(p.f), In: args(p.values, p.x)})
	}
	for _, p := range []float64{1, 2, 3} {
		rows = append(rows, Case{Op: "LpPool2D", Label: fmt.Sprintf("p %v, ceil", p), F: of1(func(x *graph.Node) *graph.Node {
			return ops.LpPool2D(x, p, ops.MaxPool2DOp{Kernel: [2]int{2, 2}, Ceil: true})
		}), In: args(gradcheck.NonZero, shape.Of(n, 1, 3, 3))})
	}
	return append(rows, Case{Op: "LpPool1D", Label: "a window of zeros", Order: 1, F: of1(func(x *graph.Node) *graph.Node {
		return ops.LpPool1D(ops.Concat(2, ops.ZerosLike(x), x), 2, ops.MaxPool1DOptions{Kernel: 3})
	}), In: args(gradcheck.NonZero, shape.Of(1, 1, 3))})
}

func resizes() (rows []Case) {
	for _, size := range [][2]int{{2, 5}, {5, 2}, {3, 6}} {
		rows = append(rows,
			Case{Op: "ResizeNearest", Label: fmt.Sprint(size), F: of1(func(x *graph.Node) *graph.Node { return ops.ResizeNearest(x, size) }), In: normal(shape.Of(n, 1, 3, 3))},
			Case{Op: "ResizeBilinear", Label: fmt.Sprint(size), F: of1(func(x *graph.Node) *graph.Node { return ops.ResizeBilinear(x, size) }), In: normal(shape.Of(n, 1, 3, 3))},
		)
	}
	for _, o := range []ops.RoIAlignOptions{{Samples: 2}, {Samples: 1, HalfPixel: true, Scale: .5}, {Samples: 2, Max: true}} {
		o.Size = [2]int{2, 3}
		boxes := []float64{.3, .2, 3.1, 2.4, -1.3, .4, 2.2, 5.7, 1.1, 1.2, 1.4, 1.3}
		rows = append(rows, Case{Op: "RoIAlign", Label: fmt.Sprintf("%+v", o), F: of2(func(x, images *graph.Node) *graph.Node {
			return ops.RoIAlign(x, x.Graph().Const(x.Type().Of(shape.Of(3, 4)), boxes), images, o)
		}), In: []gradcheck.Input{input(nil, n, 2, 4, 5), {Type: shape.I32(3), Values: gradcheck.Fixed(1, 0, 1)}}})
	}
	for s := ops.SampleLinear; s <= ops.SampleCubic; s++ {
		for b := ops.BorderZeros; b <= ops.BorderReflect; b++ {
			o := ops.GridSampleOptions{Sampling: s, Border: b, AlignCorners: b == ops.BorderEdge}
			sample := of2(func(x, grid *graph.Node) *graph.Node { return ops.GridSample(x, grid, o) })
			places := gradcheck.Fixed(-.63, .21, .47, -.31, 1.37, -.13, .87, -1.41, .07, .59, -.17, .73)
			rows = append(rows, Case{Op: "GridSample", Label: fmt.Sprintf("%+v", o), F: sample, In: []gradcheck.Input{input(nil, n, 2, 3, 4), input(places, n, 1, 3, 2)}})
			if s != ops.SampleCubic {
				rows = append(rows, Case{Op: "GridSample", Label: fmt.Sprintf("volume %+v", o), F: sample,
					In: []gradcheck.Input{input(nil, 1, 1, 2, 3, 2), input(places, 1, 2, 1, 2, 3)}})
			}
		}
	}
	for mode := ops.ResizeNearestMode; mode <= ops.ResizeCubic; mode++ {
		for _, o := range []ops.ResizeOptions{
			{}, {Antialias: true}, {ExcludeOutside: true, Coordinates: ops.AlignCorners},
			{Coordinates: ops.CropAndResize, Crop: [][2]float64{{.1, .8}, {-.2, 1.1}}, Extrapolation: 2},
		} {
			o.Mode = mode
			rows = append(rows, Case{Op: "Resize", Label: fmt.Sprintf("%+v", o),
				F: of1(func(x *graph.Node) *graph.Node { return ops.Resize(x, []int{2, 1}, []int{2, 5}, o) }), In: normal(shape.Of(n, 3, 4))})
		}
	}
	return rows
}
