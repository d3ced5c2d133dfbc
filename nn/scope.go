package nn

import (
	"errors"
	"fmt"
	"strings"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// A Scope says where a layer makes its parameters, and under what name. It is a value: a
// layer hands a narrower one to its parts.
type Scope struct {
	g      *graph.Graph
	path   string
	frozen bool
	shared bool
}

// Root returns the scope of g's current layer path, which is empty outside of
// [graph.Graph.Within]. Of a nil g it is the zero Scope.
func Root(g *graph.Graph) Scope {
	if g == nil {
		return Scope{}
	}
	return Scope{g: g, path: g.Layer()}
}

// Graph returns the graph that s makes parameters in. The zero Scope has none: it gives a graph that
// holds the error which says so.
func (s Scope) Graph() *graph.Graph {
	if s.g == nil {
		return noGraph(nil).Graph()
	}
	return s.g
}

// noGraph is the node that a Scope without a graph makes of x.
func noGraph(x *graph.Node) *graph.Node {
	g, in := graph.New(), []*graph.Node(nil)
	if x != nil {
		g, in = x.Graph(), []*graph.Node{x}
	}
	return g.Reject("Scope", errors.New("the scope is of no graph; make one by nn.Root of the graph that the input belongs to"), in...)
}

// Path is the prefix of the names made in s, such as "features.0", or "".
func (s Scope) Path() string { return s.path }

// In returns the scope of that name within s; an empty name gives s itself.
func (s Scope) In(name string) Scope {
	s.path = graph.Join(s.path, name)
	return s
}

// Frozen returns s as a scope whose parameters are not trained.
func (s Scope) Frozen() Scope {
	s.frozen = true
	return s
}

// Shared returns s as a scope that makes no leaves but takes those that are there already
// under the names asked for. Applying a layer once in a scope and then in the Shared one uses
// the same weights twice. A name that is not there, or is of another type, is an error.
func (s Scope) Shared() Scope {
	s.shared = true
	return s
}

// Param returns the parameter called name in s: float32 or float64, of concrete shape,
// first filled by init, where nil means zeros.
func (s Scope) Param(name string, t shape.Type, init graph.Initializer) *graph.Node {
	if s.g == nil {
		return noGraph(nil)
	}
	if err := trainable(t); err != nil {
		return s.g.Reject("Param", err)
	}
	return s.leaf(name, t, func(name string) *graph.Node {
		if s.frozen {
			return s.g.FrozenParam(name, t, init)
		}
		return s.g.Param(name, t, init)
	})
}

// State returns the state called name in s: what changes by [graph.Graph.Update] and not by
// an optimiser. A nil init means zeros.
func (s Scope) State(name string, t shape.Type, init graph.Initializer) *graph.Node {
	if s.g == nil {
		return noGraph(nil)
	}
	return s.leaf(name, t, func(name string) *graph.Node { return s.g.State(name, t, init) })
}

func (s Scope) leaf(name string, t shape.Type, add func(name string) *graph.Node) *graph.Node {
	name = graph.Join(s.path, name)
	old := s.g.Leaf(name)
	switch {
	case !s.shared:
		return add(name)
	case old == nil && s.g.Err() != nil: // the layer that owns it may have failed; that is reported
		return add(name)
	case old == nil:
		return s.g.Reject("Param", fmt.Errorf("no %q to share; apply the layer that owns it first", name))
	case old.Type() != t:
		return s.g.Reject("Param", fmt.Errorf("%q is %v, to be shared it would have to be %v", name, old.Type(), t), old)
	}
	return old
}

// trainable says why a layer that follows an input of type t can have no parameters.
func trainable(t shape.Type) error {
	if t.IsFloat() {
		return nil
	}
	return fmt.Errorf("there are no parameters of type %v, which the input has; cast it to float32 first", t.DType)
}

// Within returns f of the scope called name within s, while the nodes that f adds carry that
// scope's path as their layer. An empty name stands for s itself. Layers do their work in it:
// f is not called for an x that is invalid, which is returned as it is.
func (s Scope) Within(name string, x *graph.Node, f func(s Scope) *graph.Node) (y *graph.Node) {
	if s.g == nil {
		return noGraph(x)
	}
	if f == nil {
		f = func(Scope) *graph.Node { return nil }
	}
	s = s.In(name)
	s.enter(func() {
		switch {
		case x == nil:
			y = s.g.Reject("Layer", errors.New("the input is nil"))
		case x.Graph() != s.g:
			y = s.g.Reject("Layer", errors.New("the input belongs to another graph than the scope"))
		case !x.Valid():
			y = x
		default:
			if y = f(s); y == nil {
				y = s.g.Reject("Layer", errors.New("the layer returns nil; want a node"), x)
			}
		}
	})
	return y
}

// enter runs f with s.path as the graph's layer path.
func (s Scope) enter(f func()) {
	rest := s.path
	switch outer := s.g.Layer(); {
	case outer == s.path:
		rest = ""
	case outer != "":
		rest = strings.TrimPrefix(s.path, outer+".")
	}
	s.g.Within(rest, f)
}
