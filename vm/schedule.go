package vm

import (
	"slices"
)

// schedule orders the instructions: greedily by what each adds to live memory, or as they
// are where that is better.
func schedule(p *plan) error {
	p.relink()
	best := p.order(inOrder)
	if greedy := p.order(byMemory); p.peak(greedy) < p.peak(best) {
		best = greedy
	}
	p.instrs = best
	p.relink()
	return nil
}

// arrange puts the instructions in an order that may run, where schedule is switched off.
func arrange(p *plan) error {
	p.relink()
	p.instrs = p.order(inOrder)
	p.relink()
	return nil
}

// cost is what choosing an instruction next would cost.
type cost func(*instr, *liveness) int

func inOrder(in *instr, _ *liveness) int  { return in.at }
func byMemory(in *instr, l *liveness) int { return l.delta(in) }

// guarded reports whether in must come before the first write to the store: it may fail, or
// it gives a number that is checked.
func guarded(in *instr) bool {
	return in.bound.Fails || slices.ContainsFunc(in.out, checkedFinite)
}

// checkedFinite tells the outputs that a training step checks.
func checkedFinite(v *value) bool {
	return v.out && v.typ.IsFloat() && v.typ.Rank() == 0
}

// order lists the instructions so that definitions come before uses, readers of a leaf
// before its write, and what guards the step before any write. Of the instructions that are
// ready the one with the least cost comes first, and of equals the earlier one.
func (p *plan) order(c cost) []*instr {
	if order := p.tryOrder(newReadiness(p, true), c); order != nil {
		return order
	}
	return p.tryOrder(newReadiness(p, false), c) // two updates that read each other's leaf
}

// tryOrder returns nil where the constraints contradict each other.
func (p *plan) tryOrder(r *readiness, c cost) []*instr {
	l := newLiveness(p)
	out := make([]*instr, 0, len(p.instrs))
	for len(out) < len(p.instrs) {
		best, low := -1, 0
		for i, in := range r.ready {
			if k := c(in, l); best < 0 || k < low || k == low && in.at < r.ready[best].at {
				best, low = i, k
			}
		}
		if best < 0 {
			return nil
		}
		in := r.take(best)
		l.run(in)
		out = append(out, in)
	}
	return out
}

// readiness counts, for each instruction, those that must come before it.
type readiness struct {
	ready   []*instr
	waiting map[*instr]int
	after   map[*instr][]*instr
}

// newReadiness collects the constraints. With late, also the instruction that computes the
// next value of a leaf comes as late as its write must, so that it can store it itself.
func newReadiness(p *plan, late bool) *readiness {
	r := &readiness{waiting: map[*instr]int{}, after: map[*instr][]*instr{}}
	for _, in := range p.instrs {
		for _, v := range in.in {
			if v.def != nil {
				r.before(v.def, in)
			}
		}
		if in.kind != write {
			continue
		}
		first := p.beforeWrite(in)
		for _, f := range first {
			r.before(f, in)
		}
		if def := in.in[0].def; late && def != nil && !p.leadsTo(def, first) {
			for _, f := range first {
				r.before(f, def)
			}
		}
	}
	for _, in := range p.instrs {
		if r.waiting[in] == 0 {
			r.ready = append(r.ready, in)
		}
	}
	return r
}

// beforeWrite lists what must have run before w writes: readers of the leaf, and what
// guards the step.
func (p *plan) beforeWrite(w *instr) []*instr {
	first := p.readers(w.leaf)
	for _, in := range p.instrs {
		if guarded(in) {
			first = append(first, in)
		}
	}
	return first
}

// leadsTo reports whether one of targets, other than in itself, depends on in.
func (p *plan) leadsTo(in *instr, targets []*instr) bool {
	reached := map[*instr]bool{in: true}
	for stack := []*instr{in}; len(stack) > 0; {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, v := range i.out {
			for _, u := range v.uses {
				if !reached[u] {
					reached[u] = true
					stack = append(stack, u)
				}
			}
		}
	}
	return slices.ContainsFunc(targets, func(t *instr) bool { return t != in && reached[t] })
}

func (r *readiness) before(first, then *instr) {
	if first == then {
		return
	}
	r.after[first] = append(r.after[first], then)
	r.waiting[then]++
}

func (r *readiness) take(i int) *instr {
	in := r.ready[i]
	r.ready = slices.Delete(r.ready, i, i+1)
	for _, next := range r.after[in] {
		if r.waiting[next]--; r.waiting[next] == 0 {
			r.ready = append(r.ready, next)
		}
	}
	return in
}

// readers returns the instructions that read leaf, directly or under another shape.
func (p *plan) readers(leaf *value) (rs []*instr) {
	same := []*value{leaf}
	for i := 0; i < len(same); i++ {
		for _, u := range same[i].uses {
			if u.kind == aliased {
				same = append(same, u.out[0])
			}
			rs = append(rs, u)
		}
	}
	return rs
}

// liveness follows the memory in use while instructions are put in order.
type liveness struct {
	left map[*value]int // readers to come
}

func newLiveness(p *plan) *liveness {
	l := &liveness{left: map[*value]int{}}
	for _, v := range p.values {
		l.left[v] = len(v.uses)
	}
	return l
}

// delta is the change in live bytes that running in brings.
func (l *liveness) delta(in *instr) (bytes int) {
	if in.kind == aliased {
		return -1 // free, and its readers may then free more
	}
	for _, v := range in.out {
		bytes += v.typ.Bytes()
	}
	for i, v := range in.in {
		if v.from == fromInstr && !v.out && l.left[v] == 1 && slices.Index(in.in[:i], v) < 0 {
			bytes -= v.typ.Bytes()
		}
	}
	return bytes
}

func (l *liveness) run(in *instr) {
	for i, v := range in.in {
		if slices.Index(in.in[:i], v) < 0 {
			l.left[v]--
		}
	}
}

// peak is the most memory that is live at once in an order.
func (p *plan) peak(order []*instr) int {
	l := newLiveness(p)
	live, most := 0, 0
	for _, in := range order {
		for _, v := range in.out {
			live += v.typ.Bytes()
		}
		most = max(most, live)
		l.run(in)
		for i, v := range in.in {
			if v.from == fromInstr && !v.out && l.left[v] == 0 && slices.Index(in.in[:i], v) < 0 {
				live -= v.typ.Bytes()
			}
		}
	}
	return most
}
