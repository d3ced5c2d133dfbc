package vm

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// check infers every type again and compares.
func (u *unit) check() error {
	if err := u.graph().Err(); err != nil {
		return err
	}
	for _, n := range graph.Reachable(u.roots()...) {
		if n.Kind() != graph.Computed {
			continue
		}
		in := make([]shape.Type, n.NIn())
		for i, x := range n.Ins() {
			in[i] = x.Type()
		}
		if t, err := n.Op().Infer(in); err != nil || t != n.Type() {
			return fmt.Errorf("%v is %v, inferred %v, %v", n, n.Type(), t, err)
		}
	}
	for _, up := range u.updates {
		if up.Leaf.Type() != up.Value.Type() {
			return fmt.Errorf("update of %v %v by %v", up.Leaf, up.Leaf.Type(), up.Value.Type())
		}
	}
	return nil
}

// check verifies that definitions come before uses, that types are those that the ops infer, and,
// once values have places, that no two blocks overlap that are live at the same time.
func (p *plan) check() error {
	defined := map[*value]bool{}
	for i, in := range p.instrs {
		for _, v := range in.in {
			if v.from == fromInstr && !defined[v] {
				return fmt.Errorf("instruction %d: %v is used before it is defined", i, v)
			}
		}
		for _, v := range in.out {
			if defined[v] {
				return fmt.Errorf("instruction %d: %v is defined twice", i, v)
			}
			defined[v] = true
		}
		if err := in.checkTypes(p.batch); err != nil {
			return fmt.Errorf("instruction %d: %w", i, err)
		}
	}
	for i, v := range p.outs {
		if !defined[v] {
			return fmt.Errorf("output %d, %v, is not defined", i, v)
		}
	}
	return p.checkBlocks()
}

func (in *instr) checkTypes(batch int) error {
	if in.kind == write {
		if in.in[0].typ != in.leaf.typ {
			return fmt.Errorf("%v %v is written to %v %v", in.in[0], in.in[0].typ, in.leaf, in.leaf.typ)
		}
		return nil
	}
	if in.fmap != nil {
		return in.checkMap()
	}
	switch {
	case in.added || in.bytes:
		t, err := in.op.Infer(types(in.in))
		if err != nil || t != in.out[0].typ {
			return fmt.Errorf("%s gives %v, inferred %v, %v", in.name(), in.out[0].typ, t, err)
		}
		return nil
	case len(in.nodes) == 1:
		return in.checkNode(batch)
	}
	t, err := in.op.Infer(types(in.in)) // an op that has absorbed others
	if err != nil || t != in.out[0].typ {
		return fmt.Errorf("%s gives %v, inferred %v, %v", in.name(), in.out[0].typ, t, err)
	}
	return nil
}

// checkNode compares the types with those that were inferred with a symbolic N, on which attributes
// may depend.
func (in *instr) checkNode(batch int) error {
	n := in.node()
	if want := n.Type().At(batch); in.out[0].typ != want {
		return fmt.Errorf("%s gives %v, want %v", in.name(), in.out[0].typ, want)
	}
	for i, v := range in.in {
		if want := n.In(i).Type().At(batch); v.typ != want {
			return fmt.Errorf("%s: input %d is %v, want %v", in.name(), i, v.typ, want)
		}
	}
	return nil
}

func (in *instr) checkMap() error {
	if _, _, err := engine.MapTypes(operands(in.in), operands(in.out)); err != nil {
		return err
	}
	out := shape.Shape{}
	for _, v := range in.in {
		s, err := shape.Broadcast(out, v.typ.Shape)
		if err != nil {
			return err
		}
		out = s
	}
	for i, o := range in.fmap.Outs {
		v := in.out[i]
		if in.fmap.Steps[o].DType != v.typ.DType {
			return fmt.Errorf("output %d of %v is %v", i, in.fmap, v.typ)
		}
		if s, err := shape.Broadcast(out, v.typ.Shape); err != nil || s != v.typ.Shape || v.typ.Shape != in.out[0].typ.Shape {
			return fmt.Errorf("inputs of shape %v give %v", out, v.typ)
		}
	}
	return nil
}

// checkBlocks goes through time and keeps the live blocks in the order of their offsets.
func (p *plan) checkBlocks() error {
	starts, ends := make([][]*block, len(p.instrs)+1), make([][]*block, len(p.instrs)+1)
	for _, b := range p.placed {
		if b.bytes > 0 {
			starts[b.first], ends[b.last] = append(starts[b.first], b), append(ends[b.last], b)
		}
	}
	var live []*block
	after := func(offset int) int { // live blocks do not overlap, so that their ends have the same order
		i, _ := slices.BinarySearchFunc(live, offset+1, func(b *block, end int) int { return cmp.Compare(b.offset+b.bytes, end) })
		return i
	}
	for at := range starts {
		for _, b := range starts[at] {
			i := after(b.offset)
			if i < len(live) && live[i].offset < b.offset+b.bytes {
				a := live[i]
				return fmt.Errorf("blocks at %d+%d and %d+%d overlap while both live", a.offset, a.bytes, b.offset, b.bytes)
			}
			live = slices.Insert(live, i, b)
		}
		for _, b := range ends[at] {
			i := after(b.offset)
			live = slices.Delete(live, i, i+1)
		}
	}
	return nil
}
