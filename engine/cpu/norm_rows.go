package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/totals"
	"github.com/plexaura/plexaura/internal/simd/vec"
)

// Short runs cost more in calls than in work. Where runs are the same distance apart, those of a
// group or of several, a call takes many.

const (
	// mostRows is the most runs that are taken at a time.
	mostRows = 128
	// setElems is about how many elements of x are taken at a time, which stay in the first-level cache, and
	// layeredElems in layers, which stay in the second-level one.
	setElems, layeredElems = 8 << 10, 64 << 10
	// fewGroups is how many groups are worth layers, and fewSets how many sets there are to be at least.
	fewGroups, fewSets = 4, 16
)

// rowPlan is how sets of runs are taken: groups that are side by side, with per runs each in each of some layers.
//
//	per 1               groups have one run each
//	per, layers 1       the runs of groups follow each other, such as group normalisation's
//	per 1, layers       the first runs of groups follow each other, and then the second ones: batch normalisation's
type rowPlan struct {
	per, layers, layer int // runs of a group in a layer; layers, and from one to the next
	stride, byStride   int // from a run to the next, in x and in gamma
	together, groups   int // groups that are evenly spaced, and those of a set, 0 if one is more than a set
	rows               int // runs of a set where groups is 0
}

// inRows returns the plan by which runs are to be taken, or false.
func (w *normalised) inRows() (p rowPlan, ok bool) {
	if !w.along || w.run > totals.Longest || w.rest.rank > 1 {
		return p, false
	}
	p = rowPlan{per: 1, layers: 1, together: 1, rows: min(max(setElems/w.run, 1), mostRows)}
	last := w.groups.rank - 1
	var x, by int // from a group to the next
	if last >= 0 {
		p.together, x, by = w.groups.extent[last], w.groups.x[last], w.groups.y[last]
	}
	if w.rest.rank == 0 {
		p.stride, p.byStride, p.groups = x, by, p.rows
		return p, p.together > 1 && (w.weights == 0 || by == 0)
	}
	runs := w.rest.extent[0]
	p.per, p.stride, p.byStride = runs, w.rest.x[0], w.rest.y[0]
	layered := min(layeredElems/(runs*w.run), mostRows, max(p.together/fewSets, fewGroups))
	switch {
	case p.stride*runs == x && p.byStride*runs == by:
	case layered >= fewGroups && p.together >= fewGroups && p.byStride == 0 && (w.weights == 0 || by == 0):
		p.layers, p.layer, p.per, p.stride, p.byStride, p.groups = runs, p.stride, 1, x, by, layered
		return p, true
	default:
		p.together = 1
	}
	if runs <= p.rows {
		p.groups = p.rows / runs
	}
	return p, w.weights == 0 || p.byStride == 0 // all share a gamma that changes within them
}

// rowSet is n runs in each of some layers, the first at element at of x and by of gamma.
type rowSet struct {
	*rowPlan
	at, by, n     int
	first, groups int  // the group of the first run, and how many
	per, from     int  // runs of each group, from one of its on
	begins        bool // the first run is the first one of its group
}

// whole reports whether the set has all runs of its groups.
func (s *rowSet) whole() bool { return s.per == s.rowPlan.per }

// next is how many groups from one on, before hi, are taken at a time.
func (p *rowPlan) next(g, hi int) int { return max(min(p.groups, hi-g, p.together-g%p.together), 1) }

// eachSet calls f for the sets of groups lo to hi. Those of one group follow each other.
func (w *normalised) eachSet(p *rowPlan, lo, hi int, f func(s rowSet)) {
	for n := 0; lo < hi; lo += n {
		n = p.next(lo, hi)
		at, by := w.groups.at(lo)
		if p.groups > 0 {
			f(rowSet{rowPlan: p, at: at, by: by, n: n * p.per, first: lo, groups: n, per: p.per, begins: true})
			continue
		}
		for r := 0; r < p.per; r += p.rows {
			k := min(p.rows, p.per-r)
			f(rowSet{rowPlan: p, at: at + r*p.stride, by: by + r*p.byStride, n: k, first: lo, groups: 1, per: k, from: r, begins: r == 0})
		}
	}
}

// rowWork is the memory that a worker has for a set of rows: numbers of each, and of each group.
type rowWork[T isa.Float] struct {
	sums, centre, a, b, d []T
	mean, scales, h, hx   []float64
}

