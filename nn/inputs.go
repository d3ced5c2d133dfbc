package nn

import (
	"errors"
	"fmt"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// Inputs is a model of several inputs: it cuts x (N,n), which data.JoinInputs makes of the inputs of
// several datasets, into parts (N,...) of the given Shapes, and returns what Layer makes of them. Its
// parameters are those that Layer makes in the scope.
type Inputs struct {
	Shapes []shape.Shape
	Layer  func(s Scope, xs []*graph.Node) *graph.Node
}

// Apply returns the result of Layer.
func (l Inputs) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within("", x, func(s Scope) *graph.Node {
		if l.Layer == nil {
			return s.g.Reject("Inputs", errors.New("the Layer is nil"), x)
		}
		parts := Cut(x, l.Shapes...)
		for _, p := range parts {
			if !p.Valid() {
				return p
			}
		}
		return l.Layer(s, parts)
	})
}

// Cut cuts x (N,n) into parts (N,...) whose shapes without N are given, and whose numbers of elements
// add up to n: the outputs or targets of a model that has several, in its loss. A mistake is recorded in
// the graph, and all parts are invalid.
func Cut(x *graph.Node, shapes ...shape.Shape) []*graph.Node {
	parts := make([]*graph.Node, len(shapes))
	if x == nil || !x.Valid() {
		for i := range parts {
			parts[i] = x
		}
		return parts
	}
	if err := cuttable(x.Type(), shapes); err != nil {
		bad := x.Graph().Reject("Cut", err, x)
		for i := range parts {
			parts[i] = bad
		}
		return parts
	}
	from, batch := 0, x.Type().Dim(0)
	for i, s := range shapes {
		part := ops.Slice(x, ops.Whole(), ops.Range{Start: from, Stop: from + s.Len(), Step: 1})
		parts[i] = ops.Reshape(part, s.Insert(0, batch).Dims()...)
		from += s.Len()
	}
	return parts
}

func cuttable(t shape.Type, shapes []shape.Shape) error {
	if t.Rank() != 2 {
		return fmt.Errorf("the input is %v; want numbers (N,n)", t)
	}
	n := 0
	for _, s := range shapes {
		switch size, err := (shape.Type{DType: shape.Float32, Shape: s}).Size(); {
		case !s.Concrete() || err != nil || size == 0 || s.Rank() == shape.MaxRank:
			return fmt.Errorf("a part of shape %v; want extents that are known, and an axis left for the batch", s)
		default:
			n += s.Len()
		}
	}
	if have, ok := t.Dim(1).Int(); !ok || have != n {
		return fmt.Errorf("the input is %v; the parts have %d numbers together", t, n)
	}
	return nil
}
