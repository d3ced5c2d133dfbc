package vm

import "math/rand/v2"

// random decides for a program of batch size n, the same in every run.
func (o *options) random(n int) *rand.Rand { return rand.New(rand.NewPCG(o.shuffle, uint64(n))) }

// shuffled puts passes into an order that keeps to what they say of each other.
func shuffled[U any](passes []pass[U], r *rand.Rand) (order []pass[U]) {
	left := map[string]bool{}
	for _, ps := range passes {
		left[ps.name] = true
	}
	for len(left) > 0 {
		var ready []pass[U]
		for _, ps := range passes {
			if left[ps.name] && ps.after.none(left) {
				ready = append(ready, ps)
			}
		}
		next := ready[r.IntN(len(ready))]
		order = append(order, next)
		delete(left, next.name)
	}
	return order
}

// none reports whether none of the passes is left.
func (a after) none(left map[string]bool) bool {
	for _, name := range a {
		if left[name] {
			return false
		}
	}
	return true
}

// inAnyOrder takes the instructions that are ready, of n in all, as r decides.
func inAnyOrder(r *rand.Rand, n int) cost {
	at := r.Perm(n)
	return func(in *instr, _ *liveness) int { return at[in.at] }
}