// rowMemory is where it is.
type rowMemory[T isa.Float] struct {
	numbers region[T]
	wide    region[float64]
}

func reserveRows[T isa.Float](l *layout, slots int) rowMemory[T] {
	return rowMemory[T]{reserve[T](l, slots, 5*mostRows), reserve[float64](l, slots, 4*mostRows)}
}

func (m rowMemory[T]) of(c *engine.Call, slot int) rowWork[T] {
	v, w := m.numbers.of(c, slot), m.wide.of(c, slot)
	part := func(i int) []T { return v[i*mostRows:][:mostRows] }
	wide := func(i int) []float64 { return w[i*mostRows:][:mostRows] }
	return rowWork[T]{part(0), part(1), part(2), part(3), part(4), wide(0), wide(1), wide(2), wide(3)}
}

// alongRows is the work on the runs of a normalisation, set by set.
type alongRows[T isa.Float] struct {
	*normalised
	plan rowPlan
	e    Engine
	call *engine.Call
	rowWork[T]
}

// rowsOf returns x's rows of a layer of a set, and dy's if there is one.
func (a *alongRows[T]) rowsOf(s rowSet, layer int, x, dy []T) totals.Rows[T] {
	at := s.at + layer*s.layer
	r := totals.Rows[T]{N: a.run, X: x[at:], XRow: s.stride, C: a.centre}
	if dy != nil {
		r.Z, r.ZRow = dy[at:], s.stride
	}
	return r
}

// deviations sets the moments of each group of a set: its mean, and in scales the sum of the squares of distances
// from it, both of the runs that the set has.
func (a *alongRows[T]) deviations(s rowSet) {
	x, per, run := engine.Slice[T](a.call.In[0]), s.per, a.run
	if per > 1 && s.stride == run && per*run <= totals.Longest { // as one run
		run, per = per*run, 1
	}
	count := float64(run * per * s.layers)
	total := func(op totals.Total, to []float64) {
		clear(to)
		for layer := range s.layers {
			r := a.rowsOf(s, layer, x, nil)
			if r.N = run; run > a.run {
				r.XRow = run
			}
			sums := a.sums[:s.groups*per]
			totals.OfRows(a.e.simd.Totals, op, sums, r)
			addEach(to, sums, per)
		}
	}
	mean, squares := a.mean[:s.groups], a.scales[:s.groups]
	total(totals.Sum, mean)
	for g := range mean {
		mean[g] /= count
	}
	a.spread(s.groups, per)
	total(totals.Squares, squares)
	for g, m := range mean {
		d := m - float64(T(m))
		squares[g] = max(squares[g]-count*d*d, 0)
	}
}

// addEach adds to each number so many of x, those that follow each other.
func addEach[T isa.Float](to []float64, x []T, each int) {
	if each == 1 {
		for g, v := range x {
			to[g] += float64(v)
		}
		return
	}
	for g := range to {
		sum := 0.0
		for _, v := range x[g*each:][:each] {
			sum += float64(v)
		}
		to[g] += sum
	}
}

// begin sets the mean and the scale of each group that a set has, and the centre of each run.
func (a *alongRows[T]) begin(s rowSet) {
	switch {
	case !s.begins:
	case a.Given:
		means, variances := halves(engine.Slice[T](a.call.In[a.in]))
		for i, m := range means[s.first:][:s.groups] {
			a.mean[i] = float64(m)
		}
		for i, v := range variances[s.first:][:s.groups] {
			a.scales[i] = float64(v) + a.Eps
		}
		a.invertRoots(s.groups)
	default:
		a.moments(s)
		part := 1 / float64(a.count())
		for i, squares := range a.scales[:s.groups] {
			a.scales[i] = squares*part + a.Eps
		}
		a.invertRoots(s.groups)
	}
	a.spread(s.groups, s.per)
}

// invertRoots replaces the numbers in scales by 1 over their roots.
func (a *alongRows[T]) invertRoots(groups int) {
	v, all := a.e.simd.Vec, a.scales[:groups]
	v.Map64(vec.Sqrt, all, all, nil, 0)
	v.Map64(vec.DivR, all, all, nil, 1)
}

