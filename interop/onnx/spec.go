package onnx

import (
	"crypto/sha256"
	"fmt"

	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/shape"
)

// A spec is what a program is made for of an input: the type of a tensor, or those of the parts of a
// sequence or optional. Strings, which no program computes with, it has itself.
type spec struct {
	kind  ir.Kind
	elem  ir.DataType
	typ   shape.Type
	items []spec
	known *Tensor
	hash  [sha256.Size]byte // of known
}

func specOf(t *Tensor) spec {
	switch {
	case t.Kind == ir.SequenceKind || t.Kind == ir.OptionalKind:
		return spec{kind: t.Kind, elem: t.Type, items: mapped(t.Items, specOf)}
	case t.Type == ir.String:
		return spec{kind: ir.TensorKind, elem: t.Type, known: t, hash: hashOf([]*Tensor{t})}
	}
	return spec{kind: ir.TensorKind, elem: t.Type, typ: t.compute()}
}

// String tells specs apart.
func (s spec) String() string {
	switch {
	case s.kind != ir.TensorKind:
		return fmt.Sprintf("%d:%v%v", s.kind, s.elem, s.items)
	case s.known != nil:
		return fmt.Sprintf("%x", s.hash)
	}
	return fmt.Sprintf("%v %v", s.elem, s.typ)
}

// hashOf tells the elements of tensors apart.
func hashOf(list []*Tensor) [sha256.Size]byte {
	h := sha256.New()
	for _, t := range list {
		fmt.Fprint(h, t, ";")
		if s, ok := t.Data.([]string); ok {
			fmt.Fprintf(h, "%q", s)
			continue
		}
		h.Write(elements[t.Type].key(t.Data))
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// value adds inputs for s to the graph.
func (s spec) value(ev *evaluator, name string) *value {
	switch {
	case s.kind == ir.OptionalKind && len(s.items) == 0:
		return &value{elem: s.elem, none: true}
	case s.kind == ir.OptionalKind:
		return s.items[0].value(ev, name)
	case s.kind == ir.SequenceKind:
		items := make([]*value, len(s.items))
		for i, e := range s.items {
			items[i] = e.value(ev, ev.m.inner(fmt.Sprintf("%s[%d]", name, i)))
		}
		return listOf(s.elem, items)
	case s.known != nil:
		return known(s.known.clone())
	}
	return computed(ev.g.Input(name, s.typ), s.elem)
}

// feeds are the tensors that programs are given, by the names of their inputs.
type feeds map[string]*Tensor

// feedsOf returns what inputs are fed: the inputs themselves, which are the caller's, if all are plain tensors.
func feedsOf(m *Model, inputs map[string]*Tensor) (fed feeds, own bool) {
	for _, t := range inputs {
		if !t.plain() {
			own = true
		}
	}
	if !own {
		return inputs, false
	}
	fed = feeds{}
	for name, t := range inputs {
		fed.add(m, name, t)
	}
	return fed, true
}

// plain reports whether t is a tensor of numbers.
func (t *Tensor) plain() bool {
	return t.Kind != ir.SequenceKind && t.Kind != ir.OptionalKind && t.Type != ir.String
}

// add adds the tensors of an input as value names them.
func (f feeds) add(m *Model, name string, t *Tensor) {
	switch {
	case t.Kind == ir.OptionalKind && len(t.Items) > 0:
		f.add(m, name, t.Items[0])
	case t.Kind == ir.SequenceKind:
		for i, e := range t.Items {
			f.add(m, m.inner(fmt.Sprintf("%s[%d]", name, i)), e)
		}
	case t.Kind == ir.OptionalKind || t.Type == ir.String:
	default:
		f[name] = t
	}
}
