package vm

import (
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// hoist takes what depends only on leaves out of a program that does not write to them. It becomes a
// program of its own, which runs again only if a leaf has changed.
func hoist(u *unit) error {
	if !u.hoists() {
		return nil
	}
	h := &hoisting{kept: map[*graph.Node]bool{}, leaves: map[*graph.Node]int{}, index: map[*graph.Node]int{}}
	for _, n := range graph.Reachable(u.roots()...) {
		h.note(n)
	}
	for _, n := range graph.Reachable(u.roots()...) {
		if h.moves(n) {
			continue
		}
		for _, x := range n.Ins() {
			h.cut(x)
		}
	}
	if len(h.roots) == 0 {
		return nil
	}
	u.order = map[string]int{}
	for i, n := range u.leaves() {
		u.order[n.Name()] = i
	}
	once := graph.Transform(h.roots, func(dst *graph.Graph, n *graph.Node, in []*graph.Node) *graph.Node { return dst.Replay(n, in...) })
	u.once = &unit{eng: u.eng, opts: &options{off: u.opts.off, checked: u.opts.checked}, outs: once}
	u.kept = map[string]int{}
	for i := range h.roots {
		u.kept[u.freeName(i)] = i
	}
	u.rewrite(func(dst *graph.Graph, n *graph.Node, in []*graph.Node) *graph.Node {
		i, ok := h.index[n]
		if !ok {
			return dst.Replay(n, in...)
		}
		return dst.Input(u.freeName(i), n.Type())
	})
	return nil
}

// freeName returns the name of value i, which no input of the program has.
func (u *unit) freeName(i int) string {
	name := fmt.Sprintf("once.%d", i)
	for _, in := range u.inputs {
		if in.Name() == name {
			return "(" + name + ")"
		}
	}
	return name
}

// hoisting is the work of hoist.
type hoisting struct {
	kept   map[*graph.Node]bool
	leaves map[*graph.Node]int // number of elements of the leaves that a node depends on
	roots  []*graph.Node       // what the rest of the program reads
	index  map[*graph.Node]int // of each root
}

// note collects what is known of n, whose inputs have been noted.
func (h *hoisting) note(n *graph.Node) {
	keeps(h.kept, n)
	if n.Kind() == graph.Param || n.Kind() == graph.State {
		h.leaves[n] = n.Type().Len()
	}
	for _, x := range n.Ins() {
		h.leaves[n] += h.leaves[x]
	}
}

// moves reports whether n is computed once: it depends only on leaves and is not much larger.
func (h *hoisting) moves(n *graph.Node) bool {
	return n.Kind() == graph.Computed && h.kept[n] && n.Type().Shape.Concrete() && n.Type().Len() <= h.leaves[n]
}

// cut makes a root of x, or of what x is another shape of, if it moves.
func (h *hoisting) cut(x *graph.Node) {
	for x.Kind() == graph.Computed && h.kept[x] {
		if _, ok := x.Op().(Aliaser); !ok {
			break
		}
		x = x.In(0)
	}
	if _, done := h.index[x]; done || !h.moves(x) {
		return
	}
	h.index[x] = len(h.roots)
	h.roots = append(h.roots, x)
}

// keeps reports whether n depends on Params and States, and otherwise only on constants. It notes
// what it finds in known.
func keeps(known map[*graph.Node]bool, n *graph.Node) bool {
	if k, ok := known[n]; ok {
		return k
	}
	k := n.Kind() == graph.Param || n.Kind() == graph.State
	for _, x := range n.Ins() {
		if isConstant(x) {
			continue
		}
		if k = keeps(known, x); !k {
			break
		}
	}
	known[n] = k
	return k
}

func isConstant(n *graph.Node) bool {
	if n.Kind() == graph.Const {
		return true
	}
	_, uniform := n.Op().(engine.UniformOp)
	return n.Kind() == graph.Computed && uniform
}

func nodeTypes(ns []*graph.Node) []shape.Type {
	ts := make([]shape.Type, len(ns))
	for i, n := range ns {
		ts[i] = n.Type()
	}
	return ts
}