// moments sets those of the groups of a set that begins, as deviations does, of all of their runs.
func (a *alongRows[T]) moments(s rowSet) {
	if s.whole() {
		a.deviations(s)
		return
	}
	var all deviation
	a.eachSet(s.rowPlan, s.first, s.first+1, func(part rowSet) {
		a.deviations(part)
		all.join(deviation{float64(part.n * a.run), a.mean[0], a.scales[0]})
	})
	a.mean[0], a.scales[0] = all.mean, all.squares
}

// spread sets the centre of each run to the mean of its group, of so many that have so many runs each.
func (a *alongRows[T]) spread(groups, per int) {
	for g, m := range a.mean[:groups] {
		setRuns(a.centre, g, per, T(m))
	}
}

// apply applies a map to the rows of a set, to dst.
func (a *alongRows[T]) apply(op totals.Map, s rowSet, m totals.MapRows[T], z, dst []T) {
	m.N, m.XRow, m.ZRow, m.DstRow = a.run, s.stride, s.stride, s.stride
	m.A, m.B, m.C, m.D = a.a, a.b, a.centre, a.d
	for layer := range s.layers {
		at := s.at + layer*s.layer
		m.X = engine.Slice[T](a.call.In[0])[at:]
		if z != nil {
			m.Z = z[at:]
		}
		if m.Dst = dst; op == totals.Weigh { // all rows are added to one
			m.DstRow = 0
		} else {
			m.Dst = dst[at:]
		}
		totals.ApplyRows(a.e.simd.Totals, op, s.n, &m)
	}
}

// addRows adds the rows of a set in v to to: as often as ones says, which is as long as a run.
func (a *alongRows[T]) addRows(s rowSet, v, ones, to []T) {
	clear(a.centre[:s.n])
	fill(a.a[:s.n], 1)
	m := totals.MapRows[T]{N: a.run, Dst: to, X: ones, ZRow: s.stride, A: a.a, C: a.centre}
	for layer := range s.layers {
		m.Z = v[s.at+layer*s.layer:]
		totals.ApplyRows(a.e.simd.Totals, totals.Weigh, s.n, &m)
	}
}

// factors sets a to the scale of each run, times gamma if that is the same in all of it.
func (a *alongRows[T]) factors(s rowSet, gamma []T) {
	scales := a.scales[:s.groups]
	if a.weights == 1 {
		for g, scale := range scales {
			setRuns(a.a, g, s.per, T(scale))
		}
		return
	}
	strided(a.a[:s.n], gamma[s.by:], s.byStride)
	for g, scale := range scales {
		of := nth(a.a, g, s.per)
		for i, v := range of {
			of[i] = T(scale * float64(v))
		}
	}
}

// setRuns sets the numbers of the runs of group g, of which each group has so many.
func setRuns[T isa.Float](runs []T, g, per int, v T) {
	if per == 1 {
		runs[g] = v
		return
	}
	fill(nth(runs, g, per), v)
}

// strided sets to to elements of v that are so far apart.
func strided[T isa.Float](to, v []T, stride int) {
	if stride == 1 {
		copy(to, v)
		return
	}
	for i := range to {
		to[i] = v[i*stride]
	}
}

// normalise computes the results of a set, whose groups have begun.
func (a *alongRows[T]) normalise(s rowSet, slot int) {
	gamma, beta, y := engine.Slice[T](a.call.In[1]), engine.Slice[T](a.call.In[2]), engine.Slice[T](a.call.Out[0])
	a.factors(s, gamma)
	if a.weights == 1 {
		a.apply(totals.ScaleBy, s, totals.MapRows[T]{P: gamma[s.by:], Q: beta[s.by:]}, nil, y)
	} else {
		strided(a.b[:s.n], beta[s.by:], s.byStride)
		a.apply(totals.Scale, s, totals.MapRows[T]{}, nil, y)
	}
	if a.tail == nil {
		return
	}
	for i := range s.layers * s.n {
		at := s.at + i/s.n*s.layer + i%s.n*s.stride
		a.tail.apply(a.call, slot, at, at+a.run)
	}
}

// gradSums adds to h and hx, for each group of a set, the sums of h = dy*gamma and of h*(x-centre).
func (a *alongRows[T]) gradSums(s rowSet) {
	x, dy, gamma := engine.Slice[T](a.call.In[0]), engine.Slice[T](a.call.In[1]), engine.Slice[T](a.call.In[2])
	for layer := range s.layers {
		r := a.rowsOf(s, layer, x, dy)
		if a.weights == 1 {
			r.G = gamma[s.by:]
		}
		totals.BothOfRows(a.e.simd.Totals, a.a[:s.n], a.b[:s.n], r)
		a.weighSums(s, gamma)
	}
}

