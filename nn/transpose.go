package nn

import (
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
)

// ConvTranspose2D is a transposed convolution of images (N,C,H,W), the adjoint of a [Conv2D] from
// Out to C channels, plus a bias; see [ops.ConvTranspose2D]. Its parameters are weight
// (C,Out/Groups,KH,KW) and, unless NoBias is set, bias (Out).
type ConvTranspose2D struct {
	Name     string
	Out      int // channels of the result
	Kernel   HW
	Stride   HW  // default 1
	Pad      HW  // rows and columns to remove from each side of the result
	Extra    HW  // rows and columns to add below and right, below the stride: output_padding
	Dilation HW  // default 1
	Groups   int // default 1; C and Out must be multiples of it
	NoBias   bool

	// Init initialises the weight and BiasInit the bias. The default for both is uniform on
	// ±1/sqrt(Out/Groups*KH*KW), as in PyTorch.
	Init, BiasInit graph.Initializer
}

// Label is l.Name.
func (l ConvTranspose2D) Label() string { return l.Name }

// Apply returns a node (N,Out,OH,OW), where OH = (H-1)*Stride - pads + Dilation*(KH-1) + 1 + Extra.
func (l ConvTranspose2D) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within(l.Name, x, func(s Scope) *graph.Node {
		win, err := newWindow(l.Kernel, l.Stride, l.Dilation, l.Pad)
		if err != nil {
			return s.g.Reject("ConvTranspose2D", err, x)
		}
		extra, err := l.Extra.pair("Extra")
		if err != nil {
			return s.g.Reject("ConvTranspose2D", err, x)
		}
		f := filter{l.Out, l.Groups, l.NoBias, l.Init, l.BiasInit}
		w, b, err := f.transposed(s, x, win.kernel[:]...)
		if err != nil {
			return s.g.Reject("ConvTranspose2D", err, x)
		}
		op := ops.Conv2DOp{Stride: win.stride, Dilation: win.dilation, Pad: win.pad, Groups: l.Groups}
		return addBias(ops.ConvTranspose2D(x, w, op, extra), b)
	})
}

// ConvTranspose1D is [ConvTranspose2D] for sequences (N,C,L): its weight is (C,Out/Groups,Kernel).
type ConvTranspose1D struct {
	Name     string
	Out      int // channels of the result
	Kernel   int
	Stride   int  // default 1
	Pad      Ends // elements to remove from both ends of the result
	Extra    int  // elements to add at the end, fewer than the stride
	Dilation int  // default 1
	Groups   int  // default 1; C and Out must be multiples of it
	NoBias   bool

	// Init initialises the weight and BiasInit the bias. The default for both is uniform on
	// ±1/sqrt(Out/Groups*Kernel), as in PyTorch.
	Init, BiasInit graph.Initializer
}

// Label is l.Name.
func (l ConvTranspose1D) Label() string { return l.Name }

// Apply returns a node (N,Out,OL), where OL = (L-1)*Stride - pads + Dilation*(Kernel-1) + 1 +
// Extra.
func (l ConvTranspose1D) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within(l.Name, x, func(s Scope) *graph.Node {
		f := filter{l.Out, l.Groups, l.NoBias, l.Init, l.BiasInit}
		w, b, err := f.transposed(s, x, l.Kernel)
		if err != nil {
			return s.g.Reject("ConvTranspose1D", err, x)
		}
		op := ops.Conv1DOptions{Stride: l.Stride, Dilation: l.Dilation, Pad: l.Pad.pads(), Groups: l.Groups}
		return addBias(ops.ConvTranspose1D(x, w, op, l.Extra), b)
	})
}

// ConvTranspose3D is [ConvTranspose2D] for volumes (N,C,D,H,W): its weight is
// (C,Out/Groups,KD,KH,KW). In each array, index 0 is for the depth, 1 for the height and 2 for the
// width.
type ConvTranspose3D struct {
	Name     string
	Out      int // channels of the result
	Kernel   [3]int
	Stride   [3]int    // default 1
	Pad      [3][2]int // elements to remove before and after each axis of the result
	Extra    [3]int    // elements to add at the end of each axis, fewer than the stride
	Dilation [3]int    // default 1
	Groups   int       // default 1; C and Out must be multiples of it
	NoBias   bool

	// Init initialises the weight and BiasInit the bias. The default for both is uniform on
	// ±1/sqrt(Out/Groups*KD*KH*KW), as in PyTorch.
	Init, BiasInit graph.Initializer
}

// Label is l.Name.
func (l ConvTranspose3D) Label() string { return l.Name }

// Apply returns a node (N,Out,OD,OH,OW), with extents as in [ConvTranspose2D].
func (l ConvTranspose3D) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within(l.Name, x, func(s Scope) *graph.Node {
		f := filter{l.Out, l.Groups, l.NoBias, l.Init, l.BiasInit}
		w, b, err := f.transposed(s, x, l.Kernel[:]...)
		if err != nil {
			return s.g.Reject("ConvTranspose3D", err, x)
		}
		op := ops.Conv3DOptions{Stride: l.Stride, Dilation: l.Dilation, Pad: l.Pad, Groups: l.Groups}
		return addBias(ops.ConvTranspose3D(x, w, op, l.Extra), b)
	})
}
