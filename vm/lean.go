package vm

import (
	"cmp"
	"slices"

	"github.com/plexaura/plexaura/engine"
)

// packedPerWeights is how many times the memory of the leaves their packed forms take at most.
const packedPerWeights = 2

// lean keeps the packed forms of leaves within packedPerWeights times the memory of all leaves that
// the program reads. Where they would take more, kernels whose packed form is larger than another
// algorithm's give way to that: first those that lose the least time for the memory that it saves.
func lean(p *plan) error {
	room := packedPerWeights * p.leafBytes()
	var larger []leaner
	for _, in := range p.packing() {
		k := in.bound.Packing
		room -= k.Bytes
		if in.bound.Lean == nil {
			continue
		}
		p.working.at(in.node())
		b := in.bound.Lean()
		if saved := k.Bytes - b.Packing.Bytes; saved > 0 {
			larger = append(larger, leaner{in, b, saved, float64(workOf(b)-workOf(in.bound)) / float64(saved)})
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
		l.instr.bound = l.bound
	}
	return nil
}

// leaner is a kernel that an instruction could have, whose packed form is so many bytes smaller.
type leaner struct {
	instr *instr
	bound engine.Bound
	saved int
	price float64 // work for a byte that is saved
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
