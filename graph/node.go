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

// orNone returns n, or where it is nil a node that could not be built: a forgotten node is invalid, in a
// graph whose error says so.
func (n *Node) orNone() *Node {
	if n != nil {
		return n
	}
	return none()
}

func none() *Node { return New().Reject("nil", errors.New("the node is nil")) }

// Graph returns the graph that n belongs to.
func (n *Node) Graph() *Graph { return n.orNone().g }

// ID is n's number in its graph: inputs have smaller ones.
func (n *Node) ID() int { return n.orNone().id }

// Op returns the op that n applies. Leaves have one too; see [Node.Kind].
func (n *Node) Op() Op { return n.orNone().op }

// NIn is the number of inputs.
func (n *Node) NIn() int { return len(n.orNone().in) }

// In returns input i.
func (n *Node) In(i int) *Node { return n.in[i] }

// Ins returns the inputs. The slice must not be changed.
func (n *Node) Ins() []*Node { return slices.Clip(n.orNone().in) }

// Type is n's type; it is the zero Type where n is invalid.
func (n *Node) Type() shape.Type { return n.orNone().typ }

// Valid reports whether n could be built. What is wrong otherwise is in [Graph.Err].
func (n *Node) Valid() bool { return n != nil && n.typ.DType != shape.Invalid }

// Pos is the line of user code that built n; for a node of a gradient, that of the node
// it is derived from.
func (n *Node) Pos() Pos { return n.orNone().pos }

// Layer is the path of the layer that n belongs to, such as "features.0", or "".
func (n *Node) Layer() string { return n.orNone().layer }

// Origin is the node that n was derived from by a gradient rule, or nil.
func (n *Node) Origin() *Node { return n.orNone().origin }

// Source is the node that n has the value of, in the graph that n's graph was cloned from
// by [Transform], perhaps several times over; n itself where there is none.
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

// Name is a leaf's name, "" for other nodes.
func (n *Node) Name() string { return n.leaf().name }

// String names n: "conv1.weight" for a leaf, "%12 Conv2D" for others.
func (n *Node) String() string {
	if n == nil {
		return "nil"
	}
	if name := n.Name(); name != "" {
		return name
	}
	return fmt.Sprintf("%%%d %s", n.id, name(n.op))
}
