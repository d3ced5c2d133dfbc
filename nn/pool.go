package nn

import (
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
)

// MaxPool2D takes the maximum of each window of an image (N,C,H,W). Padding is never the maximum.
type MaxPool2D struct {
	Kernel   HW
	Stride   HW // default: Kernel
	Pad      HW
	Dilation HW   // default 1
	Ceil     bool // the last window may extend beyond the padded image
}

// Apply returns a node (N,C,OH,OW).
func (l MaxPool2D) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within("", x, func(s Scope) *graph.Node {
		w, err := newWindow(l.Kernel, l.Stride, l.Dilation, l.Pad)
		if err != nil {
			return s.g.Reject("MaxPool2D", err, x)
		}
		return ops.MaxPool2D(x, ops.MaxPool2DOp{Kernel: w.kernel, Stride: w.stride, Dilation: w.dilation, Pad: w.pad, Ceil: l.Ceil})
	})
}

// AvgPool2D takes the mean of each window of an image (N,C,H,W). Unlike PyTorch's, it does
// not count padding unless CountPad is set.
type AvgPool2D struct {
	Kernel   HW
	Stride   HW // default: Kernel
	Pad      HW
	Ceil     bool // the last window may extend beyond the padded image
	CountPad bool // means include the zeros of the padding
}

// Apply returns a node (N,C,OH,OW).
func (l AvgPool2D) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within("", x, func(s Scope) *graph.Node {
		w, err := newWindow(l.Kernel, l.Stride, 0, l.Pad)
		if err != nil {
			return s.g.Reject("AvgPool2D", err, x)
		}
		return ops.AvgPool2D(x, ops.AvgPool2DOp{Kernel: w.kernel, Stride: w.stride, Pad: w.pad, Ceil: l.Ceil, CountPad: l.CountPad})
	})
}

// GlobalAvgPool2D takes the mean of each channel of an image (N,C,H,W).
type GlobalAvgPool2D struct{}

// Apply returns a node (N,C,1,1).
func (GlobalAvgPool2D) Apply(s Scope, x *graph.Node) *graph.Node {
	return Func(ops.GlobalAvgPool2D).Apply(s, x)
}

// GlobalMaxPool2D takes the maximum of each channel of an image (N,C,H,W).
type GlobalMaxPool2D struct{}

// Apply returns a node (N,C,1,1).
func (GlobalMaxPool2D) Apply(s Scope, x *graph.Node) *graph.Node {
	return Func(ops.GlobalMaxPool2D).Apply(s, x)
}

// LpPool2D takes the P-norm of each window of an image (N,C,H,W); see [ops.LpPool2D].
type LpPool2D struct {
	P        float64 // at least 1
	Kernel   HW
	Stride   HW // default: Kernel
	Pad      HW
	Dilation HW   // default 1
	Ceil     bool // the last window may extend beyond the padded image
}

// Apply returns a node (N,C,OH,OW).
func (l LpPool2D) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within("", x, func(s Scope) *graph.Node {
		w, err := newWindow(l.Kernel, l.Stride, l.Dilation, l.Pad)
		if err != nil {
			return s.g.Reject("LpPool2D", err, x)
		}
		return ops.LpPool2D(x, l.P, ops.MaxPool2DOp{Kernel: w.kernel, Stride: w.stride, Dilation: w.dilation, Pad: w.pad, Ceil: l.Ceil})
	})
}

// AdaptiveAvgPool2D averages an image (N,C,H,W) down to the given Size; see
// [ops.AdaptiveAvgPool2D].
type AdaptiveAvgPool2D struct{ Size HW }

// Apply returns a node (N,C,h,w) of the given Size.
func (l AdaptiveAvgPool2D) Apply(s Scope, x *graph.Node) *graph.Node {
	return adaptive("AdaptiveAvgPool2D", l.Size, s, x, ops.AdaptiveAvgPool2D)
}

// AdaptiveMaxPool2D takes maxima of an image (N,C,H,W) so that the result has the given Size.
type AdaptiveMaxPool2D struct{ Size HW }

// Apply returns a node (N,C,h,w) of the given Size.
func (l AdaptiveMaxPool2D) Apply(s Scope, x *graph.Node) *graph.Node {
	return adaptive("AdaptiveMaxPool2D", l.Size, s, x, ops.AdaptiveMaxPool2D)
}

func adaptive(op string, size HW, s Scope, x *graph.Node, pool func(x *graph.Node, size [2]int) *graph.Node) *graph.Node {
	return s.Within("", x, func(s Scope) *graph.Node {
		hw, err := size.pair("Size")
		if err != nil {
			return s.g.Reject(op, err, x)
		}
		return pool(x, hw)
	})
}

// MaxPool1D takes the maximum of each window of a sequence (N,C,L). Padding is never the maximum.
type MaxPool1D struct {
	Kernel   int
	Stride   int // default: Kernel
	Pad      Ends
	Dilation int  // default 1
	Ceil     bool // the last window may extend beyond the padded sequence
}

// Apply returns a node (N,C,OL).
func (l MaxPool1D) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within("", x, func(Scope) *graph.Node {
		return ops.MaxPool1D(x, ops.MaxPool1DOptions{Kernel: l.Kernel, Stride: l.Stride, Dilation: l.Dilation, Pad: l.Pad.pads(), Ceil: l.Ceil})
	})
}

// AvgPool1D takes the mean of each window of a sequence (N,C,L). Unlike PyTorch's, it does not
// count padding unless CountPad is set.
type AvgPool1D struct {
	Kernel   int
	Stride   int // default: Kernel
	Pad      Ends
	Ceil     bool // the last window may extend beyond the padded sequence
	CountPad bool // means include the zeros of the padding
}

// Apply returns a node (N,C,OL).
func (l AvgPool1D) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within("", x, func(Scope) *graph.Node {
		return ops.AvgPool1D(x, ops.AvgPool1DOptions{Kernel: l.Kernel, Stride: l.Stride, Pad: l.Pad.pads(), Ceil: l.Ceil, CountPad: l.CountPad})
	})
}

// MaxPool3D takes the maximum of each window of a volume (N,C,D,H,W). Padding is never the maximum.
// In each array, index 0 is for the depth, 1 for the height and 2 for the width.
type MaxPool3D struct {
	Kernel   [3]int
	Stride   [3]int // default: Kernel
	Pad      [3][2]int
	Dilation [3]int // default 1
	Ceil     bool   // the last window may extend beyond the padded volume
}

// Apply returns a node (N,C,OD,OH,OW).
func (l MaxPool3D) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within("", x, func(Scope) *graph.Node {
		return ops.MaxPool3D(x, ops.MaxPool3DOptions{Kernel: l.Kernel, Stride: l.Stride, Dilation: l.Dilation, Pad: l.Pad, Ceil: l.Ceil})
	})
}

// AvgPool3D takes the mean of each window of a volume (N,C,D,H,W). Unlike PyTorch's, it does not
// count padding unless CountPad is set.
type AvgPool3D struct {
	Kernel   [3]int
	Stride   [3]int // default: Kernel
	Pad      [3][2]int
	Ceil     bool // the last window may extend beyond the padded volume
	CountPad bool // means include the zeros of the padding
}

// Apply returns a node (N,C,OD,OH,OW).
func (l AvgPool3D) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within("", x, func(Scope) *graph.Node {
		return ops.AvgPool3D(x, ops.AvgPool3DOptions{Kernel: l.Kernel, Stride: l.Stride, Pad: l.Pad, Ceil: l.Ceil, CountPad: l.CountPad})
	})
}
