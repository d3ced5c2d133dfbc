package graph

import (
	"errors"
	"fmt"
	"slices"

	"github.com/plexaura/plexaura/shape"
)

// Transform rebuilds in a new graph the part of a graph that roots depend on, and returns the
// images of roots. It calls f for each node, inputs first, with the images of the node's inputs; f
// returns the image of the node, which may be any node of dst. Nodes that f builds get the position
// and layer of the original. If f returns nil or a node of another graph, that is an error of dst.
// Updates are not copied. The roots must belong to one graph without errors; otherwise Transform
// returns them unchanged.
func Transform(roots []*Node, f func(dst *Graph, n *Node, in []*Node) *Node) []*Node {
	if !sound(roots) {
		return roots
	}
	if f == nil {
		roots[0].g.Reject("Transform", errors.New("the function is nil"))
		return roots
	}
	dst := New()
	image := make(map[*Node]*Node)
	for _, n := range Reachable(roots...) {
		in := make([]*Node, len(n.in))
		for i, x := range n.in {
			in[i] = image[x]
		}
		dst.as(n, false, func() { image[n] = dst.own(n, f(dst, n, in)) })
		if im := image[n]; im.source == nil {
			im.source = n.Source()
		}
	}
	out := make([]*Node, len(roots))
	for i, r := range roots {
		out[i] = image[r]
	}
	return out
}

// sound reports whether roots are nodes of one graph without errors.
func sound(roots []*Node) bool {
	for _, r := range roots {
		if r == nil || r.g != roots[0].g {
			return false
		}
	}
	return len(roots) > 0 && len(roots[0].g.errs) == 0
}

// own returns image, the image of n, if it is a node of g. Otherwise it returns an invalid node.
func (g *Graph) own(n, image *Node) *Node {
	if image == nil || image.g != g {
		return g.Reject(n.op.Name(), errors.New("its image is not a node of the new graph"))
	}
	return image
}

// Reachable returns roots and all nodes that they are computed from, inputs first. It ignores nil
// roots, and roots that belong to another graph than the first.
func Reachable(roots ...*Node) []*Node {
	first := slices.IndexFunc(roots, func(r *Node) bool { return r != nil })
	if first < 0 {
		return nil
	}
	g := roots[first].g
	needed := make([]bool, len(g.nodes))
	count := 0
	for _, r := range roots {
		if r != nil && r.g == g {
			needed[r.id] = true
		}
	}
	for id := len(g.nodes) - 1; id >= 0; id-- {
		if !needed[id] {
			continue
		}
		count++
		for _, x := range g.nodes[id].in {
			needed[x.id] = true
		}
	}
	nodes := make([]*Node, 0, count)
	for id, n := range g.nodes {
		if needed[id] {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// Replay applies the op of n to in, with the position and layer of n. If n is a leaf, Replay adds
// that leaf to g. The node n may belong to another graph.
func (g *Graph) Replay(n *Node, in ...*Node) (image *Node) {
	if n == nil {
		return g.Reject("Replay", errors.New("the node is nil"))
	}
	g.as(n, false, func() {
		if n.Kind() != Computed {
			image = g.addLeaf(n.leaf())
			return
		}
		image = g.Apply(n.op, in...)
	})
	return image
}

// A Retyper is an op with a DType among its attributes, such as a cast. WithDType returns the op
// for a graph whose floating-point values have type d.
type Retyper interface{ WithDType(d shape.DType) Op }

// WithDType returns a clone of outs in which every floating-point leaf, and therefore every
// floating-point value, has type d. Leaves keep their names.
func WithDType(d shape.DType, outs ...*Node) []*Node {
	if !d.IsFloat() {
		for _, o := range outs {
			if o == nil {
				continue
			}
			o.g.Reject("WithDType", fmt.Errorf("want float32 or float64, have %v", d))
		}
		return outs
	}
	return Transform(outs, func(dst *Graph, n *Node, in []*Node) *Node {
		if l := n.leaf(); l.kind != Computed {
			if l.typ.IsFloat() {
				l.typ = l.typ.As(d)
			}
			return dst.addLeaf(l)
		}
		if r, ok := n.op.(Retyper); ok {
			return dst.Apply(r.WithDType(d), in...)
		}
		return dst.Replay(n, in...)
	})
}

// A ModeSwitch is an op that behaves differently in inference. Inference returns the node that
// replaces it, for the given inputs.
type ModeSwitch interface{ Inference(in []*Node) *Node }

// Inference returns a clone of outs in which ops that depend on the mode, such as dropout and batch
// normalisation, have their inference form. Leaves keep their names, so that the clone runs on the
// same store. Call Inference before taking gradients.
func Inference(outs ...*Node) []*Node {
	outs = Transform(outs, func(dst *Graph, n *Node, in []*Node) *Node {
		if m, ok := n.op.(ModeSwitch); ok {
			return m.Inference(in)
		}
		return dst.Replay(n, in...)
	})
	// A second pass drops the nodes that only the training form needed.
	return Transform(outs, func(dst *Graph, n *Node, in []*Node) *Node { return dst.Replay(n, in...) })
}
