package ops

import (
	"fmt"
	"math"
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

var elementwiseOps = slices.Concat(
	tableOps[unary](len(unaries)), tableOps[binary](len(binaries)), tableOps[predicate](len(predicates)), tableOps[bitwise](len(bitwises)),
	[]graph.Op{leakyReLUOp{graph.Float(.01)}, softplusOp{}, clipOp{}, relu6, castOp{shape.Float32}, whereOp{}},
)

// tableOps returns the ops of a table of n rows.
func tableOps[O interface {
	~uint8
	graph.Op
}](n int) []graph.Op {
	ops := make([]graph.Op, n)
	for i := range ops {
		ops[i] = O(i)
	}
	return ops
}

// ---- one argument

// unary is a differentiable function of one argument, an index into unaries.
type unary uint8

const (
	neg unary = iota
	abs
	sign
	exp
	logarithm
	log1p
	expm1
	sqrt
	sin
	cos
	tanh
	sigmoid
	erf
	floor
	round
	asin
	acos
	atan
	sinh
	cosh
	asinh
	acosh
	atanh
	relu
)

var unaries = [...]struct {
	name string
	fn   engine.Fn
	of   domain
	// grad returns the adjoint of x, given that of y = f(x); nil means that the derivative is 0.
	grad func(x, y, dy *graph.Node) *graph.Node
}{
	neg: {"Neg", engine.Neg, signed, func(x, y, dy *graph.Node) *graph.Node { return Neg(dy) }},
	abs: {"Abs", engine.Abs, number, func(x, y, dy *graph.Node) *graph.Node {
		return Where(Equal(x, Scalar(x, 0)), Scalar(dy, 0), Mul(dy, Sign(x)))
	}},
	sign:      {"Sign", engine.Sign, number, nil},
	exp:       {"Exp", engine.Exp, floating, func(x, y, dy *graph.Node) *graph.Node { return Mul(dy, y) }},
	logarithm: {"Log", engine.Log, floating, func(x, y, dy *graph.Node) *graph.Node { return Div(dy, x) }},
	log1p:     {"Log1p", engine.Log1p, floating, func(x, y, dy *graph.Node) *graph.Node { return Div(dy, AddScalar(x, 1)) }},
	expm1: {"Expm1", engine.Expm1, floating, func(x, y, dy *graph.Node) *graph.Node {
		return Mul(dy, Exp(x)) // where e^x is small, y+1 has lost its digits
	}},
	sqrt: {"Sqrt", engine.Sqrt, floating, func(x, y, dy *graph.Node) *graph.Node { return Div(dy, MulScalar(y, 2)) }},
	sin:  {"Sin", engine.Sin, floating, func(x, y, dy *graph.Node) *graph.Node { return Mul(dy, Cos(x)) }},
	cos:  {"Cos", engine.Cos, floating, func(x, y, dy *graph.Node) *graph.Node { return Neg(Mul(dy, Sin(x))) }},
	tanh: {"Tanh", engine.Tanh, floating, func(x, y, dy *graph.Node) *graph.Node {
		return Mul(dy, Sub(Scalar(y, 1), Square(y)))
	}},
	sigmoid: {"Sigmoid", engine.Sigmoid, floating, func(x, y, dy *graph.Node) *graph.Node {
		return Mul(dy, Mul(y, Sub(Scalar(y, 1), y)))
	}},
	erf: {"Erf", engine.Erf, floating, func(x, y, dy *graph.Node) *graph.Node {
		return Mul(dy, MulScalar(Exp(Neg(Square(x))), 2/math.Sqrt(math.Pi)))
	}},
	floor: {"Floor", engine.Floor, floating, nil},
	round: {"Round", engine.Nearest, floating, nil},
	asin:  {"Asin", engine.Asin, floating, func(x, y, dy *graph.Node) *graph.Node { return Div(dy, Sqrt(besideSquare(x))) }},
	acos:  {"Acos", engine.Acos, floating, func(x, y, dy *graph.Node) *graph.Node { return Neg(Div(dy, Sqrt(besideSquare(x)))) }},
	atan:  {"Atan", engine.Atan, floating, func(x, y, dy *graph.Node) *graph.Node { return Div(dy, AddScalar(Square(x), 1)) }},
	sinh:  {"Sinh", engine.Sinh, floating, func(x, y, dy *graph.Node) *graph.Node { return Mul(dy, Cosh(x)) }},
	cosh:  {"Cosh", engine.Cosh, floating, func(x, y, dy *graph.Node) *graph.Node { return Mul(dy, Sinh(x)) }},
	asinh: {"Asinh", engine.Asinh, floating, func(x, y, dy *graph.Node) *graph.Node { return Div(dy, Sqrt(AddScalar(Square(x), 1))) }},
	acosh: {"Acosh", engine.Acosh, floating, func(x, y, dy *graph.Node) *graph.Node {
		square := Mul(AddScalar(x, -1), AddScalar(x, 1))
		return Div(dy, Sqrt(AddScalar(square, 0))) // which makes -0, of x = -1, +0
	}},
	atanh: {"Atanh", engine.Atanh, floating, func(x, y, dy *graph.Node) *graph.Node { return Div(dy, besideSquare(x)) }},
	relu:  {"ReLU", engine.Max, number, func(x, y, dy *graph.Node) *graph.Node { return graph.Apply(reluGrad, y, dy) }},
}

// besideSquare returns 1-x*x, of which no digits are lost near 1.
func besideSquare(x *graph.Node) *graph.Node {
	one := Scalar(x, 1)
	return Mul(Sub(one, x), Add(one, x))
}

// Neg returns -x, for floating-point x and signed integers.
func Neg(x *graph.Node) *graph.Node { return graph.Apply(neg, x) }

// Abs returns the absolute value of x. Its derivative at 0 is 0.
func Abs(x *graph.Node) *graph.Node { return graph.Apply(abs, x) }

// Sign returns -1, 0 or 1 as x is negative, zero or positive, and NaN for NaN. Its
// derivative is 0.
func Sign(x *graph.Node) *graph.Node { return graph.Apply(sign, x) }

// Exp returns e to the power of x.
func Exp(x *graph.Node) *graph.Node { return graph.Apply(exp, x) }

// Log returns the natural logarithm of x.
func Log(x *graph.Node) *graph.Node { return graph.Apply(logarithm, x) }

// Log1p returns log(1+x), accurate also for small x.
func Log1p(x *graph.Node) *graph.Node { return graph.Apply(log1p, x) }

// Expm1 returns exp(x)-1, accurate also for small x.
func Expm1(x *graph.Node) *graph.Node { return graph.Apply(expm1, x) }

// Sqrt returns the square root of x.
func Sqrt(x *graph.Node) *graph.Node { return graph.Apply(sqrt, x) }

// Sin returns the sine of x radians.
func Sin(x *graph.Node) *graph.Node { return graph.Apply(sin, x) }

// Cos returns the cosine of x radians.
func Cos(x *graph.Node) *graph.Node { return graph.Apply(cos, x) }

// Tanh returns the hyperbolic tangent of x.
func Tanh(x *graph.Node) *graph.Node { return graph.Apply(tanh, x) }

// Sigmoid returns 1/(1+exp(-x)).
func Sigmoid(x *graph.Node) *graph.Node { return graph.Apply(sigmoid, x) }

// Erf returns the error function of x: 2/sqrt(pi) times the integral of exp(-t*t) from 0 to x.
func Erf(x *graph.Node) *graph.Node { return graph.Apply(erf, x) }

// Floor returns the greatest whole number not above x. Its derivative is 0.
func Floor(x *graph.Node) *graph.Node { return graph.Apply(floor, x) }

// Ceil returns the least whole number not below x. Its derivative is 0.
func Ceil(x *graph.Node) *graph.Node {
	if bad := refusedUnlessFloat("Ceil", x); bad != nil {
		return bad
	}
	return Neg(Floor(Neg(x)))
}

// Round returns the whole number nearest to x, of two the even one. Its derivative is 0.
func Round(x *graph.Node) *graph.Node { return graph.Apply(round, x) }

// Tan returns the tangent of x radians.
func Tan(x *graph.Node) *graph.Node {
	if bad := refusedUnlessFloat("Tan", x); bad != nil {
		return bad
	}
	return Div(Sin(x), Cos(x))
}

// Asin returns the angle from -pi/2 to pi/2 radians whose sine is x, or NaN if there is none.
func Asin(x *graph.Node) *graph.Node { return graph.Apply(asin, x) }

// Acos returns the angle from 0 to pi radians whose cosine is x, or NaN if there is none.
func Acos(x *graph.Node) *graph.Node { return graph.Apply(acos, x) }

// Atan returns the angle from -pi/2 to pi/2 radians whose tangent is x.
func Atan(x *graph.Node) *graph.Node { return graph.Apply(atan, x) }

// Sinh returns the hyperbolic sine of x.
func Sinh(x *graph.Node) *graph.Node { return graph.Apply(sinh, x) }

// Cosh returns the hyperbolic cosine of x.
func Cosh(x *graph.Node) *graph.Node { return graph.Apply(cosh, x) }

// Asinh returns the number whose hyperbolic sine is x.
func Asinh(x *graph.Node) *graph.Node { return graph.Apply(asinh, x) }

// Acosh returns the number from 0 on whose hyperbolic cosine is x, or NaN if there is none.
func Acosh(x *graph.Node) *graph.Node { return graph.Apply(acosh, x) }

// Atanh returns the number whose hyperbolic tangent is x, or NaN if there is none.
func Atanh(x *graph.Node) *graph.Node { return graph.Apply(atanh, x) }

// ReLU returns the greater of x and 0. Its derivative at 0 is 0.
func ReLU(x *graph.Node) *graph.Node { return graph.Apply(relu, x) }

// Square returns x*x.
func Square(x *graph.Node) *graph.Node { return Mul(x, x) }

// Reciprocal returns 1/x.
func Reciprocal(x *graph.Node) *graph.Node {
	return withScalar(func(x, one *graph.Node) *graph.Node { return Div(one, x) }, x, 1)
}

func (op unary) Name() string { return unaries[op].name }

func (op unary) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := arity(in, 1); err != nil {
		return t, err
	}
	return in[0], unaries[op].of.check(in...)
}

