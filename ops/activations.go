package ops

import (
	"fmt"
	"math"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// The functions below are composed of other ops, which are fused into one pass over memory. A
// branch that is not selected must still have a finite derivative, so where it would overflow it is
// given other inputs.

// ELU returns x where x > 0, and alpha*(exp(x)-1) elsewhere. Its derivative at 0 is alpha.
//
// Clevert et al., "Fast and Accurate Deep Network Learning by Exponential Linear Units", 2016.
func ELU(x *graph.Node, alpha float64) *graph.Node {
	if bad := refusedUnlessFloat("ELU", x, alpha); bad != nil {
		return bad
	}
	return elu(x, alpha, 1)
}

// SELU returns scale*ELU(x, alpha), with two constants that make layers preserve mean 0 and
// variance 1.
//
// Klambauer et al., "Self-Normalizing Neural Networks", 2017.
func SELU(x *graph.Node) *graph.Node {
	if bad := refusedUnlessFloat("SELU", x); bad != nil {
		return bad
	}
	return elu(x, 1.6732632423543772848170429916717, 1.0507009873554804934193349852946)
}

func elu(x *graph.Node, alpha, scale float64) *graph.Node {
	positive, below := split(x)
	curve := MulScalar(Expm1(below), alpha*scale)
	return Where(positive, MulScalar(x, scale), curve)
}

// split returns where x is positive, and x with its positive elements replaced by 0.
func split(x *graph.Node) (positive, below *graph.Node) {
	positive = Greater(x, Scalar(x, 0))
	return positive, Where(positive, Scalar(x, 0), x)
}

// GELU returns x times the normal distribution function of x, x*(1+erf(x/sqrt(2)))/2.
//
// Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016.
func GELU(x *graph.Node) *graph.Node {
	if bad := refusedUnlessFloat("GELU", x); bad != nil {
		return bad
	}
	return Mul(MulScalar(x, .5), AddScalar(Erf(MulScalar(saturating(x), math.Sqrt2/2)), 1))
}

// saturating returns x clipped to bounds beyond which a sigmoid and similar functions are constant
// in float64. Functions that multiply such a function by x pass it the clipped x: otherwise its
// derivative, 0, would be multiplied by an infinite x*dy.
func saturating(x *graph.Node) *graph.Node { return Clip(x, -1000, 1000) }

// GELUTanh returns x*(1+tanh(sqrt(2/pi)*(x+0.044715*x^3)))/2, which differs from [GELU] by less
// than 0.001.
//
// Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016.
func GELUTanh(x *graph.Node) *graph.Node {
	if bad := refusedUnlessFloat("GELUTanh", x); bad != nil {
		return bad
	}
	u := saturating(x)
	inner := Mul(u, AddScalar(MulScalar(Square(u), .044715), 1))
	return Mul(x, Sigmoid(MulScalar(inner, 2*math.Sqrt(2/math.Pi)))) // (1+tanh(u))/2 is sigmoid(2u)
}

// SiLU returns x*Sigmoid(x), also known as swish.
//
// Elfwing et al., "Sigmoid-Weighted Linear Units for Neural Network Function Approximation in
// Reinforcement Learning", 2017.
func SiLU(x *graph.Node) *graph.Node {
	if bad := refusedUnlessFloat("SiLU", x); bad != nil {
		return bad
	}
	return Mul(x, Sigmoid(saturating(x)))
}

// Mish returns x*tanh(log(1+exp(x))), without overflow.
//
// Misra, "Mish: A Self Regularized Non-Monotonic Activation Function", 2019.
func Mish(x *graph.Node) *graph.Node {
	if bad := refusedUnlessFloat("Mish", x); bad != nil {
		return bad
	}
	return Mul(x, Tanh(Softplus(saturating(x))))
}

// Softsign returns x/(1+|x|).
func Softsign(x *graph.Node) *graph.Node {
	if bad := refusedUnlessFloat("Softsign", x); bad != nil {
		return bad
	}
	return Div(x, AddScalar(Abs(x), 1))
}

// HardSigmoid returns x/6 + 1/2 between -3 and 3, 0 below and 1 above, as in PyTorch. Its
// derivative at -3 and 3 is 0.
func HardSigmoid(x *graph.Node) *graph.Node {
	if bad := refusedUnlessFloat("HardSigmoid", x); bad != nil {
		return bad
	}
	line := MulScalar(AddScalar(x, 3), 1./6) // x/6 + 1/2 would lose digits of small results
	atMost1 := Where(GreaterEqual(x, Scalar(x, 3)), Scalar(x, 1), line)
	return Where(LessEqual(x, Scalar(x, -3)), Scalar(x, 0), atMost1)
}

// HardSwish returns x*HardSigmoid(x). Its derivative at -3 is -1/2, that at 3 is 1.
//
// Howard et al., "Searching for MobileNetV3", 2019.
func HardSwish(x *graph.Node) *graph.Node {
	if bad := refusedUnlessFloat("HardSwish", x); bad != nil {
		return bad
	}
	low, high := Less(x, Scalar(x, -3)), GreaterEqual(x, Scalar(x, 3))
	within := Where(Or(low, high), Scalar(x, 0), x)
	parabola := MulScalar(Mul(within, AddScalar(within, 3)), 1./6)
	return Where(low, Scalar(x, 0), Where(high, x, parabola))
}

// PReLU returns x where x > 0, and alpha*x elsewhere. alpha has the element type of x, and is one
// number, (1) or (), or one per channel, (C), where C is the extent of x's axis 1. Its derivative
// at 0 is alpha.
//
// He et al., "Delving Deep into Rectifiers", 2015.
func PReLU(x, alpha *graph.Node) *graph.Node {
	bad := refused("PReLU", func() error {
		if err := wantFloat(x.Type(), alpha.Type()); err != nil {
			return err
		}
		return slopes(x.Type(), alpha.Type())
	}, x, alpha)
	if bad != nil {
		return bad
	}
	if alpha.Type().Rank() == 1 && alpha.Type().Dim(0) != 1 {
		alpha = alongChannels(alpha, x.Type().Rank())
	} else {
		alpha = Reshape(alpha)
	}
	positive, below := split(x)
	return Where(positive, x, Mul(below, alpha))
}

func slopes(x, alpha shape.Type) error {
	if alpha.Rank() == 0 || alpha.Shape == shape.Of(1) {
		return nil
	}
	if x.Rank() < 2 {
		return fmt.Errorf("alpha is %v; for an input %v without channels it must be one number", alpha, x)
	}
	if alpha.Shape != shape.Of(x.Dim(1)) {
		return fmt.Errorf("alpha is %v; for input %v it must be one number or %v", alpha, x, x.Of(shape.Of(x.Dim(1))))
	}
	return nil
}

// alongChannels reshapes one number per channel, (C), so that it broadcasts along axis 1 of a
// tensor of the given rank: (C,1,...).
func alongChannels(c *graph.Node, rank int) *graph.Node {
	dims := []shape.Dim{c.Type().Dim(0)}
	for range rank - 2 {
		dims = append(dims, 1)
	}
	return Reshape(c, dims...)
}

// Rectifies reports whether op is a ReLU, or a [Clip] with lower bound 0, such as ReLU6.
func Rectifies(op graph.Op) bool {
	clip, ok := op.(clipOp)
	return op == graph.Op(relu) || ok && clip.Lo.Value() == 0
}

// LeakyReLU returns x where x > 0, and alpha*x elsewhere. Its derivative at 0 is alpha.
func LeakyReLU(x *graph.Node, alpha float64) *graph.Node {
	return graph.Apply(leakyReLUOp{graph.Float(alpha)}, x)
}

type leakyReLUOp struct{ Alpha graph.Bits }

func (leakyReLUOp) Name() string { return "LeakyReLU" }

func (op leakyReLUOp) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := arity(in, 1); err != nil {
		return t, err
	}
	if a := op.Alpha.Value(); math.IsNaN(a) || math.IsInf(a, 0) {
		return t, fmt.Errorf("alpha is %v; want a finite number", a)
	}
	return in[0], wantFloat(in...)
}

