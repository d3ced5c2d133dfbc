package vm

import (
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// tail has kernels apply the map that is the only consumer of their result, while that is in the
// cache, if the engine's kernels can.
func tail(p *plan) error {
	for _, in := range p.instrs { // the merged instruction comes later in the list
		if err := p.append(in); err != nil {
			return err
		}
	}
	p.compact()
	return nil
}

// append merges in and the map that follows it, if they can be merged. The merged instruction takes
// the position of the map, so that its inputs come before it.
func (p *plan) append(in *instr) error {
	next := in.follower()
	if next == nil {
		return nil
	}
	y := in.out[0]
	rest := slices.DeleteFunc(slices.Clone(next.in), func(v *value) bool { return v == y })
	m := mapArgs(next.fmap, func(a engine.Arg) engine.Arg {
		i, ok := a.Input()
		switch {
		case !ok:
			return a
		case next.in[i] == y:
			return engine.In(0)
		}
		return engine.In(1 + slices.Index(rest, next.in[i]))
	})
	p.working.at(in.node())
	b, ok := in.bound.Then(*m, operands(rest))
	if !ok {
		return nil
	}
	op := tailed{Op: in.op, own: len(in.in), Map: next.name()}
	*next = instr{op: op, in: slices.Concat(in.in, rest), out: next.out, nodes: slices.Concat(in.nodes, next.nodes), bound: b, at: next.at, weights: in.weights, ranged: in.ranged, bytes: in.bytes}
	*in = instr{at: in.at}
	return nil
}

// follower returns the map that could be applied to the result of in, or nil.
func (in *instr) follower() *instr {
	if in.kind != compute || in.bound.Then == nil || in.op == nil || len(in.out) != 1 || in.out[0].out || len(in.out[0].uses) != 1 {
		return nil
	}
	y, next := in.out[0], in.out[0].uses[0]
	if next.fmap == nil || len(next.out) != 1 || next.out[0].operand() != y.operand() {
		return nil
	}
	return next
}

// tailed is an op with a map of its result. Behind the op's own inputs are the other ones of the map.
type tailed struct {
	Op  graph.Op
	Map string // the name of the map
	own int
}

func (t tailed) Name() string { return t.Op.Name() + "+" + t.Map }

func (t tailed) Infer(in []shape.Type) (shape.Type, error) { return t.Op.Infer(in[:t.own]) }
