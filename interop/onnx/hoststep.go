package onnx

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/onnx/ir"
)

// A hostStep is an operator whose results have extents that depend on elements of its inputs, so that
// it is computed on the host between two programs. The program after it takes the results as inputs: it
// is another one only where their extents are others.
type hostStep func(ctx context.Context, in []*Tensor) ([]*Tensor, error)

// onHost returns the results of a step: at once if its inputs are known, else by the session.
func (c *call) onHost(in []*value, step hostStep) []*value {
	if !slices.ContainsFunc(in, (*value).unknown) {
		outs, err := step(c.ev.ctx, mapped(in, (*value).tensor))
		if err != nil {
			panic(refusal{err})
		}
		return mapped(outs, valueOf)
	}
	if c.ev.host == nil {
		refuse("%s is computed on the host, and its inputs depend on those of the model: run the model by a Session", c.n.Op)
	}
	a := ask{key: c.ev.path}
	for _, v := range in {
		a.want(c.ev, v)
	}
	where := c.ev.pos(c.e, c.n, c.index).File
	a.step = func(ctx context.Context, results []*Tensor) ([]*Tensor, error) {
		given := make([]*Tensor, len(in))
		for i, v := range in {
			given[i], results = v.filled(results)
		}
		outs, err := step(ctx, given)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", where, c.n.Op, err)
		}
		return outs, nil
	}
	return c.ev.host(a)
}

// unknown reports whether v or a part of it has no elements yet.
func (v *value) unknown() bool {
	switch {
	case v == nil || v.none:
		return false
	case v.isList:
		return slices.ContainsFunc(v.items, (*value).unknown)
	}
	return v.host == nil
}

// tensor returns the elements of v, which is known.
func (v *value) tensor() *Tensor {
	t, _ := v.filled(nil)
	return t
}

// filled returns v with its elements, of which those of nodes are the next of results, and the rest of
// these.
func (v *value) filled(results []*Tensor) (*Tensor, []*Tensor) {
	switch {
	case v == nil:
		return nil, results
	case v.none:
		return &Tensor{Kind: ir.OptionalKind, Type: v.elem}, results
	case v.isList:
		t := &Tensor{Kind: ir.SequenceKind, Type: v.elem, Items: make([]*Tensor, len(v.items))}
		for i, e := range v.items {
			t.Items[i], results = e.filled(results)
		}
		return t, results
	case v.host != nil:
		return v.host, results
	}
	return results[0], results[1:]
}

// valueOf returns the value of a tensor, sequence or optional.
func valueOf(t *Tensor) *value {
	switch {
	case t == nil:
		return nil
	case t.Kind == ir.SequenceKind:
		return listOf(t.Type, mapped(t.Items, valueOf))
	case t.Kind == ir.OptionalKind && len(t.Items) == 0:
		return &value{elem: t.Type, none: true}
	case t.Kind == ir.OptionalKind:
		return valueOf(t.Items[0])
	}
	return known(t)
}

// listOf returns a sequence.
func listOf(e ir.DataType, items []*value) *value {
	return &value{elem: e, isList: true, items: items}
}

// A wave is what an evaluation needs to go on: what all operators ask for that ask for elements. Those
// that depend on one that waits wait too.
type wave struct {
	nodes []*graph.Node
	elems []ir.DataType
	index map[wanted]int
	asks  []ask
	saved map[string]int // of values that the operators that wait take, where they are among nodes
}

type wanted struct {
	n *graph.Node
	e ir.DataType
}

// An ask is what one operator needs: the elements of nodes, or what a step computes of them.
type ask struct {
	key   string // which tells it apart from those of other operators, and is the same in each evaluation
	wants []wanted
	at    []int // where the elements are in the results of the wave
	step  hostStep
}

// later is the panic of an operator that waits.
type later struct{}

// want asks for the nodes of v.
func (a *ask) want(ev *evaluator, v *value) {
	switch {
	case v == nil || v.none:
	case v.isList:
		for _, e := range v.items {
			a.want(ev, e)
		}
	case v.host == nil:
		a.wants = append(a.wants, wanted{ev.nodeOf(v), v.elem})
	}
}

