package vm

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
)

// scale multiplies factors that depend only on leaves into the parameters of the op whose result
// they scale, and adds up terms that do, as when a normalisation by running statistics follows a
// convolution: the scaled parameters stay the same from run to run, and hoist computes them once.
// Results differ by rounding.
func scale(u *unit) error {
	if !u.hoists() {
		return nil
	}
	uses := map[*graph.Node]int{}
	for _, n := range graph.Reachable(u.roots()...) {
		for _, x := range n.Ins() {
			uses[x]++
		}
	}
	for _, n := range u.outs {
		uses[n]++
	}
	s := scaling{kept: map[*graph.Node]bool{}}
	u.rewrite(func(dst *graph.Graph, n *graph.Node, in []*graph.Node) *graph.Node {
		image := dst.Replay(n, in...)
		s.keeps(image) // inputs first, so that none of these calls goes deep
		into := s.into
		switch {
		case isBinary(n, engine.Add):
			into = s.sum
		case !isBinary(n, engine.Mul):
			return image
		}
		for i := range in {
			if uses[n.In(i)] != 1 {
				continue
			}
			if y := into(n.Op(), in[i], in[1-i]); y != nil && y.Type() == image.Type() {
				return y
			}
		}
		return image
	})
	return nil
}

// hoists reports whether values that depend only on leaves are computed once: in a program that does
// not write to them, if the passes for it are on.
func (u *unit) hoists() bool {
	return len(u.updates) == 0 && !u.opts.off["hoist"] && onHost(engine.MemoryOf(u.eng))
}

// sum returns the sum of x and term, where x is a sum with another term that depends only on leaves,
// with the terms added first, or nil.
func (s scaling) sum(add graph.Op, x, term *graph.Node) *graph.Node {
	if !s.keeps(term) || s.keeps(x) || !isBinary(x, engine.Add) {
		return nil
	}
	for i, b := range x.Ins() {
		if s.keeps(b) {
			return graph.Apply(add, x.In(1-i), graph.Apply(add, b, term))
		}
	}
	return nil
}

// scaling knows of nodes of the new graph whether they depend only on leaves.
type scaling struct{ kept map[*graph.Node]bool }

// into returns the product of x and factor with the factor in a parameter of x, or nil.
func (s scaling) into(mul graph.Op, x, factor *graph.Node) *graph.Node {
	if !s.keeps(factor) || s.keeps(x) {
		return nil
	}
	if op, ok := x.Op().(Scaler); ok {
		return op.Scale(x, factor)
	}
	if !isBinary(x, engine.Add) {
		return nil
	}
	for i, y := range x.Ins() {
		op, ok := y.Op().(Scaler)
		if b := x.In(1 - i); ok && s.keeps(b) {
			if scaled := op.Scale(y, factor); scaled != nil {
				return graph.Apply(x.Op(), scaled, graph.Apply(mul, b, factor))
			}
		}
	}
	return nil
}

// keeps reports whether n depends on leaves and constants only, and on some leaf.
func (s scaling) keeps(n *graph.Node) bool { return keeps(s.kept, n) }

// isBinary reports whether n is nothing but the given function of its two inputs.
func isBinary(n *graph.Node, f engine.Fn) bool {
	if n.Kind() != graph.Computed || n.NIn() != 2 {
		return false
	}
	op, ok := n.Op().(engine.ElementwiseOp)
	if !ok || !n.Type().IsFloat() {
		return false
	}
	m := op.Map(nodeTypes(n.Ins()), n.Type())
	return len(m.Steps) == 1 && m.Steps[0].Fn == f && m.Steps[0].Args[0] == engine.In(0) && m.Steps[0].Args[1] == engine.In(1)
}
