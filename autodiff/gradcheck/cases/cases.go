package cases

import (
	"cmp"
	"slices"

	"github.com/plexaura/plexaura/autodiff/gradcheck"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// Case is one row: an op, or a function made of ops, with its attributes and inputs.
type Case struct {
	Op        string // "Conv2D"
	Label     string // distinguishes the row: "stride 2x1"
	F         gradcheck.Func
	In        []gradcheck.Input
	Order     int     // how often to differentiate; 0 means 2
	Tolerance float64 // 0 means [Tolerance]
}

// Tolerance is the largest error of a row. Finite differences are accurate to 1e-8 for the
// functions in the table; a wrong rule has a much larger error.
const Tolerance = 1e-7

// Run checks the case.
func (c Case) Run() (gradcheck.Result, error) {
	return gradcheck.Run(c.F, c.In, gradcheck.Options{Order: c.Order, Tolerance: cmp.Or(c.Tolerance, Tolerance)})
}

// All returns the table, family by family.
func All() []Case {
	return slices.Concat(
		elementwise(), activations(), uniform(), mode(), reductions(), softmax(), lrn(), losses(), distances(), random(),
		products(), einsums(), attention(), recurrences(), convolutions(), pools(), volumes(), otherPools(), resizes(),
		moves(), indices(), pads(), batchNorms(), exampleNorms(),
	)
}

// n is the batch size, symbolic.
const n = shape.N

// input returns an argument with the given values and extents.
func input(v gradcheck.Values, dims ...shape.Dim) gradcheck.Input {
	return gradcheck.Input{Type: shape.F64(dims...), Values: v}
}

// args returns arguments with the same values and different shapes.
func args(v gradcheck.Values, shapes ...shape.Shape) []gradcheck.Input {
	in := make([]gradcheck.Input, len(shapes))
	for i, s := range shapes {
		in[i] = input(v, s.Dims()...)
	}
	return in
}

// normal returns arguments of the given shapes with normal values.
func normal(shapes ...shape.Shape) []gradcheck.Input { return args(nil, shapes...) }

// of1 makes a Func of a function of one node.
func of1(f func(x *graph.Node) *graph.Node) gradcheck.Func {
	return func(x ...*graph.Node) *graph.Node { return f(x[0]) }
}

// of2 makes a Func of a function of two nodes.
func of2(f func(a, b *graph.Node) *graph.Node) gradcheck.Func {
	return func(x ...*graph.Node) *graph.Node { return f(x[0], x[1]) }
}

// of3 makes a Func of a function of three nodes.
func of3(f func(a, b, c *graph.Node) *graph.Node) gradcheck.Func {
	return func(x ...*graph.Node) *graph.Node { return f(x[0], x[1], x[2]) }
}

// overAxes makes a Func of a function of a node and axes.
func overAxes(f func(x *graph.Node, axes ...int) *graph.Node, axes ...int) gradcheck.Func {
	return func(x ...*graph.Node) *graph.Node { return f(x[0], axes...) }
}