// Grad uses the sign of the result, which is that of x, so that x need not be kept.
func (op leakyReLUOp) Grad(n, dy *graph.Node) []*graph.Node {
	x := n
	if op.Alpha.Value() < 0 {
		x = n.In(0)
	}
	return one(Where(Greater(x, Scalar(x, 0)), dy, MulScalar(dy, op.Alpha.Value())))
}

func (op leakyReLUOp) Map(_ []shape.Type, out shape.Type) engine.Map {
	x := engine.In(0)
	return engine.Map{Steps: []engine.Step{
		{Fn: engine.Mul, DType: out.DType, Args: [3]engine.Arg{x, engine.Imm(op.Alpha.Value())}},
		{Fn: engine.Gt, DType: shape.Bool, Args: [3]engine.Arg{x, engine.Imm(0)}},
		{Fn: engine.Select, DType: out.DType, Args: [3]engine.Arg{engine.Res(1), x, engine.Res(0)}},
	}, Outs: []int{2}}
}

// Softplus returns log(1+exp(x)), without overflow. It is an op of its own because the derivative
// of the stable formula max(x,0) + log1p(exp(-|x|)) is wrong at 0.
func Softplus(x *graph.Node) *graph.Node { return graph.Apply(softplusOp{}, x) }

type softplusOp struct{}

func (softplusOp) Name() string { return "Softplus" }

func (softplusOp) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := arity(in, 1); err != nil {
		return t, err
	}
	return in[0], wantFloat(in...)
}

func (softplusOp) Grad(n, dy *graph.Node) []*graph.Node { return one(Mul(dy, Sigmoid(n.In(0)))) }

func (softplusOp) Map(_ []shape.Type, out shape.Type) engine.Map {
	step := func(f engine.Fn, a, b engine.Arg) engine.Step {
		return engine.Step{Fn: f, DType: out.DType, Args: [3]engine.Arg{a, b}}
	}
	var none engine.Arg
	return engine.Map{Steps: []engine.Step{
		step(engine.Abs, engine.In(0), none),
		step(engine.Neg, engine.Res(0), none),
		step(engine.Exp, engine.Res(1), none),
		step(engine.Log1p, engine.Res(2), none),
		step(engine.Max, engine.In(0), engine.Imm(0)),
		step(engine.Add, engine.Res(4), engine.Res(3)),
	}, Outs: []int{5}}
}
