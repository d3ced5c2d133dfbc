package ops

import (
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// The methods PerExample of ops implement autodiff's PerExample, for gradients of each example: they
// say what an op gives where inputs that all rows of a batch share are given for each row, with the
// rows in front. A method that is given n's own inputs says whether n keeps the rows apart. What
// several of them use follows.

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
