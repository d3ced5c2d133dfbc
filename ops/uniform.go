package ops

import (
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

var uniformOps = []graph.Op{fullOp{}, countOp{}}

// Full returns a tensor of shape s whose elements are all v, with the element type of like. The
// values of like are not used. An integer type accepts only whole numbers in its range, Bool only 0
// and 1.
func Full(like *graph.Node, s shape.Shape, v float64) *graph.Node {
	return graph.Apply(fullOp{s, graph.Float(v)}, like)
}

// FullLike returns a tensor of x's type whose elements are all v.
func FullLike(x *graph.Node, v float64) *graph.Node {
	if !valid(x) {
		return graph.Apply(fullOp{}, x)
	}
	return Full(x, x.Type().Shape, v)
}

// ZerosLike returns zeros of x's type.
func ZerosLike(x *graph.Node) *graph.Node { return FullLike(x, 0) }

// OnesLike returns ones of x's type.
func OnesLike(x *graph.Node) *graph.Node { return FullLike(x, 1) }

// Scalar returns v as a scalar of like's element type.
func Scalar(like *graph.Node, v float64) *graph.Node { return Full(like, shape.Of(), v) }

// Count returns the number of elements of x along the given axes, or along all if none is given, as
// a scalar of x's floating-point type. It may depend on N: a mean over the batch is a sum divided
// by a Count.
func Count(x *graph.Node, axes ...int) *graph.Node {
	if !valid(x) {
		return graph.Apply(countOp{}, x)
	}
	set, err := axesOf(x.Type().Shape, axes)
	if err != nil {
		return x.Graph().Reject("Count", err, x)
	}
	return graph.Apply(countOp{set}, x)
}

// fullOp sets all elements to one number. It takes its element type from its input.
type fullOp struct {
	Shape shape.Shape
	Value graph.Bits
}

func (fullOp) Name() string { return "Full" }

func (op fullOp) Infer(in []shape.Type) (shape.Type, error) {
	if err := arity(in, 1); err != nil {
		return shape.Type{}, err
	}
	return in[0].Of(op.Shape), representable(in[0].DType, op.Value.Value())
}

func (fullOp) Grad(_, _ *graph.Node) []*graph.Node { return one(nil) }

func (op fullOp) Uniform([]shape.Type, shape.Type) float64 { return op.Value.Value() }

// countOp returns the product of the extents of some axes of its input.
type countOp struct{ Axes engine.Axes }

func (countOp) Name() string { return "Count" }

func (op countOp) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := arity(in, 1); err != nil {
		return t, err
	}
	if err := wantFloat(in...); err != nil {
		return t, err
	}
	if err := checkAxes(op.Axes, in[0]); err != nil {
		return t, err
	}
	return in[0].Of(shape.Of()), nil
}

func (countOp) Grad(_, _ *graph.Node) []*graph.Node { return one(nil) }

func (op countOp) Uniform(in []shape.Type, _ shape.Type) float64 {
	n := 1
	for i := range in[0].Rank() {
		if op.Axes.Has(i) {
			n *= in[0].Int(i)
		}
	}
	return float64(n)
}

// Simplify replaces the count by a number if it does not depend on N.
func (op countOp) Simplify(n *graph.Node) *graph.Node {
	x := n.In(0)
	for i, d := range x.Type().Dims() {
		if op.Axes.Has(i) && d.Symbolic() {
			return nil
		}
	}
	return Scalar(x, op.Uniform([]shape.Type{x.Type()}, n.Type()))
}

func checkAxes(axes engine.Axes, t shape.Type) error {
	if axes>>t.Rank() != 0 {
		return fmt.Errorf("axes %b are not axes of %v", axes, t)
	}
	return nil
}