func (op unary) Grad(n, dy *graph.Node) []*graph.Node {
	if unaries[op].grad == nil {
		return one(nil)
	}
	return one(unaries[op].grad(n.In(0), n, dy))
}

func (op unary) Map(_ []shape.Type, out shape.Type) engine.Map {
	if op == relu {
		return engine.MapOf(engine.Max, out.DType, engine.In(0), engine.Imm(0))
	}
	return engine.MapOf(unaries[op].fn, out.DType, engine.In(0))
}

// Simplify drops a double negation, and the second of two equal functions that change nothing the
// second time.
func (op unary) Simplify(n *graph.Node) *graph.Node {
	x := n.In(0)
	switch {
	case op == neg && x.Op() == graph.Op(neg):
		return x.In(0)
	case op == abs && x.Op() == graph.Op(neg):
		return Abs(x.In(0))
	case (op == abs || op == sign || op == floor || op == round || op == relu) && x.Op() == graph.Op(op):
		return x
	}
	return nil
}

// ---- two arguments

// binary is a differentiable function of two arguments, which broadcast; an index into binaries.
type binary uint8

const (
	add binary = iota
	sub
	mul
	div
	fmod
	pow
	maximum
	minimum
	reluGrad // of the result of a rectifier and its adjoint
)

var binaries = [...]struct {
	name string
	fn   engine.Fn
	of   domain
	// grad returns the adjoints of a and b, given that of y = f(a,b), all in the shape of y; nil
	// means 0.
	grad func(a, b, y, dy *graph.Node) (da, db *graph.Node)
}{
	add: {"Add", engine.Add, number, func(a, b, y, dy *graph.Node) (da, db *graph.Node) { return dy, dy }},
	sub: {"Sub", engine.Sub, number, func(a, b, y, dy *graph.Node) (da, db *graph.Node) { return dy, Neg(dy) }},
	mul: {"Mul", engine.Mul, number, func(a, b, y, dy *graph.Node) (da, db *graph.Node) { return Mul(dy, b), Mul(dy, a) }},
	div: {"Div", engine.Div, number, func(a, b, y, dy *graph.Node) (da, db *graph.Node) {
		da = Div(dy, b)
		return da, Neg(Mul(da, y))
	}},
	fmod: {"Fmod", engine.Rem, number, func(a, b, y, dy *graph.Node) (da, db *graph.Node) {
		quotient := Where(IsNaN(y), Div(a, b), Round(Div(Sub(a, y), b))) // a/b may round to the next whole number
		return dy, Neg(Mul(dy, StopGradient(quotient)))
	}},
	pow: {"Pow", engine.Pow, number, powGrad},
	maximum: {"Maximum", engine.Max, number, func(a, b, y, dy *graph.Node) (da, db *graph.Node) {
		return share(a, b, dy, Less), share(b, a, dy, Less)
	}},
	minimum: {"Minimum", engine.Min, number, func(a, b, y, dy *graph.Node) (da, db *graph.Node) {
		return share(a, b, dy, Greater), share(b, a, dy, Greater)
	}},
	reluGrad: {"ReLUGrad", engine.ReLUGrad, floating, func(a, b, y, dy *graph.Node) (da, db *graph.Node) {
		return nil, graph.Apply(reluGrad, a, dy) // a only determines where the adjoint passes
	}},
}

