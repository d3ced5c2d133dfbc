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
	var w pending
	for _, v := range in {
		w.want(c.ev, v)
	}
	where := c.ev.pos(c.e, c.n, c.index).File
	w.what = where
	w.step = func(ctx context.Context, results []*Tensor) ([]*Tensor, error) {
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
	return c.ev.host(w)
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

// pending is the panic of an evaluation that needs values, those of nodes, and perhaps a step that
// computes on with them. Further nodes are asked for because what comes later needs them.
type pending struct {
	what  string // the operator, to tell whether another evaluation asks for the same
	nodes []*graph.Node
	elems []ir.DataType
	step  hostStep // nil for values that the program after them is made for
	saved []int    // the ids of the further values
}

// want adds the nodes of v.
func (w *pending) want(ev *evaluator, v *value) {
	switch {
	case v == nil || v.none:
	case v.isList:
		for _, e := range v.items {
			w.want(ev, e)
		}
	case v.host == nil:
		w.nodes, w.elems = append(w.nodes, ev.nodeOf(v)), append(w.elems, v.elem)
	}
}

// A frame is a list of nodes that is being evaluated, up to node at.
type frame struct {
	nodes []*ir.Node
	at    int
	outs  []string
	e     *env
}

// saveLive adds the values that nodes still to be evaluated take, so that the next program need not
// compute them again.
func (w *pending) saveLive(ev *evaluator) {
	var live []*value
	for _, f := range ev.frames {
		names := map[string]bool{}
		uses(f.nodes[f.at:], names)
		for _, o := range f.outs {
			names[o] = true
		}
		for name := range names {
			live = appendNodes(live, f.e.find(name))
		}
	}
	slices.SortFunc(live, func(a, b *value) int { return a.id - b.id })
	done := map[*graph.Node]bool{}
	for _, v := range live {
		if done[v.node] || !ev.onInputs(v.node) {
			continue
		}
		done[v.node] = true
		w.nodes, w.elems, w.saved = append(w.nodes, v.node), append(w.elems, v.elem), append(w.saved, v.id)
	}
}

// appendNodes appends the parts of v that are nodes with a number.
func appendNodes(list []*value, v *value) []*value {
	switch {
	case v == nil:
	case v.isList:
		for _, e := range v.items {
			list = appendNodes(list, e)
		}
	case v.id > 0 && v.node != nil && v.host == nil && v.node.Kind() != graph.Input:
		list = append(list, v)
	}
	return list
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

// number gives v, an output of a node, a number that it has in each evaluation with the same values. If
// it was computed by an earlier program, it becomes an input.
func (ev *evaluator) number(v *value) {
	switch {
	case v == nil || v.id > 0:
		return
	case v.isList:
		for _, e := range v.items {
			ev.number(e)
		}
		return
	}
	ev.last++
	v.id = ev.last
	if ev.saved[v.id] && v.node != nil && v.node.Kind() != graph.Input {
		v.node = ev.g.Input(ev.m.inner(fmt.Sprintf("(value %d)", v.id)), v.node.Type())
	}
}

// inner returns a name for an input that the file does not have.
func (m *Model) inner(name string) string {
	for slices.ContainsFunc(m.ir.Graph.Inputs, func(v ir.ValueInfo) bool { return v.Name == name }) {
		name += "'"
	}
	return name
}

func sortedNames(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }
