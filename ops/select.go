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

// Where returns a where cond, a Bool, is true, and b elsewhere. All three broadcast; a and b have
// the same element type. Values that are not selected have no effect, even if they are NaN or
// infinite.
//
// The adjoint of values that are not selected is 0. The inputs of a branch get this 0 times the
// derivative of the branch, which is NaN if that derivative is infinite or NaN, as in PyTorch: for
// x = 0, Where(Greater(x, zero), Sqrt(x), zero) has the derivative NaN. To avoid this, change the
// inputs of the branch where it is not selected: Sqrt(Where(Greater(x, zero), x, one)).
func Where(cond, a, b *graph.Node) *graph.Node { return graph.Apply(whereOp{}, cond, a, b) }

type whereOp struct{}

func (whereOp) Name() string { return "Where" }

func (whereOp) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := arity(in, 3); err != nil {
		return t, err
	}
	if in[0].DType != shape.Bool {
		return t, fmt.Errorf("the condition is %v; want bool, such as the result of a comparison", in[0])
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

// same reports whether a and b are known to have equal values.
func same(a, b *graph.Node) bool {
	v, known := uniform(a)
	return a == b || known && isUniform(b, v)
}

// Clip returns x clamped to the bounds lo and hi. NaN stays NaN. The gradient passes where x is
// within the bounds, including the bounds themselves.
func Clip(x *graph.Node, lo, hi float64) *graph.Node {
	return graph.Apply(clipOp{graph.Float(lo), graph.Float(hi), false}, x)
}

// ReLU6 returns min(max(x, 0), 6). NaN stays NaN. The gradient passes where x is between the bounds, which exclude it, as
// PyTorch's does: so x need not be kept for it. See Krizhevsky, Convolutional Deep Belief Networks on CIFAR-10, 2010.
func ReLU6(x *graph.Node) *graph.Node { return graph.Apply(relu6, x) }

// clipOp clamps. If Between is set, which is for a lower bound of 0, no gradient passes at the bounds.
type clipOp struct {
	Lo, Hi  graph.Bits
	Between bool
}

var relu6 = clipOp{graph.Float(0), graph.Float(6), true}

func (op clipOp) Name() string {
	if op.Between {
		return "ReLU6"
	}
	return "Clip"
}

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
	if op.Between { // where the distances of the result from 0 and from the upper bound are positive, or NaN
		below := Sub(Scalar(n, op.Hi.Value()), n)
		return one(graph.Apply(reluGrad, n, graph.Apply(reluGrad, below, dy)))
	}
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

// Cast returns the elements of x converted to type d. Conversion to a narrower floating-point type
// rounds once, to the nearest, ties to even: a number beyond the range becomes infinite, one below
// the normal numbers keeps the bits that fit, and NaN stays NaN. Conversion from floating point to
// an integer type rounds towards zero; values out of range, for which PyTorch's result is
// undefined, become the nearest integer of the type, and NaN becomes 0. Conversion to a narrower
// integer type drops the high bits. Bool true is 1, and every nonzero number is true.
//
// Gradients pass between floating-point types, including bfloat16 and float16: the adjoint of x is
// the adjoint of the result, converted back.
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

// Simplify drops a cast to the type that the input already has.
func (op castOp) Simplify(n *graph.Node) *graph.Node {
	if x := n.In(0); x.Type().DType == op.To {
		return x
	}
	return nil
}