// powGrad selects the case both before and after computing with it. Otherwise an infinite or NaN
// derivative in the case that is not selected would become 0*Inf in the next derivative.
func powGrad(a, b, y, dy *graph.Node) (da, db *graph.Node) {
	zero, one := Scalar(dy, 0), Scalar(dy, 1)
	constant := Equal(b, Scalar(b, 0)) // x^0 is 1 for every x
	below := Where(constant, one, AddScalar(b, -1))
	// If an engine treats a denormal b as 0, the result would be NaN where slope is infinite.
	side := Where(Less(Abs(b), one), Where(Less(b, zero), Neg(one), one), b)
	slope := Pow(a, below)
	both := Mul(b, slope)
	da = Where(constant, zero, Mul(dy, Mul(slope, Where(Equal(both, both), b, side))))
	flat := And(Equal(a, Scalar(a, 0)), GreaterEqual(b, Scalar(b, 0))) // 0^x is constant
	db = Where(flat, zero, Mul(dy, Mul(y, Log(Where(flat, one, a)))))
	return da, db
}

// share returns the adjoint of a where a and b compete: 0 where a loses, half of dy where they are
// equal, otherwise dy.
func share(a, b, dy *graph.Node, loses func(a, b *graph.Node) *graph.Node) *graph.Node {
	return Where(Equal(a, b), MulScalar(dy, .5), Where(loses(a, b), Scalar(dy, 0), dy))
}