// weighSums adds a and b, sums of the rows of a layer, to those of their groups.
func (a *alongRows[T]) weighSums(s rowSet, gamma []T) {
	if a.weights == 1 {
		addEach(a.h[:s.groups], a.b[:s.n], s.per)
		addEach(a.hx[:s.groups], a.a[:s.n], s.per)
		return
	}
	strided(a.d[:s.n], gamma[s.by:], s.byStride)
	for g := range s.groups {
		h, hx, factors := nth(a.b, g, s.per), nth(a.a, g, s.per), nth(a.d, g, s.per)
		for i, factor := range factors {
			a.h[g] += float64(factor) * float64(h[i])
			a.hx[g] += float64(factor) * float64(hx[i])
		}
	}
}

// blend computes the gradients of a set, whose sums are in h and hx.
func (a *alongRows[T]) blend(s rowSet) {
	dy, gamma, dx := engine.Slice[T](a.call.In[1]), engine.Slice[T](a.call.In[2]), engine.Slice[T](a.call.Out[0])
	part := -1 / float64(a.count())
	a.spread(s.groups, s.per)
	for g, scale := range a.scales[:s.groups] {
		h, mean := a.h[g], a.mean[g]
		hx := a.hx[g] + h*(float64(T(mean))-mean)
		if a.Summed {
			h, hx = givenSums[T](a.normalised, a.call, s.first+g, scale)
		}
		setRuns(a.b, g, s.per, T(scale*scale*scale*hx*part))
		setRuns(a.d, g, s.per, T(scale*h*part))
	}
	a.factors(s, gamma)
	op, m := totals.Blend, totals.MapRows[T]{}
	if a.weights == 1 {
		op, m.P = totals.BlendBy, gamma[s.by:]
	}
	a.apply(op, s, m, dy, dx)
}

// overRows returns the kernel that calls f for groups lo to hi, whose runs are in sets.
func overRows[T isa.Float](e Engine, w normalised, p rowPlan, passes int, l *layout, f func(a *alongRows[T], slot, lo, hi int)) engine.Bound {
	groups, each := w.groups.size(), max(p.groups, 1)
	return inParts(e, w, p, isa.Ceil(groups, each), each*w.cost(passes), l, func(a *alongRows[T], slot, lo, hi int) {
		f(a, slot, lo*each, min(hi*each, groups))
	})
}

// inParts is overRows for so many parts, each of which takes so many nanoseconds.
func inParts[T isa.Float](e Engine, w normalised, p rowPlan, parts, cost int, l *layout, f func(a *alongRows[T], slot, lo, hi int)) engine.Bound {
	var memory rowMemory[T]
	workers := par.NewFree(16, func() *alongRows[T] { return &alongRows[T]{normalised: &w, plan: p, e: e} })
	work := e.newLoop(parts, cost, func(c *engine.Call, slot, lo, hi int) {
		a := workers.Take()
		a.call, a.rowWork = c, memory.of(c, slot)
		f(a, slot, lo, hi)
		a.call, a.rowWork = nil, rowWork[T]{}
		workers.Give(a)
	})
	memory = reserveRows[T](l, work.slots)
	w.tail.reserve(l, work.slots)
	return engine.Bound{Kernel: work.kernel(), Scratch: int(*l), By: name, Serial: work.serial()}
}

func momentsInRows[T isa.Float](e Engine, w normalised, p rowPlan) engine.Bound {
	var l layout
	groups, size := w.groups.size(), float64(w.count())
	return overRows(e, w, p, 1, &l, func(a *alongRows[T], _, lo, hi int) {
		m := engine.Slice[T](a.call.Out[0])
		a.eachSet(&a.plan, lo, hi, func(s rowSet) {
			if !s.begins {
				return
			}
			a.moments(s)
			for i := range s.groups {
				m[s.first+i], m[groups+s.first+i] = T(a.mean[i]), T(a.scales[i]/size)
			}
		})
	})
}

