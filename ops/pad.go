package ops

import (
	"fmt"
	"math"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// The modes of [Pad], with their effect on [a b c]: constant k k|a b c|k k, edge a a|a b c|c c,
// reflect c b|a b c|b a, symmetric b a|a b c|c b.
const (
	PadConstant  = engine.PadConstant
	PadEdge      = engine.PadEdge
	PadReflect   = engine.PadReflect
	PadSymmetric = engine.PadSymmetric
)

// PadOp are the attributes of [Pad]: Before[i] elements are added in front of axis i and After[i]
// behind it. In PadConstant mode they are Value, 0 by default.
type PadOp struct {
	Mode          engine.PadMode
	Before, After [shape.MaxRank]int
	Value         graph.Bits
}

// Pad extends x beyond its edges. Paddings must not be negative. In reflect mode they may be at
// most the extent less one, in symmetric mode at most the extent. The batch axis cannot be padded.
func Pad(x *graph.Node, op PadOp) *graph.Node {
	if op.Mode != PadConstant {
		op.Value = 0
	}
	return graph.Apply(op, x)
}

// Name implements [graph.Op].
func (PadOp) Name() string { return "Pad" }

// Infer implements [graph.Op].
func (op PadOp) Infer(in []shape.Type) (shape.Type, error) {
	if err := arity(in, 1); err != nil {
		return shape.Type{}, err
	}
	if op.Mode > PadSymmetric {
		return shape.Type{}, fmt.Errorf("unknown mode %d; want PadConstant, PadEdge, PadReflect or PadSymmetric", uint8(op.Mode))
	}
	if err := representable(in[0].DType, op.Value.Value()); err != nil {
		return shape.Type{}, fmt.Errorf("the constant: %w", err)
	}
	out := in[0]
	for i := range op.Before {
		if i >= out.Rank() && op.pads(i) {
			return shape.Type{}, fmt.Errorf("axis %d cannot be padded: the input is %v", i, in[0])
		}
		if i >= out.Rank() || !op.pads(i) {
			continue
		}
		d, err := op.padded(i, out.Dim(i))
		if err != nil {
			return shape.Type{}, fmt.Errorf("axis %d of %v: %w", i, in[0], err)
		}
		out.Shape = out.With(i, d)
	}
	return out, nil
}

func (op PadOp) pads(i int) bool { return op.Before[i] != 0 || op.After[i] != 0 }

// reach returns the largest padding of an axis of extent n in the mode.
func (op PadOp) reach(n int) int {
	switch {
	case op.Mode == PadReflect:
		return max(n-1, 0)
	case op.Mode == PadSymmetric:
		return n
	case op.Mode == PadEdge && n == 0:
		return 0
	}
	return math.MaxInt32
}

// padded returns the extent d of axis i with its padding.
func (op PadOp) padded(i int, d shape.Dim) (shape.Dim, error) {
	n, ok := d.Int()
	if !ok {
		return 0, fmt.Errorf("the batch axis cannot be padded: %w", shape.ErrSymbolic)
	}
	for _, p := range [...]int{op.Before[i], op.After[i]} {
		switch {
		case p < 0:
			return 0, fmt.Errorf("padding by %d; to take elements away use Slice", p)
		case p > op.reach(n):
			return 0, fmt.Errorf("padding by %d, but %v padding is at most %d", p, op.Mode, op.reach(n))
		}
	}
	return d.Add(shape.Dim(op.Before[i] + op.After[i]))
}

// Grad adds the adjoint to the elements that were copied.
func (op PadOp) Grad(_, dy *graph.Node) []*graph.Node {
	op.Value = 0
	return one(inFloat32(dy, func(dy *graph.Node) *graph.Node { return graph.Apply(padGradOp(op), dy) }))
}

// Bind implements the vm's Bindable.
func (op PadOp) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	m, err := mover(e, op)
	if err != nil {
		return engine.Bound{}, err
	}
	return m.BindPad(op.padding(), in, out)
}

func (op PadOp) padding() engine.Padding {
	return engine.Padding{Mode: op.Mode, Before: op.Before, After: op.After, Value: uint64(op.Value)}
}

// Simplify drops a padding of 0.
func (op PadOp) Simplify(n *graph.Node) *graph.Node {
	if n.In(0).Type() == n.Type() {
		return n.In(0)
	}
	return nil
}

// PerExample pads each row.
func (op PadOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	if !own(n, in, 0) {
		return n, nil // the batch axis cannot be padded
	}
	if n.Type().Rank() == shape.MaxRank {
		return nil, fmt.Errorf("%v has no room for an axis of examples", n.Type())
	}
	wide := PadOp{Mode: op.Mode, Value: op.Value}
	copy(wide.Before[1:], op.Before[:])
	copy(wide.After[1:], op.After[:])
	return graph.Apply(wide, in[0]), nil
}

// padGradOp is the adjoint of PadOp. It removes the padding and adds it to the elements that it was
// copied from.
type padGradOp PadOp

func (padGradOp) Name() string { return "PadGrad" }

func (op padGradOp) Infer(in []shape.Type) (shape.Type, error) {
	if err := arity(in, 1); err != nil {
		return shape.Type{}, err
	}
	if err := floating.admits("input is", in[0]); err != nil {
		return shape.Type{}, err
	}
	out := in[0]
	for i := range out.Rank() {
		if PadOp(op).pads(i) {
			out.Shape = out.With(i, out.Dim(i)-shape.Dim(op.Before[i]+op.After[i]))
		}
	}
	if t, err := PadOp(op).Infer([]shape.Type{out}); err != nil || t != in[0] {
		return shape.Type{}, fmt.Errorf("%v is not the padding of anything by %v", in[0], graph.Format(PadOp(op)))
	}
	return out, nil
}

// Grad pads; elements that were the constant become zeros.
func (op padGradOp) Grad(_, dy *graph.Node) []*graph.Node { return one(graph.Apply(PadOp(op), dy)) }

func (op padGradOp) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	m, err := mover(e, op)
	if err != nil {
		return engine.Bound{}, err
	}
	return m.BindPadGrad(PadOp(op).padding(), in, out)
}

func (op padGradOp) Simplify(n *graph.Node) *graph.Node { return PadOp(op).Simplify(n) }

// PerExample keeps the rows separate: the batch axis cannot be padded.
func (padGradOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	return alone(n, in)
}
