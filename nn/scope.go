package nn

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// A Scope is where a layer makes its parameters: a graph, and a prefix of their names. It is a
// value; a layer passes narrower scopes to its parts.
type Scope struct {
	g      *graph.Graph
	path   string
	frozen bool
	shared bool
	freeze func(name string) bool // of which names parameters are frozen; may be nil
}

// Root returns the scope of g's current layer path, which is empty outside of [graph.Graph.Within].
// For a nil g it returns the zero Scope.
func Root(g *graph.Graph) Scope {
	if g == nil {
		return Scope{}
	}
	return Scope{g: g, path: g.Layer()}
}

// Graph returns the graph in which s makes parameters. The zero Scope has no graph; for it Graph
// returns a graph with an error that says so.
func (s Scope) Graph() *graph.Graph {
	if s.g == nil {
		return noGraph(nil).Graph()
	}
	return s.g
}

// noGraph returns an invalid node, for applying a layer to x in a Scope without a graph.
func noGraph(x *graph.Node) *graph.Node {
	g, in := graph.New(), []*graph.Node(nil)
	if x != nil {
		g, in = x.Graph(), []*graph.Node{x}
	}
	return g.Reject("Scope", errors.New("the scope has no graph; use nn.Root with the graph of the input"), in...)
}

// Path returns the prefix of the names made in s, such as "features.0". It may be empty.
func (s Scope) Path() string { return s.path }

// In returns the scope called name within s. For an empty name it returns s.
func (s Scope) In(name string) Scope {
	s.path = graph.Join(s.path, name)
	return s
}

// Frozen returns a scope like s whose parameters are not trained.
func (s Scope) Frozen() Scope {
	s.frozen = true
	return s
}

// FreezeWhere returns a scope like s in which parameters are not trained whose full name match accepts, such as
// "features.0.weight". Batch normalisation of which both parameters are frozen so keeps its statistics and
// normalises by them, as in [Eval].
func (s Scope) FreezeWhere(match func(name string) bool) Scope {
	s.freeze = match
	return s
}

// Keeping calls f. If all params are frozen by [Scope.FreezeWhere], what f adds has its inference form, so that a
// layer with these parameters also keeps what it measures.
func (s Scope) Keeping(f func(), params ...*graph.Node) {
	if f == nil {
		return
	}
	learns := func(p *graph.Node) bool { return p == nil || p.Kind() != graph.Param || !s.freeze(p.Name()) }
	if s.g == nil || s.freeze == nil || len(params) == 0 || slices.ContainsFunc(params, learns) {
		f()
		return
	}
	s.g.Inferring(f)
}

// Shared returns a scope like s that uses existing leaves instead of making new ones. Applying a
// layer in a scope and then in the Shared scope uses the same weights twice. It is an error if a
// leaf does not exist or has another type.
func (s Scope) Shared() Scope {
	s.shared = true
	return s
}

// Param returns the parameter called name in s: float32 or float64, with a concrete shape,
// initialised by init. A nil init means zeros.
func (s Scope) Param(name string, t shape.Type, init graph.Initializer) *graph.Node {
	if s.g == nil {
		return noGraph(nil)
	}
	if err := trainable(t); err != nil {
		return s.g.Reject("Param", err)
	}
	return s.leaf(name, t, func(name string) *graph.Node {
		if s.frozen || s.freeze != nil && s.freeze(name) {
			return s.g.FrozenParam(name, t, init)
		}
		return s.g.Param(name, t, init)
	})
}

// State returns the state called name in s, which is changed by [graph.Graph.Update] and not by an
// optimiser. A nil init means zeros.
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
	case old == nil && s.g.Err() != nil: // the layer that owns it may have failed; that is already reported
		return add(name)
	case old == nil:
		return s.g.Reject("Param", fmt.Errorf("no %q to share; apply the layer that owns it first", name))
	case old.Type() != t:
		return s.g.Reject("Param", fmt.Errorf("%q is %v; to be shared it must be %v", name, old.Type(), t), old)
	}
	return old
}

// trainable returns an error if a layer cannot have parameters for an input of type t.
func trainable(t shape.Type) error {
	if t.IsFloat() {
		return nil
	}
	return fmt.Errorf("there are no parameters of type %v, which the input has; cast it to float32 first", t.DType)
}

// Within calls f with the scope called name within s and returns its result. Nodes that f adds have
// that scope's path as their layer. An empty name stands for s itself. Layers should do all their
// work in f. If x is invalid, Within does not call f and returns x.
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
