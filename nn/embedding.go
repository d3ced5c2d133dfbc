package nn

import (
	"fmt"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// Embedding returns a vector for each of the ids x, which are integers from 0 to Count-1, in any
// shape. Its parameter is weight (Count,Dim). An id out of range is an error of the run.
type Embedding struct {
	Name       string
	Count, Dim int
	DType      shape.DType       // of the vectors; default Float32
	Init       graph.Initializer // default: normal with mean 0 and standard deviation 1, as in PyTorch
}

// Label is l.Name.
func (l Embedding) Label() string { return l.Name }

// Apply returns a node whose shape is that of x followed by Dim.
func (l Embedding) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within(l.Name, x, func(s Scope) *graph.Node {
		switch {
		case x.Type().IsStorage():
			return s.g.Reject("Embedding", fmt.Errorf("want ids, integers, have %v, which is only stored, moved and cast: Cast it first", x.Type()), x)
		case !x.Type().IsInt():
			return s.g.Reject("Embedding", fmt.Errorf("want ids, integers, have %v", x.Type()), x)
		case l.Count < 1 || l.Dim < 1:
			return s.g.Reject("Embedding", fmt.Errorf("want a positive Count and Dim, have %d and %d", l.Count, l.Dim), x)
		}
		d := l.DType
		if d == shape.Invalid {
			d = shape.Float32
		}
		w := s.Param("weight", shape.Make(d, shape.Dim(l.Count), shape.Dim(l.Dim)), or(l.Init, Normal{Std: 1}))
		return ops.Embedding(w, x)
	})
}
