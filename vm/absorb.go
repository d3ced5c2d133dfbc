package vm

import "slices"

// absorb lets ops take in the op that alone consumes their result: a convolution its bias
// and activation. One that has taken something in is asked again.
func absorb(p *plan) error {
	for _, in := range p.instrs { // the merged instruction comes later in the list
		p.absorbInto(in)
	}
	p.compact()
	return nil
}

// absorbInto merges in into its only consumer, if its op can. The merged instruction takes
// the consumer's place, so that its inputs come before it.
func (p *plan) absorbInto(in *instr) {
	a, ok := in.op.(Absorber)
	if !ok || len(in.out) != 1 || in.out[0].out || len(in.out[0].uses) != 1 {
		return
	}
	next := in.out[0].uses[0]
	at := slices.Index(next.in, in.out[0])
	if next.kind != compute || next.op == nil || len(next.in) != next.node().NIn() || slices.Index(next.in[at+1:], in.out[0]) >= 0 {
		return
	}
	p.working.at(in.node())
	op, ok := a.Absorb(p.prog.unit.eng, types(in.in), next.op, at, types(next.in))
	if !ok {
		return
	}
	inputs := slices.Concat(in.in, next.in[:at], next.in[at+1:])
	if t, err := op.Infer(types(inputs)); err != nil || t != next.out[0].typ {
		return
	}
	*next = instr{op: op, in: inputs, out: next.out, nodes: slices.Concat(in.nodes, next.nodes)}
	*in = instr{}
}
