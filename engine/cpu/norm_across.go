package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/totals"
)

// sideways goes over runs whose elements are each of a group of its own. Runs that follow each other
// are taken several at a time, with as many copies of what a group needs, so that kernels have
// something to do; blocks of them fit in the cache, and parts of blocks are shared out.
type sideways struct {
	normalised
	copies int // runs that are taken at a time
	wide   int // their elements
	rows   int // such, of a set of groups, the last one perhaps shorter
	block  int // rows that are added up in T
	parts  parts
}

const (
	acrossWide  = 2048     // elements that a kernel should have
	acrossBlock = 16 << 10 // elements of a block
	acrossRows  = 64       // rows of a block, whose sum loses little
	acrossParts = 32       // parts at most
)

func newAcross(w normalised) sideways {
	a := sideways{normalised: w, copies: 1}
	n := w.rest.size()
	if w.rest.rank == 1 && w.rest.x[0] == w.run {
		a.copies = min(max(1, acrossWide/w.run), n)
	}
	a.wide = a.copies * w.run
	a.rows = (n + a.copies - 1) / a.copies
	a.block = max(1, min(acrossRows, acrossBlock/a.wide))
	each := max(4*a.block, (a.rows+acrossParts-1)/acrossParts)
	a.parts = partsOf(a.rows, (each+a.block-1)/a.block*a.block)
	return a
}

// sets is how many sets of groups there are, each as many as a run has elements.
func (a *sideways) sets() int { return a.groups.size() }

// row returns where row r of a set begins, and its elements.
func (a *sideways) row(set, r int) (at, n int) {
	base, _ := a.groups.at(set)
	dx, _ := a.rest.at(r * a.copies)
	return base + dx, min(a.copies, a.rest.size()-r*a.copies) * a.run
}

// blocks calls f for the blocks of a part.
func (a *sideways) blocks(part int, f func(from, to int)) {
	lo, hi := a.parts.bounds(part)
	for ; lo < hi; lo += a.block {
		f(lo, min(lo+a.block, hi))
	}
}

// counted is how many elements each group has in rows lo to hi.
func (a *sideways) counted(lo, hi int) int { return min(hi*a.copies, a.rest.size()) - lo*a.copies }

// foldedRow sets sums to those of each group in x, a row.
func foldedRow[T isa.Float](sums []float64, x []T) {
	clear(sums)
	for ; len(x) > 0; x = x[len(sums):] {
		for j, v := range x[:len(sums)] {
			sums[j] += float64(v)
		}
	}
}

// tiled repeats the elements of v, one for each group, over dst.
func tiled[T isa.Float](dst []T, run int) {
	for n := run; n < len(dst); n += run {
		copy(dst[n:], dst[:run])
	}
}

// eachAcross returns the loop over parts of sets, with memory for its slots: rows of T, and sums.
func eachAcross[T isa.Float](e Engine, a *sideways, l *layout, rows, passes int, f func(c *engine.Call, set, part int, wide []T, sums []float64)) *loop {
	var wide region[T]
	var sums region[float64]
	cost := 100 + a.parts.each*passes*(20+a.wide/8)
	work := e.newLoop(a.sets()*a.parts.count, cost, func(c *engine.Call, slot, lo, hi int) {
		for task := lo; task < hi; task++ {
			f(c, task/a.parts.count, task%a.parts.count, wide.of(c, slot), sums.of(c, slot))
		}
	})
	wide, sums = reserve[T](l, work.slots, rows*a.wide), reserve[float64](l, work.slots, 2*a.run)
	return work
}

// steps are loops, and what comes between them, in turn.
type steps []func(c *engine.Call)

func (s steps) bind(l layout) engine.Bound {
	return engine.Bound{Scratch: int(l), By: name, Kernel: func(c *engine.Call) error {
		for _, f := range s {
			f(c)
		}
		return nil
	}}
}

// momentsAcross returns the steps that find the means of all groups and then their variances, and
// where these are.
func momentsAcross[T isa.Float](e Engine, a *sideways, l *layout) (steps, region[float64]) {
	groups := a.sets() * a.run
	moments := reserve[float64](l, 1, 2*groups)
	if a.Given {
		return steps{func(c *engine.Call) {
			to := moments.of(c, 0)
			for i, v := range engine.Slice[T](c.In[a.in]) {
				to[i] = float64(v)
			}
		}}, moments
	}
	partial := reserve[float64](l, 1, a.parts.count*2*groups)
	work := eachAcross(e, a, l, 2, 2, func(c *engine.Call, set, part int, wide []T, sums []float64) {
		mean, squares := halves(nth(partial.of(c, 0), set*a.parts.count+part, 2*a.run))
		spreadAcross(e, a, engine.Slice[T](c.In[0]), set, part, wide, sums[:a.run], mean, squares)
	})
	join := func(c *engine.Call) {
		means, variances := halves(moments.of(c, 0))
		for set := range a.sets() {
			for j := range a.run {
				var s deviation
				for part := range a.parts.count {
					mean, squares := halves(nth(partial.of(c, 0), set*a.parts.count+part, 2*a.run))
					s.join(deviation{float64(a.counted(a.parts.bounds(part))), mean[j], squares[j]})
				}
				means[set*a.run+j], variances[set*a.run+j] = s.mean, s.variance()
			}
		}
	}
	return steps{work.run, join}, moments
}

