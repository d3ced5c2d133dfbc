package vm

import "slices"

// Plans is the number of batch sizes that p remembers.
func Plans(p *Program) int { return len(p.plans) }

// NaiveOrder reports whether the schedule of p for batch size n, made with a queue, is the one
// made by looking at all that is ready at each step.
func NaiveOrder(p *Program, n int) (bool, error) {
	pl, err := p.plan(n)
	if err != nil {
		return false, err
	}
	r, l := newReadiness(pl, false), newLiveness(pl)
	var order []*instr
	for range pl.instrs {
		var best *instr
		for _, in := range pl.instrs {
			if !r.taken[in.at] && r.waiting[in.at] == 0 && (best == nil || byMemory(in, l) < byMemory(best, l)) {
				best = in
			}
		}
		r.take(best)
		l.run(best)
		order = append(order, best)
	}
	return slices.Equal(order, pl.tryOrder(newReadiness(pl, false), byMemory)), nil
}
