package ops

import (
	"fmt"
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// UpdateSlice returns x with the elements from start on along an axis replaced by those of part. Both
// have any one element type and the same extents, numbers, but for that of part along the axis, which
// is at most x's. start is an integer without axes; if part would not end inside x, that is an error
// of the run. Negative axes count from the end.
//
// As the next value of a state x, which [graph.Graph.Update] makes it, it is written into the state:
// only the elements of part are copied, however large x is, and what reads the result reads the
// state. So a cache of keys and values grows by a position a step:
//
//	keys := g.State("keys", shape.F32(1, heads, 1024, 64), nil)
//	now := ops.UpdateSlice(keys, key, 2, position) // key (1,heads,1,64)
//	g.Update(keys, now)
//	y := ops.Attention(query, now, values, ops.AttentionOptions{Keys: ops.AddScalar(position, 1)})
//
// The state is copied instead where something else reads x itself, or an op that depends on the
// result may be an error of the run. XLA calls it DynamicUpdateSlice.
func UpdateSlice(x, part *graph.Node, axis int, start *graph.Node) *graph.Node {
	axis = fromEnd(axis, x)
	bad := refused("UpdateSlice", func() error {
		if err := checkIndex("start", start.Type()); err != nil {
			return err
		}
		_, err := updateSliceOp{axis}.Infer([]shape.Type{x.Type(), part.Type(), shape.I32()})
		return err
	}, x, part, start)
	if bad != nil {
		return bad
	}
	return graph.Apply(updateSliceOp{axis}, x, part, index(start, x.Type().Int(axis)-part.Type().Int(axis)+1))
}

// updateSliceOp has the inputs x, part and start, an Int32 with which part ends inside x.
type updateSliceOp struct{ Axis int }

func (updateSliceOp) Name() string { return "UpdateSlice" }

func (op updateSliceOp) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := arity(in, 3); err != nil {
		return t, err
	}
	x, part := in[0], in[1]
	switch {
	case op.Axis < 0 || op.Axis >= x.Rank():
		return t, fmt.Errorf("no axis %d in %v", op.Axis, x)
	case part.DType != x.DType || part.Rank() != x.Rank() || part.With(op.Axis, x.Dim(op.Axis)) != x.Shape:
		return t, fmt.Errorf("the part is %v, for %v; they may differ only in axis %d", part, x, op.Axis)
	case !shape.Of(x.Dim(op.Axis), part.Dim(op.Axis)).Concrete() || part.Int(op.Axis) > x.Int(op.Axis):
		return t, fmt.Errorf("the part is %v, for %v; want numbers in axis %d, the part's not the larger", part, x, op.Axis)
	case in[2] != shape.I32():
		return t, fmt.Errorf("start is %v; want an int32 without axes", in[2])
	}
	return x, nil
}

// Grad returns dy with zeros in the place of part, and what stands there.
func (op updateSliceOp) Grad(n, dy *graph.Node) []*graph.Node {
	part, start := n.In(1), n.In(2)
	places := Add(numbers(n.Graph(), part.Type().Dim(op.Axis)), start)
	return []*graph.Node{graph.Apply(op, dy, ZerosLike(part), start), Gather(dy, op.Axis, places), nil}
}

func (op updateSliceOp) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	x, ok := e.(engine.Indexer)
	if !ok {
		return engine.Bound{}, engine.Missing(e, op.Name())
	}
	return x.BindUpdateSlice(op.Axis, in, out)
}

// PerExample updates each row.
func (op updateSliceOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	switch {
	case own(n, in, 2):
		return nil, fmt.Errorf("its start is given separately for each example; want the same for all")
	case !anyOwn(n, in):
		return n, nil
	case isBatch(n.Type().Shape):
		return nil, sharedBatch(n)
	}
	return graph.Apply(updateSliceOp{op.Axis + 1}, eachOwn(n, in, 2)...), nil
}

// sharedBatch is the error for an op that cannot tell whose example is whose.
func sharedBatch(n *graph.Node) error {
	return fmt.Errorf("its input is shared by all examples of %v, and given separately for each; want one that has axis 0, the batch", n.Type())
}

// eachOwn returns in with the first inputs, so many, given separately for each example, those that are not
// repeated.
func eachOwn(n *graph.Node, in []*graph.Node, first int) []*graph.Node {
	all := slices.Clone(in)
	for i, x := range all[:first] {
		if !own(n, in, i) {
			all[i] = BroadcastTo(x, x.Type().Shape.Insert(0, rowsOf(n, in)))
		}
	}
	return all
}
