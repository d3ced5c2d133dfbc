package ops

import (
	"fmt"
	"math"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// Rectifies reports whether op is a ReLU, or a [Clip] from 0 on, such as ReLU6.
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

// Grad looks at the result where its sign is that of x, so that x need not be kept.
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

// Softplus returns log(1+exp(x)), without overflow. It is an op, since the derivative of
// the stable formula max(x,0) + log1p(exp(-|x|)) is wrong at 0.
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
