package vm

import (
	"cmp"
	"slices"

	"github.com/plexaura/plexaura/engine"
)

// packedPerWeights is how many times the memory of the leaves their packed forms take at most, but
// packedFree bytes are always theirs: a few convolutions alone are not what memory is short of.
const packedPerWeights = 2

var packedFree = 16 << 20 // a variable for tests

// lean keeps the packed forms of leaves within packedPerWeights times the memory of all leaves that
// the program reads, or packedFree. Where they would take more, kernels whose packed form is larger than another
// algorithm's give way to that: first those that lose the least time for the memory that it saves.
func lean(p *plan) error {
	room := max(packedPerWeights*p.leafBytes(), packedFree)
	var larger []leaner
	for _, f := range p.users() {
		k := f.users[0].bound.Packing
		room -= k.Bytes
		if l, ok := p.leaner(f); ok {
			larger = append(larger, l)
		}
	}
	slices.SortStableFunc(larger, func(a, b leaner) int { return cmp.Compare(a.price, b.price) })
	n := 0
	for ; n < len(larger) && room < 0; n++ {
		room += larger[n].saved
	}
	for _, l := range slices.Backward(larger[:n]) { // those that cost the most stay if there is room after all
		if room >= l.saved {
			room -= l.saved
			continue
		}
		for i, in := range l.users {
			in.bound = l.bounds[i]
		}
	}
	return nil
}

// sharedForm is a packed form with the instructions that use it.
type sharedForm struct {
	formOf
	users []*instr
}

// users lists the packed forms of the program.
func (p *plan) users() (all []*sharedForm) {
	at := map[formOf]*sharedForm{}
	for _, in := range p.packing() {
		f := in.formOf()
		if at[f] == nil {
			at[f] = &sharedForm{formOf: f}
			all = append(all, at[f])
		}
		at[f].users = append(at[f].users, in)
	}
	return all
}

// leaner is a packed form, and the kernels that its users could have instead, with one that is so many
// bytes smaller.
type leaner struct {
	*sharedForm
	bounds []engine.Bound
	saved  int
	price  float64 // work for a byte that is saved
}

// leaner returns the kernels that the users of f could have, if all could and the form is smaller.
func (p *plan) leaner(f *sharedForm) (l leaner, ok bool) {
	l.sharedForm = f
	work := 0
	for _, in := range f.users {
		if in.bound.Lean == nil {
			return l, false
		}
		p.working.at(in.node())
		b := in.bound.Lean()
		l.bounds = append(l.bounds, b)
		work += workOf(b) - workOf(in.bound)
	}
	l.saved = f.users[0].bound.Packing.Bytes - l.bounds[0].Packing.Bytes
	l.price = float64(work) / float64(l.saved)
	return l, l.saved > 0
}

// workOf returns the work of the algorithm of b, 0 if it is not known.
func workOf(b engine.Bound) int {
	for _, c := range b.Choice {
		if c.Alg == b.Alg {
			return c.Work
		}
	}
	return 0
}

// leafBytes returns the memory of the leaves that the program reads.
func (p *plan) leafBytes() (bytes int) {
	for _, v := range p.values {
		if v.from == fromLeaf {
			bytes += v.typ.Bytes()
		}
	}
	return bytes
}

// packing lists the instructions whose kernel uses a packed form of a leaf or a constant that the
// program does not change.
func (p *plan) packing() (all []*instr) {
	updated := map[int]bool{}
	for _, up := range p.prog.unit.updates {
		updated[p.prog.leafIndex(up.Leaf.Name())] = true
	}
	for _, in := range p.instrs {
		if in.kind != compute || in.bound.Packing.Kernel == nil {
			continue
		}
		if r := in.in[in.bound.Packing.In].root(); r.from == fromConst || r.from == fromLeaf && !updated[r.index] {
			all = append(all, in)
		}
	}
	return all
}