func halves[T any](v []T) (a, b []T) { return v[:len(v)/2], v[len(v)/2:] }

// spreadAcross sets mean and squares to the moments of a part of a set, block by block: wide is two
// rows to work in.
func spreadAcross[T isa.Float](e Engine, a *sideways, x []T, set, part int, wide []T, sums, mean, squares []float64) {
	clear(mean)
	clear(squares)
	n := 0.0
	acc, centre := halves(wide)
	a.blocks(part, func(from, to int) {
		k := float64(a.counted(from, to))
		sumRows(e, a, totals.Add, acc, x, centre, set, from, to)
		foldedRow(sums, acc)
		for j, v := range sums {
			sums[j] = v / k
			centre[j] = T(sums[j])
		}
		tiled(centre, a.run)
		for j, m := range sums { // the mean of all, and how far that of the block is from it
			d := m - mean[j]
			mean[j] = (mean[j]*n + m*k) / (n + k)
			off := m - float64(centre[j])
			squares[j] += d*d*(n*k/(n+k)) - k*off*off
		}
		sumRows(e, a, totals.AddSquares, acc, x, centre, set, from, to)
		foldedRow(sums, acc)
		for j, q := range sums {
			squares[j] += q
		}
		n += k
	})
	for j, q := range squares {
		squares[j] = max(q, 0)
	}
}

// sumRows sets acc to the sum of what op adds for the rows.
func sumRows[T isa.Float](e Engine, a *sideways, op totals.Map, acc, x, centre []T, set, from, to int) {
	clear(acc)
	for r := from; r < to; r++ {
		at, n := a.row(set, r)
		totals.Apply(e.simd.Totals, op, acc[:n], totals.Operands[T]{X: x[at:][:n], P: centre})
	}
}

func bindMomentsAcross[T isa.Float](e Engine, w normalised) engine.Bound {
	a := newAcross(w)
	var l layout
	all, moments := momentsAcross[T](e, &a, &l)
	return append(all, func(c *engine.Call) {
		out := engine.Slice[T](c.Out[0])
		for i, v := range moments.of(c, 0) {
			out[i] = T(v)
		}
	}).bind(l)
}

// applied returns the steps that set the vectors of op, four rows for each set of groups, and apply
// it. of sets the four numbers of a group, group number g, whose place in gamma is by.
func applied[T isa.Float](e Engine, a *sideways, l *layout, op totals.Map, z int, of func(c *engine.Call, g, by int) [4]float64) steps {
	vectors := reserve[T](l, a.sets(), 4*a.wide)
	prepare := func(c *engine.Call) {
		for set := range a.sets() {
			v := vectors.of(c, set)
			_, by := a.groups.at(set)
			for j := range a.run {
				for k, x := range of(c, set*a.run+j, by+j*a.weights) {
					v[k*a.wide+j] = T(x)
				}
			}
			for k := range 4 {
				tiled(nth(v, k, a.wide), a.run)
			}
		}
	}
	work := e.newLoop(a.sets()*a.rows, 20+a.wide/4, func(c *engine.Call, slot, lo, hi int) {
		x, other, out := engine.Slice[T](c.In[0]), engine.Slice[T](c.In[z]), engine.Slice[T](c.Out[0])
		for i := lo; i < hi; i++ {
			v := vectors.of(c, i/a.rows)
			at, n := a.row(i/a.rows, i%a.rows)
			o := totals.Operands[T]{X: x[at:][:n], P: v[:n], Q: nth(v, 1, a.wide), R: nth(v, 2, a.wide), S: nth(v, 3, a.wide)}
			if z > 0 {
				o.Z = other[at:][:n]
			}
			totals.Apply(e.simd.Totals, op, out[at:][:n], o)
			a.tail.apply(c, slot, at, at+n)
		}
	})
	a.tail.reserve(l, work.slots)
	return steps{prepare, work.run}
}

func normAcross[T isa.Float](e Engine, w normalised) engine.Bound {
	a := newAcross(w)
	var l layout
	all, moments := momentsAcross[T](e, &a, &l)
	return append(all, applied[T](e, &a, &l, totals.ScaleEach, 0, func(c *engine.Call, g, by int) [4]float64 {
		mean, variance := halves(moments.of(c, 0))
		scale := a.scale(variance[g]) * float64(engine.Slice[T](c.In[1])[by])
		return [4]float64{mean[g], scale, float64(engine.Slice[T](c.In[2])[by])}
	})...).bind(l)
}

