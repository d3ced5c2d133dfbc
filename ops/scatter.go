package ops

import (
	"errors"
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// What becomes of an element of x to which [ScatterAlong] or [ScatterND] scatters a value; of several
// values, one after the other in the order of their ids. Only the first two have gradients.
const (
	ScatterReplace = engine.Replace    // the value, of several the last
	ScatterAdd     = engine.CombineAdd // the sum
	ScatterMul     = engine.CombineMul // the product
	ScatterMax     = engine.CombineMax // the greater one; NaN if either is
	ScatterMin     = engine.CombineMin // the lesser one; NaN if either is
)

// ScatterAlong returns x with values combined with elements along an axis, each at its id: for axis 1,
// values[i,j] with element [i,ids[i,j]]. ids, integers, and values, of x's element type, have one
// shape, which is x's except in the axis. It is the counterpart of [GatherAlong]; PyTorch calls it scatter,
// ONNX ScatterElements. An id outside the axis is an error of the run.
func ScatterAlong(x *graph.Node, axis int, ids, values *graph.Node, c engine.Combine) *graph.Node {
	return graph.Apply(scatterOp{gatherOp{Axis: fromEnd(axis, x), Along: true}, c}, x, ids, values)
}

// GatherND takes parts of x, of any element type. The last axis of ids, integers (B...,I...,K), has the place
// of a part along K axes of x, those after the first batch axes, which x and ids share. The result is
// (B...,I...), followed by the axes of x that have no place. It is ONNX's GatherND. An id outside its axis is
// an error of the run.
func GatherND(x, ids *graph.Node, batch int) *graph.Node {
	var p picked
	bad := refused("GatherND", func() (err error) {
		p, err = pickedOf(x.Type(), ids.Type(), batch)
		return err
	}, x, ids)
	if bad != nil {
		return bad
	}
	at := p.flat(ids)
	if batch == 0 {
		y := Gather(Reshape(x, p.all, p.rest), 0, Reshape(at, p.count))
		return Reshape(y, p.result.Dims()...)
	}
	each := BroadcastTo(Reshape(at, p.rows, p.count, 1), shape.Of(p.rows, p.count, p.rest))
	return Reshape(GatherAlong(Reshape(x, p.rows, p.all, p.rest), 1, each), p.result.Dims()...)
}

// ScatterND returns x with parts of values combined with its parts. The last axis of ids, integers (I...,K), has
// the place of a part along the first K axes of x. values are what [GatherND] would take for the ids. It is
// ONNX's ScatterND. An id outside its axis is an error of the run.
func ScatterND(x, ids, values *graph.Node, c engine.Combine) *graph.Node {
	var p picked
	bad := refused("ScatterND", func() (err error) {
		if p, err = pickedOf(x.Type(), ids.Type(), 0); err != nil {
			return err
		}
		if values.Type() != x.Type().Of(p.result) {
			return fmt.Errorf("values are %v; for %v and ids %v they must be %v", values.Type(), x.Type(), ids.Type(), x.Type().Of(p.result))
		}
		_, err = scatterOp{gatherOp{}, c}.Infer([]shape.Type{x.Type().Of(shape.Of(p.all, p.rest)), shape.I64(p.count), x.Type().Of(shape.Of(p.count, p.rest))})
		return err
	}, x, ids, values)
	if bad != nil {
		return bad
	}
	y := graph.Apply(scatterOp{Combine: c}, Reshape(x, p.all, p.rest), Reshape(p.flat(ids), p.count), Reshape(values, p.count, p.rest))
	return Reshape(y, x.Type().Dims()...)
}

// picked are the places of [GatherND] in x, seen as (rows, all, rest): count of them in each row.
type picked struct {
	rows, all, rest, count shape.Dim
	axes                   []shape.Dim // extents of those that ids have a place along
	result                 shape.Shape
}

func pickedOf(x, ids shape.Type, batch int) (p picked, err error) {
	if err := integers.admits("ids are", ids); err != nil {
		return p, err
	}
	if ids.Rank() == 0 || ids.Dim(-1).Symbolic() || ids.Dim(-1) == 0 {
		return p, fmt.Errorf("ids are %v; want (...,K) with a place along K axes, at least 1", ids)
	}
	k := ids.Int(-1)
	if batch < 0 || batch >= ids.Rank() || batch+k > x.Rank() {
		return p, fmt.Errorf("ids are %v, for %d axes of %v behind %d of the batch; it cannot have as many", ids, k, x, batch)
	}
	xs, is := x.Dims(), ids.Dims()
	for i := range batch {
		if xs[i] != is[i] {
			return p, fmt.Errorf("ids are %v, the input is %v; the first %d axes must be the same", ids, x, batch)
		}
	}
	p.axes = xs[batch : batch+k]
	for _, d := range p.axes[1:] {
		if d.Symbolic() {
			return p, fmt.Errorf("ids %v have places along the batch axis of %v; only the first of their axes can be that", ids, x)
		}
	}
	size := func(dims []shape.Dim) (n shape.Dim) {
		n, e := shape.Of(dims...).Size()
		err = errors.Join(err, e)
		return n
	}
	p.rows, p.all, p.rest, p.count = size(xs[:batch]), size(p.axes), size(xs[batch+k:]), size(is[batch:len(is)-1])
	result := append(is[:len(is)-1:len(is)-1], xs[batch+k:]...)
	if len(result) > shape.MaxRank {
		return p, fmt.Errorf("%v by ids %v would have %d axes; want at most %d", x, ids, len(result), shape.MaxRank)
	}
	p.result = shape.Of(result...)
	return p, err
}

// flat returns each place as one Int64, which is negative, or too large, where an id is outside its axis.
func (p picked) flat(ids *graph.Node) *graph.Node {
	ids = Cast(ids, shape.Int64)
	last := ids.Type().Rank() - 1
	id := func(i int) *graph.Node { return Squeeze(sliceAxis(ids, last, i, i+1), last) }
	at := id(0)
	var outside *graph.Node
	for i, d := range p.axes[1:] {
		next := id(i + 1)
		beyond := Or(Less(next, Scalar(next, 0)), GreaterEqual(next, Scalar(next, float64(d))))
		if outside == nil {
			outside = beyond
		} else {
			outside = Or(outside, beyond)
		}
		at = Add(MulScalar(at, float64(d)), next)
	}
	if outside == nil {
		return at
	}
	return Where(outside, Scalar(at, -1), at)
}

// scatterOp has the inputs x, ids and values; see [engine.Scatter].
type scatterOp struct {
	Gather  gatherOp
	Combine engine.Combine
}

func (op scatterOp) Name() string {
	name := "ScatterParts"
	if op.Gather.Along {
		name = "ScatterAlong"
	}
	if op.Combine == ScatterReplace {
		return name
	}
	return name + op.Combine.String()
}

func (op scatterOp) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := arity(in, 3); err != nil {
		return t, err
	}
	want, err := op.Gather.Infer(in[:2])
	if err != nil {
		return t, err
	}
	if in[2] != want {
		return t, fmt.Errorf("values are %v; for %v and ids %v they must be %v", in[2], in[0], in[1], want)
	}
	if op.Combine > ScatterMin {
		return t, fmt.Errorf("no way %d of combining values; want ScatterReplace to ScatterMin", op.Combine)
	}
	if op.Combine != ScatterReplace {
		return in[0], number.check(in[0])
	}
	return in[0], nil
}

