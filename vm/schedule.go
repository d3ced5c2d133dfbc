package vm

import (
	"cmp"
	"container/heap"
	"math"
	"math/rand/v2"
	"slices"
)

// schedule orders the instructions greedily by how much each adds to live memory, unless the
// original order needs less.
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

// arrange puts the instructions in a valid order. It replaces schedule if that is switched off.
// With [Checked] it takes ready instructions at random, with a fixed seed, so that nothing can rely
// on more than validity.
func arrange(p *plan) error {
	p.relink()
	c := inOrder
	if o := p.prog.unit.opts; o.checked && o.memory == 0 { // remat needs the order that it made
		c = shuffled(len(p.instrs))
	}
	p.instrs = p.order(c)
	p.relink()
	return nil
}

// cost returns the cost of running an instruction next.
type cost func(*instr, *liveness) int

// of returns the least cost for an instruction that starts something.
func (c cost) of(in *instr, l *liveness) int {
	if in.bound.Starts {
		return math.MinInt
	}
	return c(in, l)
}

func inOrder(in *instr, _ *liveness) int  { return in.at }
func byMemory(in *instr, l *liveness) int { return l.delta(in) }

// shuffled returns a cost that is a random order of n instructions, the same in each run.
func shuffled(n int) cost {
	turn := rand.New(rand.NewPCG(uint64(n), 1)).Perm(n)
	return func(in *instr, _ *liveness) int { return turn[in.at] }
}

// guarded reports whether in must come before the first write to the store, because it may fail or
// computes a number that is checked.
func guarded(in *instr) bool {
	return in.bound.Fails || slices.ContainsFunc(in.out, checkedFinite)
}

// checkedFinite reports whether v is an output that a training step checks.
func checkedFinite(v *value) bool {
	return v.out && v.typ.HasGradient() && v.typ.Rank() == 0
}

// order returns the instructions in an order in which definitions come before uses, readers of a
// leaf before its write, and all that guard the step before any write. Among ready instructions it
// takes the one with the lowest cost, and of equal ones the earliest.
func (p *plan) order(c cost) []*instr {
	if order := p.tryOrder(newReadiness(p, true), c); order != nil {
		return order
	}
	return p.tryOrder(newReadiness(p, false), c) // two updates read each other's leaf
}

