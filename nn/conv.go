package nn

import (
	"errors"
	"fmt"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// Conv2D is a cross-correlation of images (N,C,H,W) with Out filters, plus a bias. Its
// parameters are weight (Out,C/Groups,KH,KW) and, unless NoBias is set, bias (Out).
type Conv2D struct {
	Name     string
	Out      int // channels of the result
	Kernel   HW
	Stride   HW  // default 1
	Pad      HW  // zero padding around the image
	Dilation HW  // default 1
	Groups   int // default 1; C and Out must be multiples of it
	NoBias   bool

	// Init initialises the weight and BiasInit the bias. The default for both is uniform on
	// ±1/sqrt(C/Groups*KH*KW), as in PyTorch.
	Init, BiasInit graph.Initializer
}

// Label is l.Name.
func (l Conv2D) Label() string { return l.Name }

// Apply returns a node (N,Out,OH,OW), where OH = (H + pads - Dilation*(KH-1) - 1)/Stride + 1.
func (l Conv2D) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within(l.Name, x, func(s Scope) *graph.Node {
		win, err := newWindow(l.Kernel, l.Stride, l.Dilation, l.Pad)
		if err != nil {
			return s.g.Reject("Conv2D", err, x)
		}
		kh, kw := win.kernel[0], win.kernel[1]
		w, b, err := l.filter().params(s, x, kh, kw)
		if err != nil {
			return s.g.Reject("Conv2D", err, x)
		}
		op := ops.Conv2DOp{Stride: win.stride, Dilation: win.dilation, Pad: win.pad, Groups: l.Groups}
		return addBias(ops.Conv2D(x, w, op), b)
	})
}

func (l Conv2D) filter() filter {
	return filter{l.Out, l.Groups, l.NoBias, l.Init, l.BiasInit}
}

// Conv1D is [Conv2D] for sequences (N,C,L): its weight is (Out,C/Groups,Kernel).
type Conv1D struct {
	Name     string
	Out      int // channels of the result
	Kernel   int
	Stride   int  // default 1
	Pad      Ends // zero padding at both ends; see BeforeAfter
	Dilation int  // default 1
	Groups   int  // default 1; C and Out must be multiples of it
	NoBias   bool

	// Init initialises the weight and BiasInit the bias. The default for both is uniform on
	// ±1/sqrt(C/Groups*Kernel), as in PyTorch.
	Init, BiasInit graph.Initializer
}

// Label is l.Name.
func (l Conv1D) Label() string { return l.Name }

// Apply returns a node (N,Out,OL), where OL = (L + pads - Dilation*(Kernel-1) - 1)/Stride + 1.
func (l Conv1D) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within(l.Name, x, func(s Scope) *graph.Node {
		f := filter{l.Out, l.Groups, l.NoBias, l.Init, l.BiasInit}
		w, b, err := f.params(s, x, l.Kernel)
		if err != nil {
			return s.g.Reject("Conv1D", err, x)
		}
		op := ops.Conv1DOptions{Stride: l.Stride, Dilation: l.Dilation, Pad: l.Pad.pads(), Groups: l.Groups}
		return addBias(ops.Conv1D(x, w, op), b)
	})
}

// Conv3D is [Conv2D] for volumes (N,C,D,H,W): its weight is (Out,C/Groups,KD,KH,KW). In each array,
// index 0 is for the depth, 1 for the height and 2 for the width.
type Conv3D struct {
	Name     string
	Out      int // channels of the result
	Kernel   [3]int
	Stride   [3]int    // default 1
	Pad      [3][2]int // zero padding before and after each axis
	Dilation [3]int    // default 1
	Groups   int       // default 1; C and Out must be multiples of it
	NoBias   bool

	// Init initialises the weight and BiasInit the bias. The default for both is uniform on
	// ±1/sqrt(C/Groups*KD*KH*KW), as in PyTorch.
	Init, BiasInit graph.Initializer
}

