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
	tableOps[unary](len(unaries)), tableOps[binary](len(binaries)), tableOps[predicate](len(predicates)),
	[]graph.Op{leakyReLUOp{graph.Float(.01)}, softplusOp{}, clipOp{}, castOp{shape.Float32}, whereOp{}},
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

// unary is a differentiable function of one argument: a row of unaries.
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
	relu
)

var unaries = [...]struct {
	name string
	fn   engine.Fn
	of   domain
	// grad returns the adjoint of x from that of y = f(x); nil stands for a derivative of 0.
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
		return Mul(dy, Exp(x)) // y+1 has lost the digits of e^x where that is small
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
	relu:  {"ReLU", engine.Max, number, func(x, y, dy *graph.Node) *graph.Node { return graph.Apply(reluGrad, y, dy) }},
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

// Log1p returns log(1+x), also accurate where x is small.
func Log1p(x *graph.Node) *graph.Node { return graph.Apply(log1p, x) }

// Expm1 returns exp(x)-1, also accurate where x is small.
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

// Simplify drops a negation of a negation, and what is done a second time without effect.
func (op unary) Simplify(n *graph.Node) *graph.Node {
	x := n.In(0)
	switch {
	case op == neg && x.Op() == graph.Op(neg):
		return x.In(0)
	case op == abs && x.Op() == graph.Op(neg):
		return Abs(x.In(0))
	case (op == abs || op == sign || op == floor || op == relu) && x.Op() == graph.Op(op):
		return x
	}
	return nil
}

// ---- two arguments

// binary is a differentiable function of two arguments, which broadcast: a row of binaries.
type binary uint8

const (
	add binary = iota
	sub
	mul
	div
	pow
	maximum
	minimum
	reluGrad // of a rectifier's result and its adjoint
)

var binaries = [...]struct {
	name string
	fn   engine.Fn
	of   domain
	// grad returns the adjoints of a and b from that of y = f(a,b), all in the shape of y; nil stands
	// for 0.
	grad func(a, b, y, dy *graph.Node) (da, db *graph.Node)
}{
	add: {"Add", engine.Add, number, func(a, b, y, dy *graph.Node) (da, db *graph.Node) { return dy, dy }},
	sub: {"Sub", engine.Sub, number, func(a, b, y, dy *graph.Node) (da, db *graph.Node) { return dy, Neg(dy) }},
	mul: {"Mul", engine.Mul, number, func(a, b, y, dy *graph.Node) (da, db *graph.Node) { return Mul(dy, b), Mul(dy, a) }},
	div: {"Div", engine.Div, number, func(a, b, y, dy *graph.Node) (da, db *graph.Node) {
		da = Div(dy, b)
		return da, Neg(Mul(da, y))
	}},
	pow: {"Pow", engine.Pow, floating, powGrad},
	maximum: {"Maximum", engine.Max, number, func(a, b, y, dy *graph.Node) (da, db *graph.Node) {
		return share(a, b, dy, Less), share(b, a, dy, Less)
	}},
	minimum: {"Minimum", engine.Min, number, func(a, b, y, dy *graph.Node) (da, db *graph.Node) {
		return share(a, b, dy, Greater), share(b, a, dy, Greater)
	}},
	reluGrad: {"ReLUGrad", engine.ReLUGrad, floating, func(a, b, y, dy *graph.Node) (da, db *graph.Node) {
		return nil, graph.Apply(reluGrad, a, dy) // the first only says where
	}},
}

// powGrad asks for the selected case before it computes, as well as after: a derivative
// that is infinite or NaN where it is not selected would come back as 0*Inf in the next.
func powGrad(a, b, y, dy *graph.Node) (da, db *graph.Node) {
	zero, one := Scalar(dy, 0), Scalar(dy, 1)
	constant := Equal(b, Scalar(b, 0)) // x^0 is 1 for every x
	below := Where(constant, one, AddScalar(b, -1))
	// An engine that takes a denormal b for 0 would have NaN where slope is infinite.
	side := Where(Less(Abs(b), one), Where(Less(b, zero), Neg(one), one), b)
	slope := Pow(a, below)
	both := Mul(b, slope)
	da = Where(constant, zero, Mul(dy, Mul(slope, Where(Equal(both, both), b, side))))
	flat := And(Equal(a, Scalar(a, 0)), GreaterEqual(b, Scalar(b, 0))) // 0^x does not change with x
	db = Where(flat, zero, Mul(dy, Mul(y, Log(Where(flat, one, a)))))
	return da, db
}

// share is the adjoint of a where a and b compete: none where a loses, half where they are
// equal, otherwise all.
func share(a, b, dy *graph.Node, loses func(a, b *graph.Node) *graph.Node) *graph.Node {
	return Where(Equal(a, b), MulScalar(dy, .5), Where(loses(a, b), Scalar(dy, 0), dy))
}

// Add returns a+b. The arguments broadcast, as those of every function of two arguments do,
// and have one element type. Integers wrap around. Where N would come to meet N along another axis for want
// of an axis, as in (N,1) and (N), it is an error: every example with every other is asked for by (N,1) and (1,N).
func Add(a, b *graph.Node) *graph.Node { return graph.Apply(add, a, b) }

// Sub returns a-b.
func Sub(a, b *graph.Node) *graph.Node { return graph.Apply(sub, a, b) }

// Mul returns a*b.
func Mul(a, b *graph.Node) *graph.Node { return graph.Apply(mul, a, b) }

// Div returns a/b. Integers are divided towards zero, and by 0 give 0.
func Div(a, b *graph.Node) *graph.Node { return graph.Apply(div, a, b) }

// Pow returns a to the power of b, for floating-point arguments. The derivative by a is 0
// where b is 0, that by b is 0 where a is 0 and b is not negative; where a is negative, that
// by b is NaN.
func Pow(a, b *graph.Node) *graph.Node { return graph.Apply(pow, a, b) }

// Maximum returns the greater of a and b, NaN where either is. Where they are equal the
// gradient is halved between them.
func Maximum(a, b *graph.Node) *graph.Node { return graph.Apply(maximum, a, b) }

// Minimum returns the lesser of a and b, NaN where either is. Where they are equal the
// gradient is halved between them.
func Minimum(a, b *graph.Node) *graph.Node { return graph.Apply(minimum, a, b) }

// AddScalar returns x+v.
func AddScalar(x *graph.Node, v float64) *graph.Node { return withScalar(Add, x, v) }

// MulScalar returns x*v.
func MulScalar(x *graph.Node, v float64) *graph.Node { return withScalar(Mul, x, v) }

// withScalar returns f of x and the number v. Of a nil x it leaves the one error to f.
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

// Simplify drops operands that leave the other one as it is, bit by bit: x+0 is not x where
// x is -0, but x-0 and x+(-0) are. A power of 2 becomes a product, which is no less accurate.
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

// sameMove reports whether a and b are two tensors of one type, their elements moved alike. They are
// added before that: the adjoints of parts that are cut from a view of a tensor, made anew for each,
// meet where they are still parts.
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
