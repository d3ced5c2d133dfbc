package vm

import (
	"slices"

	"github.com/plexaura/plexaura/shape"
)

// absorb merges an op into the only consumer of its result where the op can do both: a convolution
// absorbs its bias and activation. A merged op is asked again.
func absorb(p *plan) error {
	a := &absorbing{plan: p, places: make([]int, len(p.values)), types: map[*instr][]shape.Type{}}
	for _, in := range p.instrs {
		a.note(in)
	}
	for _, in := range p.instrs { // the merged instruction comes later in the list
		a.into(in)
	}
	p.compact()
	return nil
}

// absorbing holds the state of absorb. Its tables keep the pass linear: an instruction with many
// inputs is asked by each of their producers, and no call may scan all of its inputs.
type absorbing struct {
	*plan
	places []int                   // by value id: the index of the value among its only consumer's inputs, or twice
	types  map[*instr][]shape.Type // of the inputs of consumers
}

// twice stands for the index of a value that its consumer reads more than once.
const twice = -1

// note records the indices of the inputs of in.
func (a *absorbing) note(in *instr) {
	delete(a.types, in)
	for i, v := range in.in {
		a.places[v.id] = i
	}
	for i, v := range in.in {
		if a.places[v.id] != i { // already recorded at another index
			a.places[v.id] = twice
		}
	}
}

// typesOf returns the types of the inputs of a consumer.
func (a *absorbing) typesOf(next *instr) []shape.Type {
	ts, ok := a.types[next]
	if !ok {
		ts = types(next.in)
		a.types[next] = ts
	}
	return ts
}

// into merges in into its only consumer, if its op can. The merged instruction takes the consumer's
// position, so that its inputs come before it.
func (a *absorbing) into(in *instr) {
	op, ok := in.op.(Absorber)
	if !ok || len(in.out) != 1 || in.out[0].out || len(in.out[0].uses) != 1 {
		return
	}
	next, at := in.out[0].uses[0], a.places[in.out[0].id]
	if at == twice || next.kind != compute || next.op == nil || len(next.in) != next.node().NIn() {
		return
	}
	a.working.at(in.node())
	merged, ok := op.Absorb(a.absorbing(in), types(in.in), next.op, at, a.typesOf(next))
	if !ok {
		return
	}
	inputs := slices.Concat(in.in, next.in[:at], next.in[at+1:])
	if t, err := merged.Infer(types(inputs)); err != nil || t != next.out[0].typ {
		return
	}
	*next = instr{op: merged, in: inputs, out: next.out, nodes: slices.Concat(in.nodes, next.nodes), ranged: in.ranged}
	*in = instr{}
	a.note(next)
}
