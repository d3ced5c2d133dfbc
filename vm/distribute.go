package vm

import (
	"slices"

	"github.com/plexaura/plexaura/engine"
)

// distribute replaces a function of a concatenation by the concatenation of the function of each
// input, which the kernel that computes the input may absorb.
func distribute(p *plan) error {
	p.relink()
	var list []*instr
	for _, in := range p.instrs {
		if c := in.distributes(); c != nil {
			list = append(list, p.distribute(in, c)...)
			continue
		}
		list = append(list, in)
	}
	p.instrs = list
	p.prune() // of the concatenations that were replaced
	return nil
}

// distributes returns the concatenation that in, a map, is the only reader of, if its inputs are
// results of kernels that nothing else reads; nil otherwise.
func (in *instr) distributes() *instr {
	if in.fmap == nil || in.op == nil || len(in.in) != 1 || len(in.out) != 1 || in.in[0].out || len(in.in[0].uses) != 1 {
		return nil
	}
	c := in.in[0].def
	if c == nil || c.out[0].typ.Shape != in.out[0].typ.Shape || !isJoiner(c) {
		return nil
	}
	for _, v := range c.in {
		if v.def == nil || v.out || !c.alone(v) || !v.def.takesMaps() {
			return nil
		}
	}
	return c
}

// takesMaps reports whether a map behind in may become part of it.
func (in *instr) takesMaps() bool {
	_, absorbs := in.op.(Absorber)
	return in.kind == compute && (absorbs || in.fmap != nil)
}

func isJoiner(in *instr) bool {
	_, ok := in.op.(Joiner)
	return ok && in.kind == compute
}

// distribute returns the instructions that compute the map in of each input of c, and join them.
func (p *plan) distribute(in, c *instr) (list []*instr) {
	parts := make([]*value, len(c.in))
	for i, v := range c.in {
		t := v.typ
		t.DType = in.out[0].typ.DType
		parts[i] = p.newValue(t, in.node(), fromInstr)
		m := engine.Map{Steps: slices.Clone(in.fmap.Steps), Outs: slices.Clone(in.fmap.Outs)}
		list = append(list, &instr{op: in.op, fmap: &m, in: []*value{v}, out: []*value{parts[i]}, nodes: in.nodes, added: true})
	}
	return append(list, &instr{op: c.op, in: parts, out: in.out, nodes: slices.Concat(c.nodes, in.nodes)})
}
