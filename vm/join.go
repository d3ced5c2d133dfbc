package vm

import (
	"slices"

	"github.com/plexaura/plexaura/engine"
)

// join has the inputs of a concatenation computed where they lie in its result, so that nothing is
// left to copy. It takes all inputs or none: each must be the result of a kernel that nothing else
// reads.
func join(p *plan) error {
	if p.prog.device {
		return nil // kernels of the host would run on copies of parts
	}
	p.relink()
	for _, in := range p.instrs {
		if in.kind == compute && in.bound.Joined != nil {
			p.joinInputs(in)
		}
	}
	return nil
}

// joinInputs places the inputs of the concatenation in, if all can be placed.
func (p *plan) joinInputs(in *instr) {
	kernels := make([]engine.Bound, len(in.in))
	for i, v := range in.in {
		var ok bool
		if kernels[i], ok = in.partKernel(v, in.bound.Joined[i]); !ok {
			return
		}
	}
	for i, v := range in.in {
		v.def.bound = kernels[i]
		v.alias, v.part = in.out[0], in.bound.Joined[i]
	}
	in.kind, in.bound = joined, engine.Bound{}
}

// partKernel returns the kernel that computes input v of the concatenation in as a part of its
// result, or false if there is none.
func (in *instr) partKernel(v *value, part engine.Part) (b engine.Bound, ok bool) {
	def := v.def
	if def == nil || def.kind != compute || len(def.out) != 1 || guarded(def) || v.out || v.alias != nil || !in.alone(v) {
		return b, false
	}
	switch {
	case part.Len == v.typ.Len():
		return def.bound, true // in one piece
	case def.bound.Into == nil:
		return b, false
	}
	return def.bound.Into(part)
}

// alone reports whether in is the only reader of v, and reads it once.
func (in *instr) alone(v *value) bool {
	first := slices.Index(in.in, v)
	return len(v.uses) == 1 && !slices.Contains(in.in[first+1:], v)
}

// elements returns how many elements v reaches over in memory.
func (v *value) elements() int {
	n := v.typ.Len()
	if v.part.Len == 0 || n == 0 {
		return n
	}
	return (n/v.part.Len-1)*v.part.Pitch + v.part.Len
}

// together returns b, the memory of v, or a copy of it without what lies between its pieces.
func (v *value) together(b engine.Buffer) engine.Buffer {
	if v.elements() == v.typ.Len() {
		return b
	}
	c := allocate(v.typ)
	width := v.typ.Width()
	for i := range v.typ.Len() / v.part.Len {
		copy(c.Bytes()[i*v.part.Len*width:][:v.part.Len*width], b.Bytes()[i*v.part.Pitch*width:])
	}
	return c
}
