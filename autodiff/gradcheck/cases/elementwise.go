package cases

import (
	"fmt"
	"math"
	"slices"

	"github.com/plexaura/plexaura/autodiff/gradcheck"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

func elementwise() (rows []Case) {
	for _, u := range []struct {
		op     string
		f      func(x *graph.Node) *graph.Node
		values gradcheck.Values
	}{
		{"Neg", ops.Neg, nil},
		{"Abs", ops.Abs, gradcheck.NonZero},
		{"Sign", ops.Sign, gradcheck.NonZero},
		{"Exp", ops.Exp, nil},
		{"Log", ops.Log, gradcheck.Positive},
		{"Log1p", ops.Log1p, gradcheck.Positive},
		{"Expm1", ops.Expm1, nil},
		{"Sqrt", ops.Sqrt, gradcheck.Positive},
		{"Sin", ops.Sin, nil},
		{"Cos", ops.Cos, nil},
		{"Tanh", ops.Tanh, nil},
		{"Sigmoid", ops.Sigmoid, nil},
		{"Erf", ops.Erf, nil},
		{"Floor", ops.Floor, gradcheck.Uniform(1.1, 1.9)},
		{"Ceil", ops.Ceil, gradcheck.Uniform(1.1, 1.9)},
		{"Round", ops.Round, gradcheck.Uniform(1.6, 2.4)},
		{"Tan", ops.Tan, gradcheck.Uniform(-1, 1)},
		{"Asin", ops.Asin, gradcheck.Uniform(-.7, .7)},
		{"Acos", ops.Acos, gradcheck.Uniform(-.7, .7)},
		{"Atan", ops.Atan, nil},
		{"Sinh", ops.Sinh, nil},
		{"Cosh", ops.Cosh, nil},
		{"Asinh", ops.Asinh, nil},
		{"Acosh", ops.Acosh, gradcheck.Uniform(1.5, 3)},
		{"Atanh", ops.Atanh, gradcheck.Uniform(-.7, .7)},
		{"ReLU", ops.ReLU, gradcheck.NonZero},
		{"Softplus", ops.Softplus, nil},
		{"Square", ops.Square, nil},
		{"Reciprocal", ops.Reciprocal, gradcheck.NonZero},
	} {
		rows = append(rows,
			Case{Op: u.op, F: of1(u.f), In: args(u.values, shape.Of(2, 3))},
			Case{Op: u.op, Label: "scalar", F: of1(u.f), In: args(u.values, shape.Of())},
			Case{Op: u.op, Label: "batch", F: of1(u.f), In: args(u.values, shape.Of(n, 2))},
		)
	}
	for _, b := range []struct {
		op     string
		f      func(a, b *graph.Node) *graph.Node
		values gradcheck.Values
	}{
		{"Add", ops.Add, nil},
		{"Sub", ops.Sub, nil},
		{"Mul", ops.Mul, nil},
		{"Div", ops.Div, gradcheck.NonZero},
		{"Pow", ops.Pow, gradcheck.Positive},
		{"Maximum", ops.Maximum, nil},
		{"Minimum", ops.Minimum, nil},
	} {
		for _, s := range []struct {
			label string
			a, b  shape.Shape
		}{
			{"same shape", shape.Of(2, 3), shape.Of(2, 3)},
			{"row", shape.Of(2, 3), shape.Of(3)},
			{"column", shape.Of(2, 1), shape.Of(2, 3)},
			{"outer", shape.Of(2, 1), shape.Of(1, 3)},
			{"scalar", shape.Of(), shape.Of(2, 2)},
			{"channels", shape.Of(n, 2, 2, 1), shape.Of(2, 1, 1)},
		} {
			rows = append(rows, Case{Op: b.op, Label: s.label, F: of2(b.f), In: args(b.values, s.a, s.b)})
		}
		f := b.f
		rows = append(rows, Case{Op: b.op, Label: "operand twice",
			F: of1(func(x *graph.Node) *graph.Node { y := ops.Tanh(x); return f(ops.Add(y, x), x) }), In: args(gradcheck.Positive, shape.Of(3))})
	}
	return slices.Concat(rows, remainders(), powers(), scalarAttributes())
}

// remainders are of numbers of both signs, whose quotients are not whole.
func remainders() (rows []Case) {
	for _, r := range []struct {
		op string
		f  func(a, b *graph.Node) *graph.Node
	}{{"Fmod", ops.Fmod}, {"Mod", ops.Mod}} {
		op, f := r.op, r.f
		rows = append(rows,
			Case{Op: op, F: of2(f), In: []gradcheck.Input{input(gradcheck.Fixed(2.3, -2.3, 2.3, -2.3, .4), 5), input(gradcheck.Fixed(.7, .7, -.7, -.7, 3), 5)}},
			Case{Op: op, Label: "broadcast", F: of2(f), In: []gradcheck.Input{input(gradcheck.Fixed(2.3, -1.6), n, 2), input(gradcheck.Fixed(.7), 1)}})
	}
	return rows
}

// powers are those of zero and of negative numbers, whose exponents do not change.
func powers() (rows []Case) {
	for _, exponent := range []float64{0, 1, 2, 3, -1, -2} {
		values := gradcheck.Fixed(0, -1.5, 2, -0.5)
		if exponent < 0 {
			values = gradcheck.NonZero
		}
		rows = append(rows, Case{Op: "Pow", Label: fmt.Sprintf("exponent %v", exponent), Order: 3, Tolerance: 1e-5,
			F: of1(func(x *graph.Node) *graph.Node { return ops.Pow(x, ops.Scalar(x, exponent)) }), In: args(values, shape.Of(4))})
	}
	return append(rows, Case{Op: "Pow", Label: "base 0", F: of1(func(x *graph.Node) *graph.Node {
		return ops.Pow(ops.ZerosLike(x), x)
	}), In: args(gradcheck.Positive, shape.Of(3))})
}

func scalarAttributes() []Case {
	mask := gradcheck.Input{Type: shape.Mask(2, 3)}
	row := gradcheck.Input{Type: shape.Mask(3)}
	where := func(x ...*graph.Node) *graph.Node { return ops.Where(x[0], x[1], x[2]) }
	return []Case{
		{Op: "LeakyReLU", Label: "alpha 0.1", F: of1(func(x *graph.Node) *graph.Node { return ops.LeakyReLU(x, 0.1) }), In: args(gradcheck.NonZero, shape.Of(2, 3))},
		{Op: "LeakyReLU", Label: "alpha -0.5", F: of1(func(x *graph.Node) *graph.Node { return ops.LeakyReLU(x, -0.5) }), In: args(gradcheck.NonZero, shape.Of(n, 2))},
		{Op: "LeakyReLU", Label: "alpha 2", F: of1(func(x *graph.Node) *graph.Node { return ops.LeakyReLU(x, 2) }), In: args(gradcheck.NonZero, shape.Of(2, 3))},
		{Op: "Softplus", Label: "at 0 and far from it", F: of1(ops.Softplus), In: args(gradcheck.Fixed(0, 30, -30), shape.Of(3))},
		{Op: "Clip", Label: "below alone", F: of1(func(x *graph.Node) *graph.Node { return ops.Clip(x, 0, math.Inf(1)) }), In: args(gradcheck.Spread, shape.Of(4, 5))},
		{Op: "AddScalar", F: of1(func(x *graph.Node) *graph.Node { return ops.AddScalar(x, 1.5) }), In: normal(shape.Of(2, 3))},
		{Op: "MulScalar", F: of1(func(x *graph.Node) *graph.Node { return ops.MulScalar(x, -1.5) }), In: normal(shape.Of(2, 3))},
		{Op: "ReLU6", F: of1(func(x *graph.Node) *graph.Node { return ops.ReLU6(ops.MulScalar(x, 5)) }), In: args(gradcheck.Spread, shape.Of(4, 5))},
		{Op: "Clip", Label: "-0.5..0.5", F: of1(func(x *graph.Node) *graph.Node { return ops.Clip(x, -0.5, 0.52) }), In: args(gradcheck.Spread, shape.Of(4, 5))},
		{Op: "Cast", Label: "to float64", F: of1(func(x *graph.Node) *graph.Node { return ops.Cast(x, shape.Float64) }), In: normal(shape.Of(3))},
		{Op: "Cast", Label: "from int32", F: of2(func(a, b *graph.Node) *graph.Node { return ops.Mul(ops.Cast(a, shape.Float64), b) }),
			In: []gradcheck.Input{{Type: shape.I32(3), Values: gradcheck.IDs(5)}, input(nil, 3)}},
		{Op: "Where", F: where, In: []gradcheck.Input{mask, input(nil, 2, 3), input(nil, 2, 3)}},
		{Op: "Where", Label: "broadcast", F: where, In: []gradcheck.Input{row, input(nil, 2, 3), input(nil, 2, 1)}},
		{Op: "Where", Label: "scalar", F: where, In: []gradcheck.Input{mask, input(nil), input(nil, 3)}},
	}
}

func uniform() []Case {
	return []Case{
		{Op: "Full", F: of1(func(x *graph.Node) *graph.Node { return ops.Mul(x, ops.FullLike(x, 3)) }), In: normal(shape.Of(2, 3))},
		{Op: "Count", F: of1(func(x *graph.Node) *graph.Node { return ops.Mul(x, ops.Count(x)) }), In: normal(shape.Of(n, 2))},
		{Op: "Count", Label: "of the batch", F: of1(func(x *graph.Node) *graph.Node { return ops.Div(x, ops.Count(x, 0)) }), In: normal(shape.Of(n, 2))},
	}
}

func mode() []Case {
	return []Case{
		{Op: "StopGradient", F: of1(func(x *graph.Node) *graph.Node { return ops.StopGradient(ops.Floor(x)) }), In: args(gradcheck.Uniform(1.1, 1.9), shape.Of(3))},
		{Op: "ByMode", Label: "training", F: of1(func(x *graph.Node) *graph.Node { return ops.ByMode(ops.Tanh(x), x) }), In: normal(shape.Of(n, 3))},
	}
}
