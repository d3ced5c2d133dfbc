package vm

import (
	"math"
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// mask lets an op take in the ReLU gradient that alone consumes its result, where the ReLU's
// result is one of its inputs: the adjoint of pooling.
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

// reluGrad reports whether the instruction gives dy where x is above 0 or NaN, and 0 elsewhere.
func (in *instr) reluGrad() (x, dy *value, ok bool) {
	if in.fmap == nil || len(in.fmap.Steps) != 2 || len(in.out) != 1 || in.fmap.Outs[0] != 1 || len(in.in) != 2 {
		return nil, nil, false
	}
	cond, choice := in.fmap.Steps[0], in.fmap.Steps[1]
	if cond.Fn != engine.Le || cond.DType != shape.Bool || choice.Fn != engine.Select || choice.Args[0] != engine.Res(0) {
		return nil, nil, false
	}
	i, isX := cond.Args[0].Input()
	k, isDy := choice.Args[2].Input()
	if !isX || !isDy || !zero(cond.Args[1]) || !zero(choice.Args[1]) {
		return nil, nil, false
	}
	return in.in[i], in.in[k], true
}

// zero reports whether a is the number +0.
func zero(a engine.Arg) bool {
	v, ok := a.Number()
	return ok && math.Float64bits(v) == 0
}
