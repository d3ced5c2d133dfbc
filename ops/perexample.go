package ops

import (
	"errors"
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// Methods PerExample, which stand with their ops, implement autodiff's PerExample, for gradients of each example: they say
// what an op gives where inputs that all rows of a batch share are given anew for each row, with the
// rows in front. A method that is given n's own inputs says whether n keeps the rows apart.

// Elementwise reports whether op is computed element by element, over inputs that broadcast.
func Elementwise(op graph.Op) bool {
	_, ok := op.(engine.ElementwiseOp)
	return ok
}

// Uniform reports whether op gives one number everywhere, and reads only the types of its inputs.
func Uniform(op graph.Op) bool {
	_, ok := op.(engine.UniformOp)
	return ok
}

// Counted returns op as what knows its number of multiply-accumulate operations, if it does.
func Counted(op graph.Op) (counted engine.CountedOp, ok bool) {
	counted, ok = op.(engine.CountedOp)
	return counted, ok
}

// own reports whether input i is given anew for each row.
func own(n *graph.Node, in []*graph.Node, i int) bool { return in[i] != n.In(i) }

// alone is the rule of an op that keeps rows apart and shares nothing between them.
func alone(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	for i := range in {
		if own(n, in, i) {
			return nil, fmt.Errorf("its input %d, %v, is shared by all examples; want one that belongs to each", i, n.In(i).Type())
		}
	}
	return n, nil
}

// apart is the rule of an op that works along one axis: f applies it along another one.
func apart(n *graph.Node, in []*graph.Node, axis int, f func(axis int) *graph.Node) (*graph.Node, error) {
	switch {
	case own(n, in, 0):
		return f(axis + 1), nil
	case axis == 0 && n.Type().Dim(0).Symbolic():
		return nil, fmt.Errorf("it works along the batch, axis 0 of %v, and so mixes the examples", n.In(0).Type())
	}
	return n, nil
}

// inFront puts an extent before the axes of a shape.
func inFront(d shape.Dim, s shape.Shape) []shape.Dim { return s.Insert(0, d).Dims() }

// isBatch reports whether s has rows.
func isBatch(s shape.Shape) bool { return s.Rank() > 0 && s.Dim(0).Symbolic() }

// AlignRows returns the shape in which what s holds for each row, its axis 0, broadcasts to the rows of
// a result of the given rank: (N,1,1,C) of (N,C) for rank 4. A row with more axes than those of the
// result must begin with axes of extent 1, which it loses.
func AlignRows(s shape.Shape, rank int) shape.Shape {
	for s.Rank() < rank {
		s = s.Insert(1, 1)
	}
	for s.Rank() > rank {
		s = s.Drop(1)
	}
	return s
}

// withRows is the region of each row of a batch.
func (r region) withRows(rows shape.Dim) region {
	b := wholeOf(r.Whole.Insert(0, rows))
	b.Part = r.Part.Insert(0, rows)
	copy(b.Start[1:], r.Start[:r.Whole.Rank()])
	copy(b.Step[1:], r.Step[:r.Whole.Rank()])
	return b
}

// takesAllRows reports whether the region has all of axis 0, as it stands.
func (r region) takesAllRows() bool {
	return r.Start[0] == 0 && r.Step[0] == 1 && r.Part.Dim(0) == r.Whole.Dim(0)
}

func (r region) perRow(n *graph.Node, in []*graph.Node, f func(region) *graph.Node) (*graph.Node, error) {
	switch {
	case own(n, in, 0):
		return f(r.withRows(in[0].Type().Dim(0))), nil
	case isBatch(n.Type().Shape) && !r.takesAllRows():
		return nil, errors.New("it takes part of the batch, after which it is no longer told which row is of which example")
	}
	return n, nil
}

// rowsOf is the number of rows of the inputs that are given anew.
func rowsOf(n *graph.Node, in []*graph.Node) shape.Dim {
	for i, x := range in {
		if own(n, in, i) {
			return x.Type().Dim(0)
		}
	}
	return 0
}

// matrices spreads an operand to a batch of matrices; one of two axes serves every batch.
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

// patches are what the windows of a convolution see: a convolution of each channel by itself, with as
// many filters as a window has elements, each of which picks one of them.
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

// taps are the filters, (C*KH*KW,1,KH,KW), in x's graph.
func (p patches) taps(x *graph.Node) *graph.Node {
	taps := p.kernel[0] * p.kernel[1]
	v := make([]float64, p.channels*taps*taps)
	for i := range p.channels * taps {
		v[i*taps+i%taps] = 1
	}
	t := x.Type().Of(shape.OfInts(p.channels*taps, 1, p.kernel[0], p.kernel[1]))
	return x.Graph().Const(t, v)
}

// columns gives the patches (N,C*KH*KW,OH,OW) an axis of groups and one of places.
func (p patches) columns(x *graph.Node) *graph.Node {
	t := x.Type()
	return Reshape(x, t.Dim(0), p.groups, p.depth, t.Dim(2)*t.Dim(3))
}

// filters gives those of each row, (N,O,C/Groups,KH,KW), an axis of groups.
func (p patches) filters(w *graph.Node) *graph.Node {
	return Reshape(w, w.Type().Dim(0), p.groups, p.outs, p.depth)
}