// NotDifferentiable implements autodiff's NotDifferentiable.
func (op scatterOp) NotDifferentiable() string {
	if op.Combine == ScatterReplace || op.Combine == ScatterAdd {
		return ""
	}
	return "values that are scattered have gradients only where they are added, or replace what was there"
}

// Grad gathers the adjoint from where values went. A value that another one has replaced has none.
func (op scatterOp) Grad(n, dy *graph.Node) []*graph.Node {
	ids, values := n.In(1), n.In(2)
	taken := graph.Apply(op.Gather, dy, ids)
	if op.Combine == ScatterAdd {
		return []*graph.Node{dy, nil, taken}
	}
	zero := Scalar(dy, 0)
	dx := graph.Apply(op, dy, ids, BroadcastTo(zero, values.Type().Shape))
	count := AddScalar(CumSum(OnesLike(Cast(ids, shape.Int32)), op.Gather.Axis), -1)
	slots := n.In(0).Type().Shape
	if !op.Gather.Along {
		slots = shape.Of(slots.Dim(op.Gather.Axis))
	}
	last := graph.Apply(op, Full(count, slots, 0), ids, count)
	left := Equal(graph.Apply(op.Gather, last, ids), count)
	if !op.Gather.Along {
		left = Unsqueeze(left, 1)
	}
	return []*graph.Node{dx, nil, Where(left, taken, zero)}
}

func (op scatterOp) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	x, ok := e.(engine.Indexer)
	if !ok {
		return engine.Bound{}, engine.Missing(e, op.Name())
	}
	return x.BindScatter(engine.Scatter{Gather: op.Gather.attrs(), Combine: op.Combine}, in, out)
}

// PerExample scatters within each row.
func (op scatterOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	if op.Gather.Axis == 0 && isBatch(n.Type().Shape) {
		return nil, fmt.Errorf("it scatters along the batch, axis 0 of %v, and so mixes the examples", n.Type())
	}
	return alone(n, in)
}

// ReverseSequence returns x, of any element type, with the first elements along an axis in reverse: of the
// sequence with index b of the batch axis the first lengths[b] of its T elements. lengths are integers (B) from 0 to
// T; a greater one is an error of the run, a lesser one is 0. It is ONNX's ReverseSequence.
func ReverseSequence(x, lengths *graph.Node, batch, axis int) *graph.Node {
	batch, axis = fromEnd(batch, x), fromEnd(axis, x)
	bad := refused("ReverseSequence", func() error {
		t, l := x.Type(), lengths.Type()
		switch {
		case batch < 0 || batch >= t.Rank() || axis < 0 || axis >= t.Rank() || batch == axis:
			return fmt.Errorf("no sequences along axis %d for each index of axis %d in %v; want two of its axes", axis, batch, t)
		case t.Dim(axis).Symbolic():
			return fmt.Errorf("sequences are along axis %d of %v; want one whose extent is a number", axis, t)
		case !l.IsInt():
			return integers.admits("lengths are", l)
		case l.Shape != shape.Of(t.Dim(batch)):
			return fmt.Errorf("lengths are %v; for axis %d of %v they must be %v", l, batch, t, l.Of(shape.Of(t.Dim(batch))))
		}
		return nil
	}, x, lengths)
	if bad != nil {
		return bad
	}
	along := func(n *graph.Node, axis int) *graph.Node {
		dims := make([]shape.Dim, x.Type().Rank())
		for i := range dims {
			dims[i] = 1
		}
		dims[axis] = n.Type().Dim(0)
		return Reshape(n, dims...)
	}
	n := along(Cast(lengths, shape.Int32), batch)
	at := along(numbers(x.Graph(), x.Type().Dim(axis)), axis)
	from := Where(Less(at, n), Sub(AddScalar(n, -1), at), at)
	return GatherAlong(x, axis, BroadcastTo(from, x.Type().Shape))
}
