package ops

import (
	"fmt"
	"math"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

var lrnOps = []graph.Op{windowSum{Before: 2, After: 2}}

// LRNOptions are the options of [LRN] and [LRNWithinChannel]. The defaults are PyTorch's.
type LRNOptions struct {
	Size  int     // channels in a window, or height and width of a window; 0 means 5
	Alpha float64 // divided by the number of elements of a window, unlike in the paper; 0 means 1e-4
	Beta  float64 // 0 means 0.75
	K     float64 // 0 means 1
}

func (o LRNOptions) withDefaults() LRNOptions {
	o.Size = orElse(o.Size, 5)
	for _, d := range []struct {
		v     *float64
		value float64
	}{{&o.Alpha, 1e-4}, {&o.Beta, .75}, {&o.K, 1}} {
		if *d.v == 0 {
			*d.v = d.value
		}
	}
	return o
}

func (o LRNOptions) check() error {
	if o.Size < 1 || o.Size > math.MaxInt32 {
		return fmt.Errorf("Size is %d; want 1 to %d", o.Size, math.MaxInt32)
	}
	for _, a := range []struct {
		name  string
		value float64
	}{{"Alpha", o.Alpha}, {"Beta", o.Beta}, {"K", o.K}} {
		if !(a.value > 0) || math.IsInf(a.value, 0) {
			return fmt.Errorf("%s is %v; want a positive number", a.name, a.value)
		}
	}
	return nil
}

// LRN divides each element of x (N,C,...), Float32 or Float64, by (K + Alpha/Size * s)^Beta, where
// s is the sum of squares over a window of Size channels: Size/2 before the element's own channel
// and (Size-1)/2 after it, as far as these exist. It equals PyTorch's LocalResponseNorm. The paper
// does not divide Alpha by Size: its alpha of 1e-4 with 5 channels is an Alpha of 5e-4 here (with K
// 2).
//
// Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep Convolutional Neural
// Networks", 2012.
func LRN(x *graph.Node, opts LRNOptions) *graph.Node {
	opts = opts.withDefaults()
	w := windowSum{Before: opts.Size / 2, After: (opts.Size - 1) / 2}
	bad := refused("LRN", func() error {
		if _, err := w.Infer([]shape.Type{x.Type()}); err != nil {
			return err
		}
		return opts.check()
	}, x)
	if bad != nil {
		return bad
	}
	sum := graph.Apply(w, Square(x))
	base := AddScalar(MulScalar(sum, opts.Alpha/float64(opts.Size)), opts.K)
	return Mul(x, Pow(base, Scalar(x, -opts.Beta)))
}

// LRNWithinChannel divides each element of images x (N,C,H,W), Float32 or Float64, by (K +
// Alpha/(Size*Size) * s)^Beta, where s is the sum of squares over a window of Size rows and columns
// around the element, in its own channel. Outside the image there are zeros. Size is odd. It equals
// Caffe's LRN layer with norm_region WITHIN_CHANNEL, whose K is always 1 and whose default Alpha is
// 1.
//
// Jia et al., "Caffe: Convolutional Architecture for Fast Feature Embedding", 2014.
func LRNWithinChannel(x *graph.Node, opts LRNOptions) *graph.Node {
	opts = opts.withDefaults()
	pool := AvgPool2DOp{Kernel: [2]int{opts.Size, opts.Size}, Stride: [2]int{1, 1}, Pad: PadHW(opts.Size/2, opts.Size/2), CountPad: true}
	bad := refused("LRNWithinChannel", func() error {
		if err := opts.check(); err != nil {
			return err
		}
		if opts.Size%2 == 0 {
			return fmt.Errorf("Size is %d; want an odd number, for a window about its middle", opts.Size)
		}
		_, err := pool.withDefaults().Infer([]shape.Type{x.Type()})
		return err
	}, x)
	if bad != nil {
		return bad
	}
	base := AddScalar(MulScalar(AvgPool2D(Square(x), pool), opts.Alpha), opts.K)
	return Mul(x, Pow(base, Scalar(x, -opts.Beta)))
}

// windowSum sums over windows of channels: y at channel c is the sum of x over the channels from
// c-Before to c+After.
type windowSum struct{ Before, After int }

func (windowSum) Name() string { return "WindowSum" }

func (op windowSum) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := sameFloats(in, 1); err != nil {
		return t, err
	}
	if in[0].Rank() < 2 {
		return t, fmt.Errorf("input %v has no axis of channels; want (N,C,...)", in[0])
	}
	return in[0], nil
}

// Grad sums over the windows that contain an element.
func (op windowSum) Grad(_, dy *graph.Node) []*graph.Node {
	return one(graph.Apply(windowSum{Before: op.After, After: op.Before}, dy))
}

func (op windowSum) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	w, ok := e.(engine.WindowSummer)
	if !ok {
		return engine.Bound{}, engine.Missing(e, op.Name())
	}
	return w.BindWindowSum(engine.WindowSum{Axis: 1, Before: op.Before, After: op.After}, in, out)
}

// PerExample keeps the rows separate.
func (windowSum) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	return alone(n, in)
}
