package ops

import "github.com/plexaura/plexaura/graph"

// MaxPool1DOptions are the attributes of [MaxPool1D].
type MaxPool1DOptions struct {
	Kernel   int
	Stride   int    // 0 means Kernel
	Dilation int    // 0 means 1
	Pad      [2]int // padding before and after
	Ceil     bool   // as in MaxPool2DOp
}

// MaxPool1D returns the maximum of each window of x (N,C,L), Float32 or Float64: y (N,C,OL). It is
// a [MaxPool2D] of images with one row.
func MaxPool1D(x *graph.Node, op MaxPool1DOptions) *graph.Node {
	return onLines("MaxPool1D", lines, op.image().withDefaults(), x)
}

const lines = "an input (N,C,L)"

func (op MaxPool1DOptions) image() MaxPool2DOp {
	return MaxPool2DOp{
		Kernel:   [2]int{1, op.Kernel},
		Stride:   [2]int{1, op.Stride},
		Dilation: [2]int{1, op.Dilation},
		Pad:      [2][2]int{1: op.Pad},
		Ceil:     op.Ceil,
	}
}

// AvgPool1DOptions are the attributes of [AvgPool1D].
type AvgPool1DOptions struct {
	Kernel   int
	Stride   int    // 0 means Kernel
	Dilation int    // 0 means 1
	Pad      [2]int // padding before and after
	Ceil     bool   // as in AvgPool2DOp
	CountPad bool   // as in AvgPool2DOp
}

// AvgPool1D returns the mean of each window of x (N,C,L), Float32 or Float64: y (N,C,OL). It is an
// [AvgPool2D] of images with one row.
func AvgPool1D(x *graph.Node, op AvgPool1DOptions) *graph.Node {
	images := MaxPool1DOptions{op.Kernel, op.Stride, op.Dilation, op.Pad, op.Ceil}.image().averaging(op.CountPad)
	return onLines("AvgPool1D", lines, images.withDefaults(), x)
}