// Add returns a+b. As in every function of two arguments here, a and b broadcast and must have the
// same element type. Integers wrap around. It is an error if the batch axis N of one would
// broadcast against another axis of the other because an axis is missing, as in (N,1) and (N). To
// combine every example with every other, use (N,1) and (1,N).
func Add(a, b *graph.Node) *graph.Node { return graph.Apply(add, a, b) }

// Sub returns a-b.
func Sub(a, b *graph.Node) *graph.Node { return graph.Apply(sub, a, b) }

// Mul returns a*b.
func Mul(a, b *graph.Node) *graph.Node { return graph.Apply(mul, a, b) }

// Div returns a/b. Integer division rounds towards zero; division by 0 gives 0.
func Div(a, b *graph.Node) *graph.Node { return graph.Apply(div, a, b) }

// Fmod returns what the quotient a/b, rounded towards zero, leaves of a: it has the sign of a. For a
// divisor of 0 it is NaN, or a if they are integers. It is C's fmod, and PyTorch's.
func Fmod(a, b *graph.Node) *graph.Node { return graph.Apply(fmod, a, b) }

// Mod returns what the quotient a/b, rounded down, leaves of a: it has the sign of b. For a divisor of
// 0 it is NaN, or a if they are integers. It is Python's operator %, and PyTorch's remainder.
func Mod(a, b *graph.Node) *graph.Node {
	bad := refused("Mod", func() error {
		_, err := fmod.Infer([]shape.Type{a.Type(), b.Type()})
		return err
	}, a, b)
	if bad != nil {
		return bad
	}
	y := Fmod(a, b)
	zero := Scalar(y, 0)
	other := Or(And(Less(y, zero), Greater(b, zero)), And(Greater(y, zero), Less(b, zero)))
	return Where(other, Add(y, b), y)
}