// Label is l.Name.
func (l Conv3D) Label() string { return l.Name }

// Apply returns a node (N,Out,OD,OH,OW), with extents as in [Conv2D].
func (l Conv3D) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within(l.Name, x, func(s Scope) *graph.Node {
		f := filter{l.Out, l.Groups, l.NoBias, l.Init, l.BiasInit}
		w, b, err := f.params(s, x, l.Kernel[:]...)
		if err != nil {
			return s.g.Reject("Conv3D", err, x)
		}
		op := ops.Conv3DOptions{Stride: l.Stride, Dilation: l.Dilation, Pad: l.Pad, Groups: l.Groups}
		return addBias(ops.Conv3D(x, w, op), b)
	})
}

// filter holds the fields of a convolution that its parameters depend on, except the kernel.
type filter struct {
	out, groups    int
	noBias         bool
	init, biasInit graph.Initializer
}

// params makes the weight and the bias for an input x. Without a bias, b is nil.
func (f filter) params(s Scope, x *graph.Node, kernel ...int) (w, b *graph.Node, err error) {
	in, err := f.check(x.Type(), kernel)
	if err != nil {
		return nil, nil, err
	}
	w, b = f.make(s, x.Type(), f.out, in, kernel)
	return w, b, nil
}

// transposed makes the weight and the bias of a transposed convolution, like params.
func (f filter) transposed(s Scope, x *graph.Node, kernel ...int) (w, b *graph.Node, err error) {
	in, err := f.check(x.Type(), kernel)
	if err != nil {
		return nil, nil, err
	}
	groups := max(f.groups, 1)
	if f.out%groups != 0 {
		return nil, nil, fmt.Errorf("Out is %d, which cannot be split evenly into %d groups", f.out, groups)
	}
	w, b = f.make(s, x.Type(), in*groups, f.out/groups, kernel)
	return w, b, nil
}

// check returns the number of input channels per group for an input of type t.
func (f filter) check(t shape.Type, kernel []int) (in int, err error) {
	if t.Rank() != len(kernel)+2 {
		return 0, fmt.Errorf("want a batch of rank %d, have %v", len(kernel)+2, t)
	}
	if in, err = channels(t, max(f.groups, 1)); err != nil {
		return 0, err
	}
	if f.out <= 0 {
		return 0, fmt.Errorf("want a positive Out, the channels of the result; have %d", f.out)
	}
	for _, k := range kernel {
		if k <= 0 {
			return 0, fmt.Errorf("want a positive Kernel, have %d", k)
		}
	}
	return in, nil
}

// make makes a weight whose axes are axis0, axis1 and those of the kernel, and the bias.
func (f filter) make(s Scope, t shape.Type, axis0, axis1 int, kernel []int) (w, b *graph.Node) {
	dims, fanIn := append([]int{axis0, axis1}, kernel...), axis1
	for _, k := range kernel {
		fanIn *= k
	}
	w = s.Param("weight", t.Of(shape.OfInts(dims...)), or(f.init, standard(fanIn)))
	if !f.noBias {
		b = s.Param("bias", t.Of(shape.OfInts(f.out)), or(f.biasInit, standard(fanIn)))
	}
	return w, b
}

// channels returns the number of channels per group of t, (N,C,...).
func channels(t shape.Type, groups int) (int, error) {
	if err := trainable(t); err != nil {
		return 0, err
	}
	if t.Rank() < 2 {
		return 0, fmt.Errorf("want a batch (N,C,...), have %v", t)
	}
	n, ok := t.Dim(1).Int()
	switch {
	case !ok:
		return 0, errors.New("the number of channels must not depend on the batch size")
	case n%groups != 0:
		return 0, fmt.Errorf("%d channels cannot be split into %d groups", n, groups)
	}
	return n / groups, nil
}

// addBias adds b along axis 1, unless it is nil.
func addBias(y, b *graph.Node) *graph.Node {
	if b == nil {
		return y
	}
	return ops.AddBias(y, b)
}
