package vm

import (
	"fmt"
	"slices"
)

// link finds where the step commits: the first instruction that changes the store.
func link(p *plan) error {
	p.commit = p.firstWrite()
	for _, in := range p.instrs[p.commit:] {
		if guarded(in) {
			return fmt.Errorf("%s guards the step but comes after its first write", in.name())
		}
	}
	return nil
}

// firstWrite returns the index of the first instruction that changes the store.
func (p *plan) firstWrite() int {
	i := slices.IndexFunc(p.instrs, func(in *instr) bool {
		return in.kind == write || slices.ContainsFunc(in.out, func(v *value) bool { return v.into != nil })
	})
	if i < 0 {
		return len(p.instrs)
	}
	return i
}