// ask adds what an operator needs.
func (w *wave) ask(a ask) {
	for _, k := range a.wants {
		a.at = append(a.at, w.add(k.n, k.e))
	}
	w.asks = append(w.asks, a)
}

// add adds a node to those that are computed.
func (w *wave) add(n *graph.Node, e ir.DataType) int {
	k := wanted{n, e}
	i, ok := w.index[k]
	if !ok {
		i = len(w.nodes)
		w.index[k] = i
		w.nodes, w.elems = append(w.nodes, n), append(w.elems, e)
	}
	return i
}

// waiting returns the outputs of an operator that waits, and notes what it takes, so that the next
// program need not compute that again.
func (c *call) waiting() []*value {
	for _, v := range c.in {
		c.ev.keep(v)
	}
	names := map[string]bool{}
	uses([]*ir.Node{c.n}, names)
	for name := range names {
		c.ev.keep(c.e.find(name))
	}
	outs := make([]*value, len(c.n.Outputs))
	for i := range outs {
		outs[i] = &value{waits: true}
	}
	return outs
}

// keep notes that v will be needed.
func (ev *evaluator) keep(v *value) {
	switch {
	case v == nil:
	case v.isList:
		for _, e := range v.items {
			ev.keep(e)
		}
	case v.id != "" && v.node != nil && v.host == nil && v.node.Kind() != graph.Input && ev.onInputs(v.node):
		ev.kept = append(ev.kept, v)
	}
}

// finish adds the values that are kept. Of those with one node only the first is; the others are made
// of it again.
func (w *wave) finish(ev *evaluator, outs []*value) {
	for _, v := range outs {
		ev.keep(v)
	}
	slices.SortFunc(ev.kept, func(a, b *value) int { return a.order - b.order })
	done := map[*graph.Node]bool{}
	for _, v := range ev.kept {
		if !done[v.node] {
			done[v.node] = true
			w.saved[v.id] = w.add(v.node, v.elem)
		}
	}
}

// onInputs reports whether n depends on an input.
func (ev *evaluator) onInputs(n *graph.Node) bool {
	if known, ok := ev.dependent[n]; ok {
		return known
	}
	ev.dependent[n] = false
	is := n.Kind() == graph.Input || slices.ContainsFunc(n.Ins(), ev.onInputs)
	ev.dependent[n] = is
	return is
}

// uses adds the names that nodes, and the graphs in their attributes, take.
func uses(nodes []*ir.Node, names map[string]bool) {
	for _, n := range nodes {
		for _, name := range n.Inputs {
			names[name] = true
		}
		for _, a := range n.Attributes {
			for _, g := range append([]*ir.Graph{a.Graph}, a.Graphs...) {
				if g == nil {
					continue
				}
				uses(g.Nodes, names)
				for _, o := range g.Outputs {
					names[o.Name] = true
				}
			}
		}
	}
}

// number gives v, output k of a node, an id that it has in each evaluation. If it was computed by an
// earlier program, it becomes an input.
func (ev *evaluator) number(v *value, id string) {
	switch {
	case v == nil || v.id != "":
		return
	case v.isList:
		for i, e := range v.items {
			ev.number(e, fmt.Sprintf("%s[%d]", id, i))
		}
		return
	}
	ev.last++
	v.id, v.order = id, ev.last
	if ev.saved[id] && v.node != nil && v.node.Kind() != graph.Input {
		v.node = ev.g.Input(ev.m.inner(valueName(id)), v.node.Type())
	}
}

func valueName(id string) string { return "(value " + id + ")" }

// within evaluates a part of a node, which the label tells apart from its other parts.
func (ev *evaluator) within(label any, f func()) {
	path := ev.path
	defer func() { ev.path = path }()
	ev.path += fmt.Sprint(label, ".")
	f()
}

// inner returns a name for an input that the file does not have.
func (m *Model) inner(name string) string {
	for slices.ContainsFunc(m.ir.Graph.Inputs, func(v ir.ValueInfo) bool { return v.Name == name }) {
		name += "'"
	}
	return name
}

func sortedNames(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }
