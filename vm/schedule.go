package vm

import (
	"cmp"
	"container/heap"
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

// tryOrder returns nil where the constraints contradict each other. A cost only ever falls,
// when a value has one reader left; then that reader queues again.
func (p *plan) tryOrder(r *readiness, c cost) []*instr {
	l := newLiveness(p)
	q := &queue{}
	push := func(ins ...*instr) {
		for _, in := range ins {
			if !r.taken[in.at] && r.waiting[in.at] == 0 {
				heap.Push(q, candidate{in, c(in, l)})
			}
		}
	}
	push(p.instrs...)
	out := make([]*instr, 0, len(p.instrs))
	for q.Len() > 0 {
		in := heap.Pop(q).(candidate).in
		if r.taken[in.at] {
			continue
		}
		out = append(out, in)
		push(r.take(in)...)
		for _, v := range l.run(in) {
			push(v.uses...)
		}
	}
	if len(out) < len(p.instrs) {
		return nil
	}
	return out
}

// candidate is an instruction that is ready, with what it would cost next.
type candidate struct {
	in   *instr
	cost int
}

// queue is a heap of candidates, the cheapest first, and of equals the earlier one.
type queue []candidate

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(q[i].cost, q[j].cost), cmp.Compare(q[i].in.at, q[j].in.at)) < 0
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(c any)   { *q = append(*q, c.(candidate)) }
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// readiness counts, for each instruction, those that must come before it. Its tables are
// indexed by an instruction's place.
type readiness struct {
	waiting []int
	after   [][]*instr
	taken   []bool
}

// newReadiness collects the constraints. With late, also the instruction that computes the
// next value of a leaf comes as late as its write must, so that it can store it itself.
func newReadiness(p *plan, late bool) *readiness {
	n := len(p.instrs)
	r := &readiness{make([]int, n), make([][]*instr, n), make([]bool, n)}
	guards := p.stepGuards()
	for _, in := range p.instrs {
		for _, v := range in.in {
			if v.def != nil {
				r.before(v.def, in)
			}
		}
		if in.kind != write {
			continue
		}
		first := p.beforeWrite(in, guards)
		for _, f := range first {
			r.before(f, in)
		}
		if def := in.in[0].def; late && def != nil && !p.leadsTo(def, first) {
			for _, f := range first {
				r.before(f, def)
			}
		}
	}
	return r
}

// stepGuards lists what guards the step.
func (p *plan) stepGuards() (guards []*instr) {
	for _, in := range p.instrs {
		if guarded(in) {
			guards = append(guards, in)
		}
	}
	return guards
}

// beforeWrite lists what must have run before w writes: readers of the leaf, and what
// guards the step.
func (p *plan) beforeWrite(w *instr, guards []*instr) []*instr {
	return append(p.readers(w.leaf), guards...)
}

// leadsTo reports whether one of targets, other than in itself, depends on in.
func (p *plan) leadsTo(in *instr, targets []*instr) bool {
	reached := make([]bool, len(p.instrs))
	reached[in.at] = true
	for stack := []*instr{in}; len(stack) > 0; {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, v := range i.out {
			for _, u := range v.uses {
				if !reached[u.at] {
					reached[u.at] = true
					stack = append(stack, u)
				}
			}
		}
	}
	return slices.ContainsFunc(targets, func(t *instr) bool { return t != in && reached[t.at] })
}

func (r *readiness) before(first, then *instr) {
	if first == then {
		return
	}
	r.after[first.at] = append(r.after[first.at], then)
	r.waiting[then.at]++
}

// take notes that in comes next, and returns those that waited for it.
func (r *readiness) take(in *instr) []*instr {
	r.taken[in.at] = true
	for _, next := range r.after[in.at] {
		r.waiting[next.at]--
	}
	return r.after[in.at]
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
	left []int // readers to come, by a value's id
}

func newLiveness(p *plan) *liveness {
	l := &liveness{make([]int, len(p.values))}
	for _, v := range p.values {
		l.left[v.id] = len(v.uses)
	}
	return l
}

// delta is the change in live bytes that running in brings.
func (l *liveness) delta(in *instr) (bytes int) {
	if in.kind == aliased {
		return -1 // free, and its readers may then free more
	}
	for _, v := range in.out {
		bytes += v.bytes()
	}
	for i, v := range in.in {
		if v.from == fromInstr && !v.out && l.left[v.id] == 1 && slices.Index(in.in[:i], v) < 0 {
			bytes -= v.bytes()
		}
	}
	return bytes
}

// bytes is the memory that v takes: none for the next value of a leaf, which will be computed into it.
func (v *value) bytes() int {
	if slices.ContainsFunc(v.uses, func(u *instr) bool { return u.kind == write }) {
		return 0
	}
	return v.typ.Bytes()
}

// run counts in as run, and returns the values that have one reader left.
func (l *liveness) run(in *instr) (last []*value) {
	for i, v := range in.in {
		if slices.Index(in.in[:i], v) >= 0 {
			continue
		}
		if l.left[v.id]--; l.left[v.id] == 1 {
			last = append(last, v)
		}
	}
	return last
}

// peak is the most memory that is live at once in an order.
func (p *plan) peak(order []*instr) int {
	l := newLiveness(p)
	live, most := 0, 0
	for _, in := range order {
		for _, v := range in.out {
			live += v.bytes()
		}
		most = max(most, live)
		l.run(in)
		for i, v := range in.in {
			if v.from == fromInstr && !v.out && l.left[v.id] == 0 && slices.Index(in.in[:i], v) < 0 {
				live -= v.bytes()
			}
		}
	}
	return most
}
