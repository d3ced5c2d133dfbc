package vm

import (
	"slices"

	"github.com/plexaura/plexaura/engine"
)

// inplace computes the next value of a leaf directly into the leaf where that is safe, and other
// results over an input that is not needed any more.
func inplace(p *plan) error {
	l, last := newLifetimes(p), p.lastGuard()
	p.instrs = slices.DeleteFunc(p.instrs, func(in *instr) bool { return in.kind == write && p.storeThrough(in, l, last) })
	p.relink()
	l = newLifetimes(p)
	for _, in := range p.instrs {
		for _, o := range in.bound.InPlace {
			out, over := in.out[o.Out], in.in[o.In].root()
			if out.root() != out || out.into != nil || !overwritable(in, o.In, out, l) {
				continue
			}
			out.alias = over
			l.extend(over, l.last[out.id])
		}
	}
	return nil
}

// overwritable reports whether out may use the memory of input k of in.
func overwritable(in *instr, k int, out *value, l lifetimes) bool {
	root := in.in[k].root()
	if root.from != fromInstr || root.into != nil || l.last[root.id] != in.at {
		return false
	}
	return root.typ.Bytes() == out.typ.Bytes() && aloneIn(in, k, out)
}

// aloneIn reports whether no other input of in uses the memory of input k, which out may overwrite.
// A map processes its inputs block by block, so there the same value may occur twice if out may
// overwrite either input.
func aloneIn(in *instr, k int, out *value) bool {
	for j, v := range in.in {
		if j != k && v.root() == in.in[k].root() && (in.fmap == nil || v.typ != in.in[k].typ || !in.mayOverwrite(out, j)) {
			return false
		}
	}
	return true
}

// lastGuard returns the index of the last instruction that guards the step, or -1.
func (p *plan) lastGuard() int {
	guards := p.stepGuards()
	if len(guards) == 0 {
		return -1
	}
	return guards[len(guards)-1].at
}

// storeThrough makes the instruction that computes the new value of a leaf write it directly into
// the leaf, if possible. It reports whether it did. The instruction must come after all that guard
// the step.
func (p *plan) storeThrough(w *instr, l lifetimes, lastGuard int) bool {
	v := w.in[0].root()
	if v.from != fromInstr || v.into != nil || v.def.kind == joined || l.outs[v.id] || v.typ.Bytes() != w.leaf.typ.Bytes() {
		return false
	}
	if guarded(v.def) || lastGuard > v.def.at {
		return false
	}
	for _, in := range p.readers(w.leaf) {
		if in != v.def && in.at > v.def.at {
			return false
		}
	}
	for k, x := range v.def.in {
		if x.root() == w.leaf && !(v.def.mayOverwrite(v, k) && aloneIn(v.def, k, v)) {
			return false
		}
	}
	v.into = w.leaf
	return true
}

func (in *instr) mayOverwrite(v *value, k int) bool {
	return slices.ContainsFunc(in.bound.InPlace, func(o engine.Overwrite) bool { return in.out[o.Out] == v && o.In == k })
}
