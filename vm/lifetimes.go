package vm

// lifetimes records, by the id of each root, the last instruction that needs its memory, or that
// may run at the same time as that instruction.
type lifetimes struct {
	last []int
	outs []bool // an output of the program is in this memory
}

func newLifetimes(p *plan) lifetimes {
	l := lifetimes{make([]int, len(p.values)), make([]bool, len(p.values))}
	for _, v := range p.values {
		r := v.root()
		if v.def != nil {
			_, last := p.span(v.def)
			l.extend(r, last)
		}
		for _, u := range v.uses {
			_, last := p.span(u)
			l.extend(r, last)
		}
		if v.out {
			l.extend(r, len(p.instrs))
			l.outs[r.id] = true
		}
	}
	return l
}

func (l lifetimes) extend(root *value, at int) { l.last[root.id] = max(l.last[root.id], at) }
