package graph

import (
	"errors"
	"fmt"
	"slices"

	"github.com/plexaura/plexaura/shape"
)

// A Node is an immutable value of a graph: an op applied to other nodes, or a leaf.
type Node struct {
	g      *Graph
	id     int
	op     Op
	in     []*Node
	typ    shape.Type
	pos    Pos
	layer  string
	origin *Node
	source *Node
}

// orNone returns n. If n is nil it returns an invalid node of a graph whose error says so.
func (n *Node) orNone() *Node {
	if n != nil {
		return n
	}
	return none()
}

func none() *Node { return New().Reject("nil", errors.New("the node is nil")) }

// Graph returns the graph that n belongs to.
func (n *Node) Graph() *Graph { return n.orNone().g }

// ID returns the number of n in its graph. The inputs of a node have smaller numbers than the node.
func (n *Node) ID() int { return n.orNone().id }

// Op returns the op that n applies. Leaves have one too; see [Node.Kind].
func (n *Node) Op() Op { return n.orNone().op }

// NIn returns the number of inputs.
func (n *Node) NIn() int { return len(n.orNone().in) }

// In returns input i.
func (n *Node) In(i int) *Node { return n.in[i] }

// Ins returns the inputs. The slice must not be changed.
func (n *Node) Ins() []*Node { return slices.Clip(n.orNone().in) }

// Type returns the type of n, or the zero Type if n is invalid.
func (n *Node) Type() shape.Type { return n.orNone().typ }

// Valid reports whether n could be built. If not, [Graph.Err] says why.
func (n *Node) Valid() bool { return n != nil && n.typ.DType != shape.Invalid }

// Pos returns the line of user code that built n. For a node of a gradient it is the line of the
// node that it is derived from.
func (n *Node) Pos() Pos { return n.orNone().pos }

// Layer returns the path of the layer that n belongs to, such as "features.0". It may be empty.
func (n *Node) Layer() string { return n.orNone().layer }

// Origin returns the node that n was derived from by a gradient rule, or nil.
func (n *Node) Origin() *Node { return n.orNone().origin }

// Source returns the node that n was cloned from by [Transform], in the original graph if there
// were several clones. For a node that is not a clone it returns n.
func (n *Node) Source() *Node {
	if n == nil || n.source == nil {
		return n
	}
	return n.source
}

// detach drops the inputs of n, a rejected node, if any of them belongs to another graph.
func (n *Node) detach() {
	if slices.ContainsFunc(n.in, func(x *Node) bool { return x == nil || x.g != n.g }) {
		n.in = nil
	}
}

// Name returns the name of a leaf, and "" for other nodes.
func (n *Node) Name() string { return n.leaf().name }

// String returns a short name of n: "conv1.weight" for a leaf, "%12 Conv2D" for other nodes.
func (n *Node) String() string {
	if n == nil {
		return "nil"
	}
	if name := n.Name(); name != "" {
		return name
	}
	return fmt.Sprintf("%%%d %s", n.id, name(n.op))
}
