package ops

import (
	"fmt"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// A volume is pooled plane by plane, and then along the depth: maxima of maxima, or means of means.
// Each mean is over the same number of elements, because the number of elements of a window in the
// volume is the product of those in each axis.

// MaxPool3DOptions are the attributes of [MaxPool3D]. In each array, index 0 is for the depth, 1
// for the height and 2 for the width.
type MaxPool3DOptions struct {
	Kernel   [3]int
	Stride   [3]int    // 0 means that of Kernel: adjacent windows
	Dilation [3]int    // 0 means 1
	Pad      [3][2]int // padding: {{front, back}, {top, bottom}, {left, right}}
	Ceil     bool      // as in MaxPool2DOp
}

// MaxPool3D returns the maximum of each window of volumes x (N,C,D,H,W), Float32 or Float64: y
// (N,C,OD,OH,OW), with extents as in [MaxPool2D]. Padding is never the maximum. Of equal maxima,
// the first in row-major order gets the whole gradient. NaN is greater than all numbers.
func MaxPool3D(x *graph.Node, op MaxPool3DOptions) *graph.Node {
	plane, depth := op.split()
	return poolVolumes("MaxPool3D", x, plane, depth)
}

// split returns op for the planes of a volume, and for its depth as pooling of images (D,H*W).
func (op MaxPool3DOptions) split() (plane, depth MaxPool2DOp) {
	plane = MaxPool2DOp{
		Kernel: [2]int(op.Kernel[1:]), Stride: [2]int(op.Stride[1:]), Dilation: [2]int(op.Dilation[1:]), Pad: [2][2]int(op.Pad[1:]), Ceil: op.Ceil,
	}
	depth = MaxPool2DOp{
		Kernel: [2]int{op.Kernel[0], 1}, Stride: [2]int{op.Stride[0], 1}, Dilation: [2]int{op.Dilation[0], 1}, Pad: [2][2]int{op.Pad[0]}, Ceil: op.Ceil,
	}
	return plane.withDefaults(), depth.withDefaults()
}

// AvgPool3DOptions are the attributes of [AvgPool3D]. In each array, index 0 is for the depth, 1
// for the height and 2 for the width.
type AvgPool3DOptions struct {
	Kernel   [3]int
	Stride   [3]int    // 0 means that of Kernel: adjacent windows
	Dilation [3]int    // 0 means 1
	Pad      [3][2]int // padding: {{front, back}, {top, bottom}, {left, right}}
	Ceil     bool      // as in AvgPool2DOp
	CountPad bool      // as in AvgPool2DOp
}

// AvgPool3D returns the mean of each window of volumes x (N,C,D,H,W), Float32 or Float64: y
// (N,C,OD,OH,OW), with extents as in [MaxPool2D]. The elements that count are those described at
// [AvgPool2D].
func AvgPool3D(x *graph.Node, op AvgPool3DOptions) *graph.Node {
	plane, depth := op.split()
	return poolVolumes("AvgPool3D", x, plane, depth)
}

func (op AvgPool3DOptions) split() (plane, depth AvgPool2DOp) {
	p, d := MaxPool3DOptions{op.Kernel, op.Stride, op.Dilation, op.Pad, op.Ceil}.split()
	return p.averaging(op.CountPad), d.averaging(op.CountPad)
}

// averaging returns average pooling with the same windows.
func (op MaxPool2DOp) averaging(countPad bool) AvgPool2DOp {
	return AvgPool2DOp{op.Kernel, op.Stride, op.Dilation, op.Pad, op.Ceil, countPad, op.Size}
}

// poolVolumes pools x (N,C,D,H,W) by plane and then by depth.
func poolVolumes(name string, x *graph.Node, plane, depth graph.Op) *graph.Node {
	var planes, columns shape.Type // (N,C*D,H,W) and (N,C,D,OH*OW)
	var y shape.Type
	bad := refused(name, func() error {
		t := x.Type()
		if t.Rank() != 5 || !shape.Of(t.Dims()[1:]...).Concrete() {
			return fmt.Errorf("want an input (N,C,D,H,W) in which only the batch axis depends on N, have %v", t)
		}
		planes = t.Of(shape.Of(t.Dim(0), shape.Dim(t.Int(1)*t.Int(2)), t.Dim(3), t.Dim(4)))
		p, err := plane.Infer([]shape.Type{planes})
		if err != nil {
			return fmt.Errorf("of the planes: %w", err)
		}
		columns = t.Of(shape.Of(t.Dim(0), t.Dim(1), t.Dim(2), shape.Dim(p.Int(2)*p.Int(3))))
		c, err := depth.Infer([]shape.Type{columns})
		if err != nil {
			return fmt.Errorf("of the depth, as the height of images: %w", err)
		}
		y = t.Of(shape.Of(t.Dim(0), t.Dim(1), c.Dim(2), p.Dim(2), p.Dim(3)))
		return nil
	}, x)
	if bad != nil {
		return bad
	}
	maxima := graph.Apply(plane, Reshape(x, planes.Dims()...))
	return Reshape(graph.Apply(depth, Reshape(maxima, columns.Dims()...)), y.Dims()...)
}

// GlobalMaxPool1D returns the maximum of each line of x (N,C,L), Float32 or Float64: y (N,C,1).
func GlobalMaxPool1D(x *graph.Node) *graph.Node {
	return global("GlobalMaxPool1D", x, 3, func(k []int) *graph.Node { return MaxPool1D(x, MaxPool1DOptions{Kernel: k[0]}) })
}

// GlobalAvgPool1D returns the mean of each line of x (N,C,L), Float32 or Float64: y (N,C,1).
func GlobalAvgPool1D(x *graph.Node) *graph.Node {
	return global("GlobalAvgPool1D", x, 3, func(k []int) *graph.Node { return AvgPool1D(x, AvgPool1DOptions{Kernel: k[0]}) })
}

// GlobalMaxPool3D returns the maximum of each channel of x (N,C,D,H,W), Float32 or Float64: y
// (N,C,1,1,1).
func GlobalMaxPool3D(x *graph.Node) *graph.Node {
	return global("GlobalMaxPool3D", x, 5, func(k []int) *graph.Node { return MaxPool3D(x, MaxPool3DOptions{Kernel: [3]int(k)}) })
}

// GlobalAvgPool3D returns the mean of each channel of x (N,C,D,H,W), Float32 or Float64: y
// (N,C,1,1,1).
func GlobalAvgPool3D(x *graph.Node) *graph.Node {
	return global("GlobalAvgPool3D", x, 5, func(k []int) *graph.Node { return AvgPool3D(x, AvgPool3DOptions{Kernel: [3]int(k)}) })
}
