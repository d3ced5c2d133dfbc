package vm

import (
	"slices"

	"github.com/plexaura/plexaura/engine"
)

// mask lets an op absorb a ReLU gradient that is the only consumer of its result, if the result of
// the ReLU is one of the op's inputs. An example is the adjoint of pooling.
func mask(p *plan) error {
	for _, in := range p.instrs {
		p.maskInto(in)
	}
	p.compact()
	return nil
}

func (p *plan) maskInto(in *instr) {
	m, ok := in.op.(Masker)
	if !ok || in.fmap != nil || len(in.out) != 1 || in.out[0].out || len(in.out[0].uses) != 1 {
		return
	}
	next := in.out[0].uses[0]
	x, dy, ok := next.reluGrad()
	if !ok || dy != in.out[0] || next.out[0].typ != dy.typ {
		return
	}
	p.working.at(in.node())
	op, ok := m.Mask(slices.Index(in.in, x))
	if !ok {
		return
	}
	*next = instr{op: op, in: in.in, out: next.out, nodes: slices.Concat(in.nodes, next.nodes)}
	*in = instr{}
}

// reluGrad reports whether the instruction computes [engine.ReLUGrad], and returns its x and dy.
func (in *instr) reluGrad() (x, dy *value, ok bool) {
	if in.fmap == nil || len(in.fmap.Steps) != 1 || len(in.in) != 2 || in.fmap.Steps[0].Fn != engine.ReLUGrad {
		return nil, nil, false
	}
	i, isX := in.fmap.Steps[0].Args[0].Input()
	k, isDy := in.fmap.Steps[0].Args[1].Input()
	if !isX || !isDy {
		return nil, nil, false
	}
	return in.in[i], in.in[k], true
}
