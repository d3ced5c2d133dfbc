package ops

import (
	"errors"
	"fmt"
	"math"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

var negZero = math.Copysign(0, -1)

// Where returns a where cond, a Bool, is true, and b elsewhere. All three broadcast; a and b
// have one element type. What is not selected does not count, NaN and infinities included.
//
// The adjoint of what is not selected is 0. What a branch was computed from has that 0 times the branch's
// derivative, which is NaN where the derivative is infinite or NaN, as in PyTorch: with x of 0,
// Where(Greater(x, zero), Sqrt(x), zero) has the derivative NaN. Give such a branch other numbers where it
// is not selected: Sqrt(Where(Greater(x, zero), x, one)).
func Where(cond, a, b *graph.Node) *graph.Node { return graph.Apply(whereOp{}, cond, a, b) }

type whereOp struct{}

func (whereOp) Name() string { return "Where" }

func (whereOp) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := arity(in, 3); err != nil {
		return t, err
	}
	if in[0].DType != shape.Bool {
		return t, fmt.Errorf("the condition is %v; want bool, as comparisons give", in[0])
	}
	if in[1].DType != in[2].DType {
		return t, fmt.Errorf("the branches are %v and %v; want one element type, see Cast", in[1].DType, in[2].DType)
	}
	s, err := broadcast(in...)
	return in[1].Of(s), err
}

func (whereOp) Grad(n, dy *graph.Node) []*graph.Node {
	cond, a, b, zero := n.In(0), n.In(1), n.In(2), Scalar(dy, 0)
	return []*graph.Node{nil, spreadBack(Where(cond, dy, zero), a.Type().Shape), spreadBack(Where(cond, zero, dy), b.Type().Shape)}
}

func (whereOp) Map(_ []shape.Type, out shape.Type) engine.Map {
	return engine.MapOf(engine.Select, out.DType, engine.In(0), engine.In(1), engine.In(2))
}

// Simplify removes a Where whose branches are equal, or whose condition is the same everywhere.
func (whereOp) Simplify(n *graph.Node) *graph.Node {
	cond, a, b := n.In(0), n.In(1), n.In(2)
	switch {
	case (isUniform(cond, 1) || same(a, b)) && a.Type() == n.Type():
		return a
	case (isUniform(cond, 0) || same(a, b)) && b.Type() == n.Type():
		return b
	}
	return nil
}

// same reports whether a and b are the same numbers, as far as can be seen.
func same(a, b *graph.Node) bool {
	v, known := uniform(a)
	return a == b || known && isUniform(b, v)
}

// Clip returns x, or the nearer of the bounds lo and hi where x is outside them; NaN stays.
// The gradient passes where x is within the bounds, these included.
func Clip(x *graph.Node, lo, hi float64) *graph.Node {
	return graph.Apply(clipOp{graph.Float(lo), graph.Float(hi)}, x)
}

type clipOp struct{ Lo, Hi graph.Bits }

func (clipOp) Name() string { return "Clip" }

func (op clipOp) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := arity(in, 1); err != nil {
		return t, err
	}
	if !(op.Lo.Value() <= op.Hi.Value()) {
		return t, fmt.Errorf("bounds %v and %v; want the lower one first", op.Lo, op.Hi)
	}
	if err := number.check(in...); err != nil {
		return t, err
	}
	if err := representable(in[0].DType, op.Lo.Value()); err != nil {
		return t, err
	}
	return in[0], representable(in[0].DType, op.Hi.Value())
}

func (op clipOp) Grad(n, dy *graph.Node) []*graph.Node {
	x := n.In(0)
	inside := And(GreaterEqual(x, Scalar(x, op.Lo.Value())), LessEqual(x, Scalar(x, op.Hi.Value())))
	return one(Where(inside, dy, Scalar(dy, 0)))
}

func (op clipOp) Map(_ []shape.Type, out shape.Type) engine.Map {
	return engine.Map{Steps: []engine.Step{
		{Fn: engine.Max, DType: out.DType, Args: [3]engine.Arg{engine.In(0), engine.Imm(op.Lo.Value())}},
		{Fn: engine.Min, DType: out.DType, Args: [3]engine.Arg{engine.Res(0), engine.Imm(op.Hi.Value())}},
	}, Outs: []int{1}}
}

// Cast returns x's elements as type d. Floating point becomes narrower floating point by rounding
// once, to the nearest, ties to even: a number beyond the range is infinite, one below the normal
// numbers keeps the bits it can, NaN stays NaN. Floating point becomes integer by rounding towards
// zero, and the nearest integer of the type, or 0 for NaN, where that does not fit, which PyTorch
// leaves undefined; integers are cut to the width of a narrower type; true is 1, and what is not 0
// is true.
//
// Gradients pass between floating-point types, bfloat16 and float16 among them, as they are but
// for rounding: the adjoint of the input is that of the result, cast back.
func Cast(x *graph.Node, d shape.DType) *graph.Node { return graph.Apply(castOp{d}, x) }

type castOp struct{ To shape.DType }

func (castOp) Name() string { return "Cast" }

func (op castOp) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := arity(in, 1); err != nil {
		return t, err
	}
	if op.To.Width() == 0 {
		return t, errors.New("the element type to cast to is invalid")
	}
	return in[0].As(op.To), nil
}

func (op castOp) Grad(n, dy *graph.Node) []*graph.Node {
	x := n.In(0)
	if !x.Type().HasGradient() || !op.To.HasGradient() {
		return one(nil)
	}
	return one(Cast(dy, x.Type().DType))
}

func (op castOp) Map([]shape.Type, shape.Type) engine.Map {
	return engine.MapOf(engine.Copy, op.To, engine.In(0))
}

// WithDType implements [graph.Retyper].
func (op castOp) WithDType(d shape.DType) graph.Op {
	if op.To.IsFloat() {
		return castOp{d}
	}
	return op
}

// Simplify drops a cast to the type that is there already.
func (op castOp) Simplify(n *graph.Node) *graph.Node {
	if x := n.In(0); x.Type().DType == op.To {
		return x
	}
	return nil
}
