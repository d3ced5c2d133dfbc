package ops

import (
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

var softmaxOps = []graph.Op{
	SoftmaxOp{}, SoftmaxOp{Log: true}, softmaxGrad{}, softmaxGrad{SoftmaxOp{Log: true}},
}

// Softmax returns exp(x)/sum(exp(x)), with the sum along an axis. It does not overflow.
func Softmax(x *graph.Node, axis int) *graph.Node { return softmax(SoftmaxOp{Axis: axis}, x) }

// LogSoftmax returns the logarithm of [Softmax]. It is finite even where Softmax is 0.
func LogSoftmax(x *graph.Node, axis int) *graph.Node {
	return softmax(SoftmaxOp{Axis: axis, Log: true}, x)
}

func softmax(op SoftmaxOp, x *graph.Node) *graph.Node {
	if !valid(x) {
		return graph.Apply(op, x)
	}
	var err error
	if op.Axis, err = x.Type().Axis(op.Axis); err != nil {
		return x.Graph().Reject(op.Name(), err, x)
	}
	return graph.Apply(op, x)
}

// SoftmaxOp is the op of [Softmax] and [LogSoftmax].
type SoftmaxOp struct {
	Axis int
	Log  bool
}

// Name implements [graph.Op].
func (op SoftmaxOp) Name() string {
	if op.Log {
		return "LogSoftmax"
	}
	return "Softmax"
}

// Infer implements [graph.Op].
func (op SoftmaxOp) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := arity(in, 1); err != nil {
		return t, err
	}
	if _, err := in[0].Axis(op.Axis); err != nil {
		return t, err
	}
	return in[0], wantFloat(in...)
}

// Grad implements autodiff's Differentiable. It uses only the result.
func (op SoftmaxOp) Grad(n, dy *graph.Node) []*graph.Node {
	return one(graph.Apply(softmaxGrad{op}, n, dy))
}

// Bind implements the vm's Bindable.
func (op SoftmaxOp) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	s, ok := e.(engine.Softmaxer)
	if !ok {
		return engine.Bound{}, engine.Missing(e, op.Name())
	}
	axis, err := out.Axis(op.Axis)
	if err != nil {
		return engine.Bound{}, err
	}
	return s.BindSoftmax(op.Log, axis, in, out)
}

// PerExample takes the softmax within each row.
func (op SoftmaxOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	axis, err := n.Type().Axis(op.Axis)
	if err != nil {
		return nil, err
	}
	return apart(n, in, axis, func(axis int) *graph.Node { return graph.Apply(SoftmaxOp{axis, op.Log}, in[0]) })
}

// softmaxGrad computes the adjoint of x from the result y and its adjoint dy: y*(dy - sum(y*dy))
// or, for the logarithm, dy - exp(y)*sum(dy).
type softmaxGrad struct{ Of SoftmaxOp }

func (op softmaxGrad) Name() string { return op.Of.Name() + "Grad" }

func (op softmaxGrad) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := arity(in, 2); err != nil {
		return t, err
	}
	if err := sameType(in[0], in[1]); err != nil {
		return t, err
	}
	return op.Of.Infer(in[:1])
}

// Grad returns, where v is the adjoint of the result:
//
//	of y*(dy - sum(y*dy)):    v*(dy - sum(y*dy)) - dy*sum(v*y)  and  y*(v - sum(y*v))
//	of dy - exp(y)*sum(dy):   -v*exp(y)*sum(dy)                 and  v - sum(v*exp(y))
func (op softmaxGrad) Grad(n, v *graph.Node) []*graph.Node {
	y, dy, axis := n.In(0), n.In(1), op.Of.Axis
	if op.Of.Log {
		vp := Mul(v, Exp(y))
		return []*graph.Node{Neg(Mul(vp, SumKeep(dy, axis))), Sub(v, SumKeep(vp, axis))}
	}
	d := Sub(Mul(v, Sub(dy, SumKeep(Mul(y, dy), axis))), Mul(dy, SumKeep(Mul(v, y), axis)))
	return []*graph.Node{d, graph.Apply(op, y, v)}
}

func (op softmaxGrad) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	s, ok := e.(engine.Softmaxer)
	if !ok {
		return engine.Bound{}, engine.Missing(e, op.Name())
	}
	axis, err := out.Axis(op.Of.Axis)
	if err != nil {
		return engine.Bound{}, err
	}
	return s.BindSoftmaxGrad(op.Of.Log, axis, in, out)
}

// PerExample is like that of the softmax.
func (op softmaxGrad) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	if axis, err := n.Type().Axis(op.Of.Axis); err != nil || axis == 0 && isBatch(n.Type().Shape) {
		return nil, fmt.Errorf("it works along the batch, axis 0 of %v, and so mixes the examples", n.Type())
	}
	return alone(n, in)
}
