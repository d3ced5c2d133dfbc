package ops

import (
	"errors"
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// The PerExample methods, which are next to their ops, implement autodiff's PerExample for
// per-example gradients. They return the op's result if inputs that all rows of a batch share are
// given separately for each row, with the rows as axis 0. Called with the inputs of n itself, a
// method reports whether n keeps the rows separate.

// Elementwise reports whether op is computed element by element, with inputs that broadcast.
func Elementwise(op graph.Op) bool {
	_, ok := op.(engine.ElementwiseOp)
	return ok
}

// Uniform reports whether all elements of op's result are the same number, and it uses only the
// types of its inputs.
func Uniform(op graph.Op) bool {
	_, ok := op.(engine.UniformOp)
	return ok
}

// Counted returns op as a CountedOp, if it knows its number of multiply-accumulate operations.
func Counted(op graph.Op) (counted engine.CountedOp, ok bool) {
	counted, ok = op.(engine.CountedOp)
	return counted, ok
}

// own reports whether input i is given separately for each row.
func own(n *graph.Node, in []*graph.Node, i int) bool { return in[i] != n.In(i) }

// alone is the rule of an op that keeps rows separate and shares no input between them.
func alone(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	for i := range in {
		if own(n, in, i) {
			return nil, fmt.Errorf("its input %d, %v, is shared by all examples; want one that belongs to each", i, n.In(i).Type())
		}
	}
	return n, nil
}

// apart is the rule of an op that works along one axis. f applies it along another axis.
func apart(n *graph.Node, in []*graph.Node, axis int, f func(axis int) *graph.Node) (*graph.Node, error) {
	switch {
	case own(n, in, 0):
		return f(axis + 1), nil
	case axis == 0 && n.Type().Dim(0).Symbolic():
		return nil, fmt.Errorf("it works along the batch, axis 0 of %v, and so mixes the examples", n.In(0).Type())
	}
	return n, nil
}

// inFront inserts an extent in front of the axes of a shape.
func inFront(d shape.Dim, s shape.Shape) []shape.Dim { return s.Insert(0, d).Dims() }

// isBatch reports whether s has rows.
func isBatch(s shape.Shape) bool { return s.Rank() > 0 && s.Dim(0).Symbolic() }

// AlignRows returns the shape with which a tensor of shape s, whose axis 0 is the rows, broadcasts
// to the rows of a result of the given rank: (N,1,1,C) for (N,C) and rank 4. If its rows have more
// axes than those of the result, the first of these must have extent 1 and are dropped.
func AlignRows(s shape.Shape, rank int) shape.Shape {
	for s.Rank() < rank {
		s = s.Insert(1, 1)
	}
	for s.Rank() > rank {
		s = s.Drop(1)
	}
	return s
}

// withRows returns the region applied to each row of a batch.
func (r region) withRows(rows shape.Dim) region {
	b := wholeOf(r.Whole.Insert(0, rows))
	b.Part = r.Part.Insert(0, rows)
	copy(b.Start[1:], r.Start[:r.Whole.Rank()])
	copy(b.Step[1:], r.Step[:r.Whole.Rank()])
	return b
}

// takesAllRows reports whether the region takes all of axis 0 in its order.
func (r region) takesAllRows() bool {
	return r.Start[0] == 0 && r.Step[0] == 1 && r.Part.Dim(0) == r.Whole.Dim(0)
}

func (r region) perRow(n *graph.Node, in []*graph.Node, f func(region) *graph.Node) (*graph.Node, error) {
	switch {
	case own(n, in, 0):
		return f(r.withRows(in[0].Type().Dim(0))), nil
	case isBatch(n.Type().Shape) && !r.takesAllRows():
		return nil, errors.New("it takes part of the batch, after which rows can no longer be assigned to examples")
	}
	return n, nil
}

// rowsOf returns the number of rows of the inputs that are given separately for each row.
func rowsOf(n *graph.Node, in []*graph.Node) shape.Dim {
	for i, x := range in {
		if own(n, in, i) {
			return x.Type().Dim(0)
		}
	}
	return 0
}

// matrices broadcasts an operand to a batch of matrices. An operand with two axes is shared by all.
func matrices(x *graph.Node, own bool, batch shape.Shape) *graph.Node {
	t := x.Type()
	if !own && t.Rank() == 2 {
		return x
	}
	if own {
		x = Reshape(x, AlignRows(t.Shape, batch.Rank()+2).Dims()...)
	}
	return BroadcastTo(x, shape.Of(append(batch.Dims(), t.Dim(-2), t.Dim(-1))...))
}

// patches computes the elements under the windows of a convolution: it convolves each channel
// separately with as many filters as a window has elements, each of which picks one element.
type patches struct {
	conv                Conv2DOp
	channels            int
	kernel              [2]int
	groups, outs, depth shape.Dim // outs filters of depth elements in each group
}

func (op Conv2DOp) patches(x, w shape.Type) patches {
	p := patches{conv: op, channels: x.Int(1), kernel: imageSize(w), groups: shape.Dim(op.Groups)}
	p.conv.Groups = p.channels
	p.outs, p.depth = shape.Dim(w.Int(0)/op.Groups), shape.Dim(w.Len()/w.Int(0))
	return p
}

// taps returns the filters, (C*KH*KW,1,KH,KW), in x's graph.
func (p patches) taps(x *graph.Node) *graph.Node {
	taps := p.kernel[0] * p.kernel[1]
	v := make([]float64, p.channels*taps*taps)
	for i := range p.channels * taps {
		v[i*taps+i%taps] = 1
	}
	t := x.Type().Of(shape.OfInts(p.channels*taps, 1, p.kernel[0], p.kernel[1]))
	return x.Graph().Const(t, v)
}

// columns reshapes the patches (N,C*KH*KW,OH,OW) to an axis of groups and one of positions.
func (p patches) columns(x *graph.Node) *graph.Node {
	t := x.Type()
	return Reshape(x, t.Dim(0), p.groups, p.depth, t.Dim(2)*t.Dim(3))
}

// filters reshapes the filters of each row, (N,O,C/Groups,KH,KW), to have an axis of groups.
func (p patches) filters(w *graph.Node) *graph.Node {
	return Reshape(w, w.Type().Dim(0), p.groups, p.outs, p.depth)
}
