package vm

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
)

// selectKernels asks the engine for the kernel of every instruction, with its algorithm, its
// scratch size, and the inputs that it may overwrite. What would only copy a value becomes an alias of it.
func selectKernels(p *plan) error {
	for _, in := range p.instrs {
		if in.kind != compute || in.bound.Kernel != nil { // layout has bound some
			continue
		}
		p.working.at(in.node())
		if err := p.bind(in); err != nil {
			return err
		}
	}
	for _, in := range p.instrs {
		if in.kind == compute && in.bound.Alias && in.in[0].computed() {
			in.kind, in.bound = aliased, engine.Bound{}
		}
	}
	return nil
}

// computed reports whether an instruction makes the memory of v, so that an output, or the next value of a leaf, can share it.
func (v *value) computed() bool {
	for v.def != nil && v.def.kind == aliased {
		v = v.def.in[0]
	}
	return v.from == fromInstr
}

// bind asks for the kernel of in.
func (p *plan) bind(in *instr) (err error) {
	eng := p.prog.unit.eng
	if in.fmap != nil {
		in.bound, err = bindMap(eng, *in.fmap, operands(in.in), operands(in.out))
	} else {
		in.bound, err = bindOp(eng, in.op, operands(in.in), in.out[0].operand())
	}
	if err != nil {
		return graph.ErrorAt(in.node(), err)
	}
	return nil
}

func (v *value) operand() engine.Operand { return engine.Operand{Type: v.typ, Layout: v.layout} }

func operands(vs []*value) []engine.Operand {
	os := make([]engine.Operand, len(vs))
	for i, v := range vs {
		os[i] = v.operand()
	}
	return os
}
