package cpu

import (
	"math"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/totals"
)

// Short runs cost more in calls than in work. Where runs are the same distance apart, those of a
// group or of groups with one run each, a call takes many.

// mostRows is how many runs are taken at a time.
const mostRows = 128

// rowSet is n runs, the first at element at of x and by of gamma, and the next ones stride and
// byStride further on.
type rowSet struct {
	at, stride, by, byStride, n int

	first  int  // the group of the first run
	own    bool // each run is a group: first, first+1, ...; otherwise all are of group first
	begins bool // the first run is the first one of its group
}

// inRows reports whether runs are to be taken so: in sets of groups with one run each (own), or in
// sets of the runs of one group.
func (w *normalised) inRows() (own, ok bool) {
	rows := &w.rest
	if own = w.rest.rank == 0; own {
		rows = &w.groups
	}
	if !w.along || w.run > totals.Longest || rows.rank != 1 || rows.extent[0] == 1 {
		return false, false
	}
	return own, w.weights == 0 || rows.by[0] == 0 // all share a gamma that changes within them
}

// eachSet calls f for the sets of groups lo to hi. Those of one group follow each other.
func (w *normalised) eachSet(own bool, lo, hi int, f func(s rowSet)) {
	if own {
		for ; lo < hi; lo += mostRows {
			at, by := w.groups.at(lo)
			f(rowSet{at: at, stride: w.groups.x[0], by: by, byStride: w.groups.by[0], n: min(mostRows, hi-lo), first: lo, own: true, begins: true})
		}
		return
	}
	for ; lo < hi; lo++ {
		at, by := w.groups.at(lo)
		for r := 0; r < w.rest.extent[0]; r += mostRows {
			f(rowSet{at: at + r*w.rest.x[0], stride: w.rest.x[0], by: by + r*w.rest.by[0], byStride: w.rest.by[0], n: min(mostRows, w.rest.extent[0]-r), first: lo, begins: r == 0})
		}
	}
}