// tryOrder returns nil if the constraints contradict each other. The cost of an instruction only
// falls, when it becomes the last reader of a value; then it is queued again.
// An instruction that starts something comes first.
func (p *plan) tryOrder(r *readiness, c cost) []*instr {
	l := newLiveness(p)
	q := &queue{}
	push := func(ins ...*instr) {
		for _, in := range ins {
			if !r.taken[in.at] && r.waiting[in.at] == 0 {
				heap.Push(q, candidate{in, c.of(in, l)})
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
		push(l.run(in)...)
	}
	if len(out) < len(p.instrs) {
		return nil
	}
	return out
}

// candidate is a ready instruction with its cost.
type candidate struct {
	in   *instr
	cost int
}

// queue is a heap of candidates: the cheapest first, and of equal ones the earliest.
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

// readiness counts, for each instruction, those that must come before it. Its tables are indexed by
// an instruction's position.
type readiness struct {
	waiting []int
	after   [][]*instr
	taken   []bool
	guards  []*instr // of the step
	gate    *instr   // not in the plan: follows all guards, so that others need an edge only from it
	late    *instr   // the guard that waits for the others
}

// newReadiness collects the constraints. With late, the instruction that computes the next value of
// a leaf is also constrained like its write, so that it can store the value directly.
func newReadiness(p *plan, late bool) *readiness {
	n := len(p.instrs)
	r := &readiness{
		waiting: make([]int, n+1), after: make([][]*instr, n+1), taken: make([]bool, n+1),
		guards: p.stepGuards(), gate: &instr{at: n},
	}
	for _, g := range r.guards {
		r.before(g, r.gate)
	}
	guarding := p.leadingToGuards()
	for _, in := range p.instrs {
		for _, v := range in.in {
			if v.def != nil {
				r.before(v.def, in)
			}
		}
		if in.kind != write {
			continue
		}
		readers := p.readers(in.leaf)
		r.afterAll(readers, in)
		if def := in.in[0].def; late && def != nil && !guarding[def.at] && !p.leadsTo(def, readers) {
			r.afterAll(readers, def)
		}
	}
	return r
}

// stepGuards lists the instructions that guard the step, in order.
func (p *plan) stepGuards() (guards []*instr) {
	for _, in := range p.instrs {
		if guarded(in) {
			guards = append(guards, in)
		}
	}
	return guards
}

// leadingToGuards reports, by an instruction's position, whether an instruction that guards the
// step depends on it.
func (p *plan) leadingToGuards() []bool {
	leads := make([]bool, len(p.instrs))
	for _, in := range slices.Backward(p.instrs) { // definitions come before uses
		leads[in.at] = slices.ContainsFunc(in.out, func(v *value) bool {
			return slices.ContainsFunc(v.uses, func(u *instr) bool { return leads[u.at] || guarded(u) })
		})
	}
	return leads
}

// leadsTo reports whether one of targets, other than in itself, depends on in. It looks no further
// than the last target.
func (p *plan) leadsTo(in *instr, targets []*instr) bool {
	last := in.at
	for _, t := range targets {
		last = max(last, t.at)
	}
	reached := map[*instr]bool{}
	stack := []*instr{in}
	for last > in.at && len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, v := range i.out {
			for _, u := range v.uses {
				if u.at <= last && !reached[u] {
					reached[u] = true
					stack = append(stack, u)
				}
			}
		}
	}
	return slices.ContainsFunc(targets, func(t *instr) bool { return reached[t] })
}

func (r *readiness) before(first, then *instr) {
	if first == then {
		return
	}
	r.after[first.at] = append(r.after[first.at], then)
	r.waiting[then.at]++
}

// afterAll requires that in come after the readers of a leaf and all guards of the step.
func (r *readiness) afterAll(readers []*instr, in *instr) {
	for _, first := range readers {
		r.before(first, in)
	}
	switch {
	case len(r.guards) == 0:
	case !guarded(in):
		r.before(r.gate, in)
	case r.late == nil:
		r.late = in
		for _, g := range r.guards {
			r.before(g, in)
		}
	case r.late != in:
		r.waiting[in.at]++ // never becomes ready: two guards cannot both be last
	}
}

// take records that in comes next, and returns the instructions that become ready.
func (r *readiness) take(in *instr) (ready []*instr) {
	r.taken[in.at] = true
	for _, next := range r.after[in.at] {
		r.waiting[next.at]--
		switch {
		case r.waiting[next.at] > 0:
		case next == r.gate:
			ready = append(ready, r.take(next)...)
		default:
			ready = append(ready, next)
		}
	}
	return ready
}

// readers returns the instructions that read leaf or an alias of it.
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

// liveness tracks the memory in use while instructions are ordered. Its tables are indexed by a
// value's id or an instruction's position.
type liveness struct {
	bytes   []int // memory of each value
	left    []int // number of readers to come
	counted []int // 1 + the position of the instruction for which the value was last counted
	frees   []int // memory of the inputs of which the instruction is the last reader
	done    []bool
}

func newLiveness(p *plan) *liveness {
	n := len(p.values)
	l := &liveness{make([]int, n), make([]int, n), make([]int, n), make([]int, len(p.instrs)), make([]bool, len(p.instrs))}
	for _, v := range p.values {
		l.left[v.id] = len(v.uses)
		if v.from == fromInstr {
			l.bytes[v.id] = v.bytes()
		}
		if len(v.uses) == 1 {
			l.last(v)
		}
	}
	return l
}

// last records that v has one reader left, and returns it.
func (l *liveness) last(v *value) *instr {
	u := v.uses[slices.IndexFunc(v.uses, func(u *instr) bool { return !l.done[u.at] })]
	if v.from == fromInstr && !v.out {
		l.frees[u.at] += l.bytes[v.id]
	}
	return u
}

// delta returns the change in live bytes if in runs.
func (l *liveness) delta(in *instr) int {
	if in.kind == aliased {
		return -1 // it is free, and its readers may then free more
	}
	return l.made(in) - l.frees[in.at]
}

// made returns the memory of the results of in.
func (l *liveness) made(in *instr) (bytes int) {
	for _, v := range in.out {
		bytes += l.bytes[v.id]
	}
	return bytes
}

// bytes returns the memory of v: none for the next value of a leaf, which is computed into the
// leaf.
func (v *value) bytes() int {
	if slices.ContainsFunc(v.uses, func(u *instr) bool { return u.kind == write }) {
		return 0
	}
	return v.typ.Bytes()
}

// run records that in has run, and returns the instructions that have become the last readers of a
// value.
func (l *liveness) run(in *instr) (last []*instr) {
	l.done[in.at] = true
	for _, v := range in.in {
		if l.counted[v.id] == in.at+1 {
			continue
		}
		l.counted[v.id] = in.at + 1
		if l.left[v.id]--; l.left[v.id] == 1 {
			last = append(last, l.last(v))
		}
	}
	return last
}

// peak returns the largest amount of memory that is live at once in an order.
func (p *plan) peak(order []*instr) int {
	l := newLiveness(p)
	live, most := 0, 0
	for _, in := range order {
		live += l.made(in)
		most = max(most, live)
		l.run(in)
		live -= l.frees[in.at]
	}
	return most
}