func normInRows[T isa.Float](e Engine, w normalised, p rowPlan) engine.Bound {
	var l layout
	return overRows(e, w, p, 3, &l, func(a *alongRows[T], slot, lo, hi int) {
		a.eachSet(&a.plan, lo, hi, func(s rowSet) {
			a.begin(s)
			a.normalise(s, slot)
		})
	})
}

func inputGradInRows[T isa.Float](e Engine, w normalised, p rowPlan) engine.Bound {
	var l layout
	passes := 6
	if w.Summed {
		passes = 3
	}
	return overRows(e, w, p, passes, &l, func(a *alongRows[T], _, lo, hi int) {
		for n := 0; lo < hi; lo += n {
			n = a.plan.next(lo, hi)
			clear(a.h[:n])
			clear(a.hx[:n])
			a.eachSet(&a.plan, lo, lo+n, func(s rowSet) {
				a.begin(s)
				if !w.Summed {
					a.gradSums(s)
				}
			})
			a.eachSet(&a.plan, lo, lo+n, func(s rowSet) { a.blend(s) })
		}
	})
}

// sumsInRows is sumsAlong for runs that are taken by a plan.
func sumsInRows[T isa.Float](e Engine, w normalised, p rowPlan) engine.Bound {
	var l layout
	partial := reserve[float64](&l, 1, 2*w.groups.size()*p.per)
	total := reserve[float64](&l, 1, 2*w.reach())
	byRun := 0
	if p.per > 1 {
		byRun = p.byStride
	}
	b := runSumsInRows[T](e, w, p, &l, partial)
	ofRuns := b.Kernel
	b.Kernel = func(c *engine.Call) error {
		err := ofRuns(c)
		sums, products := halves(partial.of(c, 0))
		bySum, byProduct := halves(cleared(total.of(c, 0)))
		for g := range w.groups.size() {
			_, by := w.groups.at(g)
			for r := range p.per {
				bySum[by+r*byRun] += sums[g*p.per+r]
				byProduct[by+r*byRun] += products[g*p.per+r]
			}
		}
		rounded(engine.Slice[T](c.Out[0]), total.of(c, 0))
		return err
	}
	return b
}

// runSumsInRows sets element g*per+r of the halves of sums to the sums of dy and of dy*xhat over run r of group g, in all
// layers.
func runSumsInRows[T isa.Float](e Engine, w normalised, p rowPlan, l *layout, sums region[float64]) engine.Bound {
	return overRows(e, w, p, 3, l, func(a *alongRows[T], _, lo, hi int) {
		x, dy := engine.Slice[T](a.call.In[0]), engine.Slice[T](a.call.In[1])
		allSums, allProducts := halves(sums.of(a.call, 0))
		a.eachSet(&a.plan, lo, hi, func(s rowSet) {
			a.begin(s)
			first := s.first*p.per + s.from
			sums, products := cleared(allSums[first:][:s.n]), cleared(allProducts[first:][:s.n])
			for layer := range s.layers {
				totals.BothOfRows(e.simd.Totals, a.a[:s.n], a.b[:s.n], a.rowsOf(s, layer, x, dy))
				addEach(sums, a.b[:s.n], 1)
				addEach(products, a.a[:s.n], 1)
			}
			for g, scale := range a.scales[:s.groups] {
				off := float64(T(a.mean[g])) - a.mean[g]
				for i := g * s.per; i < (g+1)*s.per; i++ {
					products[i] = scale * (products[i] + sums[i]*off)
				}
			}
		})
	})
}

// weighInRows sums for each part what its groups add to the gradient of a gamma that changes within runs.
func weighInRows[T isa.Float](e Engine, w normalised, plan rowPlan, l *layout, p parts, partial region[T]) engine.Bound {
	ones := make([]T, w.run)
	fill(ones, 1)
	return inParts(e, w, plan, p.count, p.each*w.cost(3), l, func(a *alongRows[T], _, lo, hi int) {
		dy := engine.Slice[T](a.call.In[1])
		for part := lo; part < hi; part++ {
			sums, products := halves(cleared(partial.of(a.call, part)))
			from, to := p.bounds(part)
			a.eachSet(&a.plan, from, to, func(s rowSet) {
				a.begin(s)
				a.factors(s, nil)
				a.apply(totals.Weigh, s, totals.MapRows[T]{}, dy, products[s.by:])
				a.addRows(s, dy, ones, sums[s.by:])
			})
		}
	})
}
