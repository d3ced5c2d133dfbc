package window

import "github.com/plexaura/plexaura/internal/simd/isa"

// Run is a range of results along an axis that meet the same taps, in the same order.
type Run struct {
	Out, Step, N       int // the first result, how far apart they are, how many
	Tap, TapStep, Taps int // the first tap, how far apart they are, how many
	In                 int // where the first result meets its first tap
	InStep, InTap      int // from there to the next result's, which is not before it, and to the next tap's
}

// runs returns the runs of n results. Those of one run are phases apart. meet returns where a
// result meets a tap, if it does.
func runs(n, taps, phases int, meet func(o, k int) (in int, ok bool)) (all []Run) {
	for phase := range min(phases, n) {
		first := len(all)
		for o := phase; o < n; o += phases {
			r := Run{Out: o, Step: phases, N: 1, TapStep: 1}
			for k := range taps {
				in, ok := meet(o, k)
				switch {
				case !ok:
					continue
				case r.Taps == 0:
					r.Tap, r.In = k, in
				case r.Taps == 1:
					r.TapStep, r.InTap = k-r.Tap, in-r.In
				}
				r.Taps++
			}
			if len(all) > first && all[len(all)-1].extend(r) {
				continue
			}
			all = append(all, r)
		}
	}
	return all
}

// alike returns the runs of n results of which each meets the places of a span, counted as taps.
func alike(n, phases int, span func(o int) Span) []Run {
	most := 0
	for o := range n {
		most = max(most, span(o).N)
	}
	return runs(n, most, phases, func(o, k int) (int, bool) {
		s := span(o)
		return s.At + k*s.Step, k < s.N
	})
}

// extend takes the run of one more result in, if it meets the same taps, as far on as the others.
func (r *Run) extend(next Run) bool {
	if r.Tap != next.Tap || r.TapStep != next.TapStep || r.Taps != next.Taps || r.InTap != next.InTap {
		return false
	}
	step := r.InStep
	if r.N == 1 {
		step = next.In - r.In
	}
	if step < 0 || next.In != r.In+r.N*step {
		return false
	}
	r.InStep = step
	r.N++
	return true
}

// Cut returns the run in about equal pieces of at most that many results.
func (r Run) Cut(most int) (pieces []Run) {
	count := isa.Ceil(r.N, most)
	for i := range count {
		p, lo := r, r.N*i/count
		p.N = r.N*(i+1)/count - lo
		p.Out += lo * r.Step
		p.In += lo * r.InStep
		pieces = append(pieces, p)
	}
	return pieces
}

// SplitBy returns the pieces of a run for whose results f has the same value.
func (r Run) SplitBy(f func(o int) int) (pieces []Run) {
	for lo := 0; lo < r.N; {
		hi := lo + 1
		for hi < r.N && f(r.Out+hi*r.Step) == f(r.Out+lo*r.Step) {
			hi++
		}
		p := r
		p.N, p.Out, p.In = hi-lo, r.Out+lo*r.Step, r.In+lo*r.InStep
		pieces = append(pieces, p)
		lo = hi
	}
	return pieces
}