// gradsAcross returns the steps that find the sums of dy and then those of
// dy*(x-mean), for all groups, and where these are.
func gradsAcross[T isa.Float](e Engine, a *sideways, l *layout, moments region[float64]) (steps, region[float64]) {
	groups := a.sets() * a.run
	total := reserve[float64](l, 1, 2*groups)
	partial := reserve[float64](l, 1, a.parts.count*2*groups)
	work := eachAcross(e, a, l, 3, 2, func(c *engine.Call, set, part int, wide []T, sums []float64) {
		to := nth(partial.of(c, 0), set*a.parts.count+part, 2*a.run)
		mean, _ := halves(moments.of(c, 0))
		productsAcross(e, a, engine.Slice[T](c.In[0]), engine.Slice[T](c.In[1]), set, part, wide, sums, to, mean[set*a.run:][:a.run])
	})
	join := func(c *engine.Call) {
		h, hx := halves(total.of(c, 0))
		clear(total.of(c, 0))
		for set := range a.sets() {
			for part := range a.parts.count {
				from := nth(partial.of(c, 0), set*a.parts.count+part, 2*a.run)
				for j := range a.run {
					h[set*a.run+j] += from[j]
					hx[set*a.run+j] += from[a.run+j]
				}
			}
		}
	}
	return steps{work.run, join}, total
}

// productsAcross sets to to the sums of dy and of dy*(x-mean) over a part of a set. wide is three
// rows to work in.
func productsAcross[T isa.Float](e Engine, a *sideways, x, dy []T, set, part int, wide []T, sums, to, mean []float64) {
	h, hx, centre := wide[:a.wide], nth(wide, 1, a.wide), nth(wide, 2, a.wide)
	for j, m := range mean {
		centre[j] = T(m)
	}
	tiled(centre, a.run)
	clear(to)
	a.blocks(part, func(from, end int) {
		clear(h)
		clear(hx)
		for r := from; r < end; r++ {
			at, n := a.row(set, r)
			totals.Apply(e.simd.Totals, totals.Add, h[:n], totals.Operands[T]{X: dy[at:][:n]})
			totals.Apply(e.simd.Totals, totals.AddProducts, hx[:n], totals.Operands[T]{X: x[at:][:n], Z: dy[at:][:n], P: centre})
		}
		of, with := halves(sums)
		foldedRow(of, h)
		foldedRow(with, hx)
		for j, v := range of {
			to[j] += v
			to[a.run+j] += with[j] + v*(float64(centre[j])-mean[j])
		}
	})
}

func inputGradAcross[T isa.Float](e Engine, w normalised) engine.Bound {
	a := newAcross(w)
	var l layout
	first, moments := momentsAcross[T](e, &a, &l)
	if w.Summed {
		return append(first, blendAcross[T](e, &a, &l, moments, func(c *engine.Call, g, _ int, scale float64) (h, hx float64) {
			return givenSums[T](&a.normalised, c, g, scale)
		})...).bind(l)
	}
	second, sums := gradsAcross[T](e, &a, &l, moments)
	return append(append(first, second...), blendAcross[T](e, &a, &l, moments, func(c *engine.Call, g, by int, _ float64) (h, hx float64) {
		dy, products := halves(sums.of(c, 0))
		gamma := float64(engine.Slice[T](c.In[2])[by])
		return gamma * dy[g], gamma * products[g]
	})...).bind(l)
}

// blendAcross returns the steps that compute the gradient of x, for groups of which sums returns those of h = dy*gamma and of
// h*(x-mean).
func blendAcross[T isa.Float](e Engine, a *sideways, l *layout, moments region[float64], sums func(c *engine.Call, g, by int, scale float64) (h, hx float64)) steps {
	size := float64(a.count())
	return applied[T](e, a, l, totals.BlendEach, 1, func(c *engine.Call, g, by int) [4]float64 {
		mean, variance := halves(moments.of(c, 0))
		scale := a.scale(variance[g])
		h, hx := sums(c, g, by, scale)
		return [4]float64{mean[g], scale * float64(engine.Slice[T](c.In[2])[by]), -scale * scale * scale * hx / size, -scale * h / size}
	})
}

func sumsAcross[T isa.Float](e Engine, w normalised) engine.Bound {
	a := newAcross(w)
	var l layout
	first, moments := momentsAcross[T](e, &a, &l)
	second, sums := gradsAcross[T](e, &a, &l, moments)
	total := reserve[float64](&l, 1, 2*a.reach())
	return append(append(first, second...), func(c *engine.Call) {
		bySum, byProduct := halves(cleared(total.of(c, 0)))
		_, variance := halves(moments.of(c, 0))
		dy, products := halves(sums.of(c, 0))
		for g := range variance {
			_, by := a.groups.at(g / a.run)
			by += g % a.run * a.weights
			bySum[by] += dy[g]
			byProduct[by] += a.scale(variance[g]) * products[g]
		}
		rounded(engine.Slice[T](c.Out[0]), total.of(c, 0))
	}).bind(l)
}
