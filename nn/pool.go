package nn

import (
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
)

// MaxPool2D takes the maximum of each window of an image (N,C,H,W). Padding never wins.
type MaxPool2D struct {
	Kernel   HW
	Stride   HW // default: Kernel
	Pad      HW
	Dilation HW   // default 1
	Ceil     bool // a last window may reach beyond the padded image
}

// Apply returns a node (N,C,OH,OW).
func (l MaxPool2D) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within("", x, func(s Scope) *graph.Node {
		w, err := newWindow(l.Kernel, l.Stride, l.Dilation, l.Pad)
		if err != nil {
			return s.g.Reject("MaxPool2D", err, x)
		}
		return ops.MaxPool2D(x, ops.Pool2DOp{Kernel: w.kernel, Stride: w.stride, Dilation: w.dilation, Pad: w.pad, Ceil: l.Ceil})
	})
}

// AvgPool2D takes the mean of each window of an image (N,C,H,W). Unlike PyTorch's, it does
// not count padding unless CountPad is set.
type AvgPool2D struct {
	Kernel   HW
	Stride   HW // default: Kernel
	Pad      HW
	Ceil     bool // a last window may reach beyond the padded image
	CountPad bool // the zeros of the padding count
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
