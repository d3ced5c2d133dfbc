package ops

import (
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// OneHot turns integer ids of any shape into vectors along a new last axis: 1 at the id and 0
// elsewhere, with the element type of like. An id outside 0..classes-1 is an error of the run.
func OneHot(ids *graph.Node, classes int, like *graph.Node) *graph.Node {
	return graph.Apply(OneHotOp{classes}, ids, like)
}

// OneHotOp is the op of [OneHot]. Only the element type of its second input is used.
type OneHotOp struct{ Classes int }

// Name implements [graph.Op].
func (OneHotOp) Name() string { return "OneHot" }

// Infer implements [graph.Op].
func (op OneHotOp) Infer(in []shape.Type) (shape.Type, error) {
	if err := arity(in, 2); err != nil {
		return shape.Type{}, err
	}
	if err := integers.admits("ids are", in[0]); err != nil {
		return shape.Type{}, err
	}
	if op.Classes < 1 {
		return shape.Type{}, fmt.Errorf("%d classes; want at least one", op.Classes)
	}
	return in[1].Of(in[0].Insert(in[0].Rank(), shape.Dim(op.Classes))), nil
}

// Grad is zero: ids are integers, and the values of like are not used.
func (OneHotOp) Grad(_, _ *graph.Node) []*graph.Node { return make([]*graph.Node, 2) }

// Bind implements the vm's Bindable.
func (op OneHotOp) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	m, err := mover(e, op)
	if err != nil {
		return engine.Bound{}, err
	}
	return m.BindOneHot(in[:1], out)
}

// PerExample ignores the second input, of which only the type is used.
func (OneHotOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	if !own(n, in, 1) || isBatch(n.Type().Shape) {
		return n, nil
	}
	return BroadcastTo(n, n.Type().Insert(0, in[1].Type().Dim(0))), nil
}