// eachChunk calls f for groups lo to hi in chunks: as many as a set has, or one of several sets.
func (w *normalised) eachChunk(own bool, lo, hi int, f func(lo, hi int)) {
	step := 1
	if own {
		step = mostRows
	}
	for ; lo < hi; lo += step {
		f(lo, min(lo+step, hi))
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
	e    Engine
	own  bool
	call *engine.Call
	rowWork[T]
}

// rowsOf returns x's rows of a set, and dy's if there is one.
func (a *alongRows[T]) rowsOf(s rowSet, x, dy []T) totals.Rows[T] {
	r := totals.Rows[T]{N: a.run, X: x[s.at:], XRow: s.stride, C: a.centre}
	if dy != nil {
		r.Z, r.ZRow = dy[s.at:], s.stride
	}
	return r
}

// deviations sets the moments of each of s.n rows of so many elements: its mean, and in scales the sum of
// the squares of distances from it.
func (a *alongRows[T]) deviations(s rowSet, run int) {
	k, n := a.e.simd.Totals, float64(run)
	r := a.rowsOf(s, engine.Slice[T](a.call.In[0]), nil)
	r.N = run
	totals.OfRows(k, totals.Sum, a.sums[:s.n], r)
	for i, sum := range a.sums[:s.n] {
		a.mean[i] = float64(sum) / n
		a.centre[i] = T(a.mean[i])
	}
	totals.OfRows(k, totals.Squares, a.sums[:s.n], r)
	for i, squares := range a.sums[:s.n] {
		d := a.mean[i] - float64(a.centre[i])
		a.scales[i] = math.Max(float64(squares)-n*d*d, 0)
	}
}

// begin sets the mean and the scale of each group that a set has, and the centre of each run.
func (a *alongRows[T]) begin(s rowSet) {
	switch {
	case !s.begins:
	case a.Given:
		m := engine.Slice[T](a.call.In[a.in])
		for i := range s.groups() {
			a.mean[i], a.scales[i] = float64(m[s.first+i]), a.scale(float64(m[len(m)/2+s.first+i]))
		}
	case s.own:
		a.deviations(s, a.run)
		for i := range s.n {
			a.scales[i] = a.scale(a.scales[i] / float64(a.run))
		}
	default:
		all := a.whole(s.first)
		a.mean[0], a.scales[0] = all.mean, a.scale(all.variance())
	}
	a.spread(s)
}

// whole returns the moments of a group of several runs: those of runs that follow each other at once.
func (a *alongRows[T]) whole(group int) (all deviation) {
	at, _ := a.groups.at(group)
	if n := a.rest.extent[0] * a.run; a.rest.x[0] == a.run && n <= totals.Longest {
		a.deviations(rowSet{at: at, n: 1}, n)
		return deviation{float64(n), a.mean[0], a.scales[0]}
	}
	a.eachSet(false, group, group+1, func(part rowSet) {
		a.deviations(part, a.run)
		for i := range part.n {
			all.join(deviation{float64(a.run), a.mean[i], a.scales[i]})
		}
	})
	return all
}

// groups is how many groups a set has runs of.
func (s rowSet) groups() int {
	if s.own {
		return s.n
	}
	return 1
}

// group is the place among the set's groups of that of run i.
func (s rowSet) group(i int) int {
	if s.own {
		return i
	}
	return 0
}

// spread sets the centre of each run to the mean of its group.
func (a *alongRows[T]) spread(s rowSet) {
	for i := range s.n {
		a.centre[i] = T(a.mean[s.group(i)])
	}
}

// apply applies a map to the rows of a set.
func (a *alongRows[T]) apply(op totals.Map, s rowSet, m totals.MapRows[T]) {
	m.N, m.XRow, m.ZRow = a.run, s.stride, s.stride
	m.A, m.B, m.C, m.D = a.a, a.b, a.centre, a.d
	totals.ApplyRows(a.e.simd.Totals, op, s.n, &m)
}

// normalise computes the results of a set, whose groups have begun.
func (a *alongRows[T]) normalise(s rowSet, slot int) {
	x, gamma, beta, y := engine.Slice[T](a.call.In[0]), engine.Slice[T](a.call.In[1]), engine.Slice[T](a.call.In[2]), engine.Slice[T](a.call.Out[0])
	m := totals.MapRows[T]{X: x[s.at:], Dst: y[s.at:], DstRow: s.stride}
	op := totals.Scale
	for i := range s.n {
		scale := a.scales[s.group(i)]
		if a.weights == 1 {
			a.a[i] = T(scale)
			continue
		}
		by := s.by + i*s.byStride
		a.a[i], a.b[i] = T(scale*float64(gamma[by])), beta[by]
	}
	if a.weights == 1 {
		op, m.P, m.Q = totals.ScaleBy, gamma[s.by:], beta[s.by:]
	}
	a.apply(op, s, m)
	if a.tail != nil {
		for i := range s.n {
			a.tail.apply(a.call, slot, s.at+i*s.stride, s.at+i*s.stride+a.run)
		}
	}
}

// gradSums adds for each group of a set the sums of h = dy*gamma and of h*(x-centre), in float64.
func (a *alongRows[T]) gradSums(s rowSet, add func(group int, h, hx float64)) {
	x, dy, gamma := engine.Slice[T](a.call.In[0]), engine.Slice[T](a.call.In[1]), engine.Slice[T](a.call.In[2])
	k, r := a.e.simd.Totals, a.rowsOf(s, x, dy)
	products, sum := totals.Products, totals.Rows[T]{N: a.run, X: r.Z, XRow: r.ZRow}
	of := totals.Sum
	if a.weights == 1 {
		products, r.G = totals.ProductsBy, gamma[s.by:]
		of, sum = totals.Dots, totals.Rows[T]{N: a.run, X: r.G, Z: r.Z, ZRow: r.ZRow}
	}
	totals.OfRows(k, products, a.a[:s.n], r)
	totals.OfRows(k, of, a.b[:s.n], sum)
	for i := range s.n {
		factor := 1.0
		if a.weights == 0 {
			factor = float64(gamma[s.by+i*s.byStride])
		}
		add(s.group(i), factor*float64(a.b[i]), factor*float64(a.a[i]))
	}
}

// blend computes the gradients of a set, for whose runs d and b are set.
func (a *alongRows[T]) blend(s rowSet) {
	x, dy, gamma, dx := engine.Slice[T](a.call.In[0]), engine.Slice[T](a.call.In[1]), engine.Slice[T](a.call.In[2]), engine.Slice[T](a.call.Out[0])
	m := totals.MapRows[T]{X: x[s.at:], Z: dy[s.at:], Dst: dx[s.at:], DstRow: s.stride}
	op := totals.Blend
	for i := range s.n {
		a.a[i] = T(a.scales[s.group(i)])
		if a.weights == 0 {
			a.a[i] = T(a.scales[s.group(i)] * float64(gamma[s.by+i*s.byStride]))
		}
	}
	if a.weights == 1 {
		op, m.P = totals.BlendBy, gamma[s.by:]
	}
	a.apply(op, s, m)
}

// overRows returns the kernel that calls f for groups lo to hi, whose runs are in sets.
func overRows[T isa.Float](e Engine, w normalised, own bool, passes int, l *layout, f func(a *alongRows[T], slot, lo, hi int)) engine.Bound {
	return inParts(e, w, own, w.groups.size(), w.cost(passes), l, f)
}

// inParts is overRows for so many parts, each of which takes so many nanoseconds.
func inParts[T isa.Float](e Engine, w normalised, own bool, parts, cost int, l *layout, f func(a *alongRows[T], slot, lo, hi int)) engine.Bound {
	var memory rowMemory[T]
	workers := par.NewFree(16, func() *alongRows[T] { return &alongRows[T]{normalised: &w, e: e, own: own} })
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

func momentsInRows[T isa.Float](e Engine, w normalised, own bool) engine.Bound {
	var l layout
	groups := w.groups.size()
	return overRows(e, w, own, 1, &l, func(a *alongRows[T], _, lo, hi int) {
		m := engine.Slice[T](a.call.Out[0])
		if !own {
			for g := lo; g < hi; g++ {
				all := a.whole(g)
				m[g], m[groups+g] = T(all.mean), T(all.variance())
			}
			return
		}
		a.eachSet(own, lo, hi, func(s rowSet) {
			a.deviations(s, a.run)
			for i := range s.n {
				m[s.first+i], m[groups+s.first+i] = T(a.mean[i]), T(a.scales[i]/float64(a.run))
			}
		})
	})
}

func normInRows[T isa.Float](e Engine, w normalised, own bool) engine.Bound {
	var l layout
	return overRows(e, w, own, 3, &l, func(a *alongRows[T], slot, lo, hi int) {
		a.eachSet(own, lo, hi, func(s rowSet) {
			a.begin(s)
			a.normalise(s, slot)
		})
	})
}

func inputGradInRows[T isa.Float](e Engine, w normalised, own bool) engine.Bound {
	var l layout
	size := float64(w.count())
	return overRows(e, w, own, 6, &l, func(a *alongRows[T], _, lo, hi int) {
		a.eachChunk(own, lo, hi, func(lo, hi int) {
			clear(a.h)
			clear(a.hx)
			a.eachSet(own, lo, hi, func(s rowSet) {
				a.begin(s)
				a.gradSums(s, func(group int, h, hx float64) { a.h[group], a.hx[group] = a.h[group]+h, a.hx[group]+hx })
			})
			a.eachSet(own, lo, hi, func(s rowSet) {
				a.spread(s)
				for i := range s.n {
					g := s.group(i)
					h, scale := a.h[g], a.scales[g]
					hx := a.hx[g] + h*(float64(a.centre[i])-a.mean[g])
					a.b[i], a.d[i] = T(-scale*scale*scale*hx/size), T(-scale*h/size)
				}
				a.blend(s)
			})
		})
	})
}

// scaleSumsInRows sets element g*runs+r of sums, of so many runs a group, to what run r of group g adds to
// the gradient of its gamma.
func scaleSumsInRows[T isa.Float](e Engine, w normalised, own bool, l *layout, sums region[float64]) engine.Bound {
	runs := w.rest.size()
	return overRows(e, w, own, 3, l, func(a *alongRows[T], _, lo, hi int) {
		x, dy, to := engine.Slice[T](a.call.In[0]), engine.Slice[T](a.call.In[1]), sums.of(a.call, 0)
		a.eachSet(own, lo, hi, func(s rowSet) {
			a.begin(s)
			totals.OfRows(e.simd.Totals, totals.Products, a.a[:s.n], a.rowsOf(s, x, dy))
			first := s.first
			if !own {
				base, _ := a.groups.at(s.first)
				first = s.first*runs + (s.at-base)/s.stride
			}
			for i := range s.n {
				to[first+i] = a.scales[s.group(i)] * float64(a.a[i])
			}
		})
	})
}

// weighInRows sums for each part what its groups add to the gradient of a gamma that changes within runs.
func weighInRows[T isa.Float](e Engine, w normalised, own bool, l *layout, p parts, partial region[T]) engine.Bound {
	return inParts(e, w, own, p.count, p.each*w.cost(3), l, func(a *alongRows[T], _, lo, hi int) {
		x, dy := engine.Slice[T](a.call.In[0]), engine.Slice[T](a.call.In[1])
		for part := lo; part < hi; part++ {
			sums := partial.of(a.call, part)
			clear(sums)
			from, to := p.bounds(part)
			a.eachSet(own, from, to, func(s rowSet) {
				a.begin(s)
				for i := range s.n {
					a.a[i] = T(a.scales[s.group(i)])
				}
				a.apply(totals.Weigh, s, totals.MapRows[T]{X: x[s.at:], Z: dy[s.at:], Dst: sums[s.by:]})
			})
		}
	})
}
