package simd

// laneAxis is an axis of a convolution.
type laneAxis struct{ in, out, kernel, stride, dilation, before int }

func (w *Window) laneAxes() (rows, cols laneAxis) {
	return laneAxis{w.H, w.OH, w.KH, w.SH, w.DH, w.Top}, laneAxis{w.W, w.OW, w.KW, w.SW, w.DW, w.Left}
}

// runs are the windows by the taps that meet the image.
func (a laneAxis) runs() []laneRun {
	return laneRuns(a.out, a.kernel, 1, func(o, k int) (int, bool) {
		at := o*a.stride + k*a.dilation - a.before
		return at, at >= 0 && at < a.in
	})
}

// adjoint are the places of the image by the taps through which windows meet them.
func (a laneAxis) adjoint() []laneRun {
	return laneRuns(a.in, a.kernel, a.stride, func(i, k int) (int, bool) {
		at := i + a.before - k*a.dilation
		return at / a.stride, at >= 0 && at%a.stride == 0 && at/a.stride < a.out
	})
}

// apart reports whether windows do not overlap.
func (a laneAxis) apart() bool { return a.stride > (a.kernel-1)*a.dilation }

// laneRun is a range of results along an axis, step apart, that meet the same taps. The first one meets its
// first tap at in; from a result to the next and from a tap to the next the place moves on.
type laneRun struct {
	out, step, n       int
	tap, tapStep, taps int
	in, inStep, inTap  int
}

// laneRuns returns the runs of n results. Those of one run are phases apart. meet tells where a result
// meets a tap, if it does.
func laneRuns(n, taps, phases int, meet func(o, k int) (in int, ok bool)) (runs []laneRun) {
	for phase := range min(phases, n) {
		first := len(runs)
		for o := phase; o < n; o += phases {
			r := laneRun{out: o, step: phases, n: 1, tapStep: 1}
			for k := range taps {
				in, ok := meet(o, k)
				switch {
				case !ok:
					continue
				case r.taps == 0:
					r.tap, r.in = k, in
				case r.taps == 1:
					r.tapStep, r.inTap = k-r.tap, in-r.in
				}
				r.taps++
			}
			if len(runs) > first && runs[len(runs)-1].extend(r) {
				continue
			}
			runs = append(runs, r)
		}
	}
	return runs
}

// extend takes the run of one more result in, if it meets the same taps.
func (r *laneRun) extend(next laneRun) bool {
	if r.tap != next.tap || r.tapStep != next.tapStep || r.taps != next.taps {
		return false
	}
	if r.n == 1 {
		r.inStep = next.in - r.in
	}
	r.n++
	return true
}

// cut returns the run in about equal pieces of at most that many results.
func (r laneRun) cut(most int) (pieces []laneRun) {
	count := ceil(r.n, most)
	for i := range count {
		p, lo := r, r.n*i/count
		p.n = r.n*(i+1)/count - lo
		p.out += lo * r.step
		p.in += lo * r.inStep
		pieces = append(pieces, p)
	}
	return pieces
}

// splitBy returns the pieces of a run for whose results f has the same value.
func (r laneRun) splitBy(f func(o int) int) (pieces []laneRun) {
	for lo := 0; lo < r.n; {
		hi := lo + 1
		for hi < r.n && f(r.out+hi*r.step) == f(r.out+lo*r.step) {
			hi++
		}
		p := r
		p.n, p.out, p.in = hi-lo, r.out+lo*r.step, r.in+lo*r.inStep
		pieces = append(pieces, p)
		lo = hi
	}
	return pieces
}