// Pow returns a to the power of b. Powers of integers wrap around, and are 0 where a negative exponent
// does not give 1 or -1. The derivative with respect to a
// is 0 where b is 0. The derivative with respect to b is 0 where a is 0 and b is not negative, and
// NaN where a is negative.
func Pow(a, b *graph.Node) *graph.Node { return graph.Apply(pow, a, b) }

// Maximum returns the greater of a and b, or NaN if either is NaN. Where they are equal, each gets
// half of the gradient.
func Maximum(a, b *graph.Node) *graph.Node { return graph.Apply(maximum, a, b) }

// Minimum returns the lesser of a and b, or NaN if either is NaN. Where they are equal, each gets
// half of the gradient.
func Minimum(a, b *graph.Node) *graph.Node { return graph.Apply(minimum, a, b) }

// AddScalar returns x+v.
func AddScalar(x *graph.Node, v float64) *graph.Node { return withScalar(Add, x, v) }

// MulScalar returns x*v.
func MulScalar(x *graph.Node, v float64) *graph.Node { return withScalar(Mul, x, v) }

// withScalar returns f of x and the number v. If x is nil, f reports the error.
func withScalar(f func(a, b *graph.Node) *graph.Node, x *graph.Node, v float64) *graph.Node {
	if x == nil {
		return f(x, x)
	}
	return f(x, Scalar(x, v))
}

func (op binary) Name() string { return binaries[op].name }

func (op binary) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := arity(in, 2); err != nil {
		return t, err
	}
	if err := binaries[op].of.check(in...); err != nil {
		return t, err
	}
	s, err := broadcast(in...)
	return in[0].Of(s), err
}

func (op binary) Grad(n, dy *graph.Node) []*graph.Node {
	a, b := n.In(0), n.In(1)
	da, db := binaries[op].grad(a, b, n, dy)
	if da != nil {
		da = SumTo(da, a.Type().Shape)
	}
	return []*graph.Node{da, SumTo(db, b.Type().Shape)}
}

func (op binary) Map(_ []shape.Type, out shape.Type) engine.Map {
	return engine.MapOf(binaries[op].fn, out.DType, engine.In(0), engine.In(1))
}

// Simplify drops an operand if that leaves the other bit-identical: x+0 is not x where x is -0, but
// x-0 and x+(-0) are. Division by a power of 2 becomes a product, which is just as accurate.
func (op binary) Simplify(n *graph.Node) *graph.Node {
	a, b := n.In(0), n.In(1)
	switch {
	case op.neutral(b) && a.Type() == n.Type():
		return a
	case (op == add || op == mul) && op.neutral(a) && b.Type() == n.Type():
		return b
	case op == pow && isUniform(b, 2) && a.Type() == n.Type():
		return Square(a)
	case op == add && sameMove(a, b):
		return graph.Apply(a.Op(), Add(a.In(0), b.In(0)))
	}
	return nil
}

// sameMove reports whether a and b move the elements of two tensors of the same type in the same
// way. Then their inputs are added before the move. This helps where adjoints of slices of a view
// are built separately for each slice: they are added while they are still slices.
func sameMove(a, b *graph.Node) bool {
	switch a.Op().(type) {
	case ReshapeOp, TransposeOp:
		return a.Op() == b.Op() && a.In(0).Type() == b.In(0).Type()
	}
	return false
}

// neutral reports whether b, as the second operand, changes nothing.
func (op binary) neutral(b *graph.Node) bool {
	switch op {
	case add:
		return isUniform(b, negZero)
	case sub:
		return isUniform(b, 0)
	case mul, div, pow:
		return isUniform(b, 1)
	}
	return false
}

// AddBias returns x (N,C,...) plus b (C), one number for each index of axis 1.
func AddBias(x, b *graph.Node) *graph.Node {
	bad := refused("AddBias", func() error {
		t, bt := x.Type(), b.Type()
		if t.Rank() < 2 || bt.Rank() != 1 || t.Dim(1) != bt.Dim(0) {
			return fmt.Errorf("want x (N,C,...) and a bias (C), have %v and %v", t.Shape, bt.Shape)
		}
		return nil
	}, x, b)
	if bad != nil {
		return bad
	}
	if rank := x.Type().Rank(); rank > 2 {
		b = alongChannels(b, rank)
	}
	return Add(x, b)
}
