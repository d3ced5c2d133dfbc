package cpu

import (
	"math"
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/totals"
	"github.com/plexaura/plexaura/shape"
)

// Normalisations go over the runs of a group, contiguous elements of the last axis that has the
// same part in them: along them where it is one of a group, across them where each of its elements
// is of a group of its own. Moments are those of runs, each by two passes while it is in the cache,
// joined as in Chan et al., "Updating Formulae and a Pairwise Algorithm for Computing Sample
// Variances", 1979; nothing is lost where the mean is large.

// normalised is a normalisation of known extents.
type normalised struct {
	engine.Norm
	groups, rest pairing // the runs of x: those of a group, with their strides in x and in gamma, y
	run          int     // elements of a run
	along        bool    // all of a group; otherwise of as many groups
	weights      int     // stride of gamma in a run: 0 or 1
	in           int     // input that has the moments, if they are given
	given        sumPlaces
	tail         *mapTail // applied to the result, if it is not nil
}

// normOf takes x and gamma apart, or reports false where there are no such totals.
func normOf(n engine.Norm, axes engine.Axes, x, gamma shape.Shape) (w normalised, ok bool) {
	if x.Len() == 0 {
		return w, false
	}
	w.Norm, w.run, w.along, w.weights = n, 1, true, 0
	strides, by := x.Strides(), gamma.Strides()
	for i := range x.Rank() {
		stride, k := 0, i-(x.Rank()-gamma.Rank())
		if k >= 0 && gamma.Int(k) != 1 {
			stride = by[k]
		}
		switch w.run = x.Int(i); {
		case w.run == 1:
		case axes.Has(i):
			w.rest.add(w.run, strides[i], stride)
		default:
			w.groups.add(w.run, strides[i], stride)
		}
	}
	last := &w.rest
	if w.groups.rank > 0 && w.groups.x[w.groups.rank-1] == 1 {
		last, w.along = &w.groups, false
	}
	if last.rank == 0 {
		return w, false
	}
	last.rank--
	w.run, w.weights = last.extent[last.rank], last.y[last.rank]
	if !w.along && slices.ContainsFunc(w.rest.y[:w.rest.rank], func(by int) bool { return by != 0 }) {
		return w, false // gamma changes within the groups that go side by side
	}
	return w, last.x[last.rank] == 1 && w.weights <= 1
}

// count is how many elements a group has.
func (w *normalised) count() int {
	n := w.rest.size()
	if w.along {
		n *= w.run
	}
	return n
}

// deviation are the moments of some elements: their number, their mean, and the sum of the squares of
// their distances from it.
type deviation struct{ n, mean, squares float64 }

// join adds the moments of other elements.
func (s *deviation) join(o deviation) {
	n := s.n + o.n
	d := o.mean - s.mean
	s.mean = (s.mean*s.n + o.mean*o.n) / n // an infinite sum stays so
	s.squares += o.squares + d*d*(s.n*o.n/n)
	s.n = n
}

func (s *deviation) variance() float64 { return s.squares / s.n }

// spreadOf returns the moments of a run. Here and below, work is memory for two elements.
func spreadOf[T isa.Float](k *totals.Kernels, x, work []T) (s deviation) {
	for len(x) > 0 {
		n := min(len(x), totals.Longest)
		r := totals.Rows[T]{N: n, X: x}
		mean := float64(totals.Of(k, totals.Sum, r, 0, work)) / float64(n)
		centre := T(mean)
		d := mean - float64(centre)
		s.join(deviation{float64(n), mean, math.Max(float64(totals.Of(k, totals.Squares, r, centre, work))-float64(n)*d*d, 0)})
		x = x[n:]
	}
	return s
}

// BindMoments implements [engine.Normaliser].
func (e Engine) BindMoments(axes engine.Axes, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	x, stored, ok := e.normInput(axes, in[0])
	if !ok {
		return engine.Bound{}, engine.Unsupported(name, "moments", in)
	}
	b := engine.Bound{}
	if x == in[0] {
		var err error
		if b, err = e.Engine.BindMoments(axes, in, out); err != nil {
			return b, err
		}
	}
	w, ok := normOf(engine.Norm{}, stored, x.Shape, shape.Of())
	if !ok {
		return b, nil
	}
	if x.DType == shape.Float64 {
		b = bindMoments[float64](e, w)
	} else {
		b = bindMoments[float32](e, w)
	}
	return e.normArranged(b, axes, shape.Of(), 1, in, engine.Operand{}), nil
}

// normInput returns x as it is in memory, and the axes of a group there, or false for a layout in
// which that has no kernel.
func (e Engine) normInput(axes engine.Axes, x engine.Operand) (stored engine.Operand, of engine.Axes, ok bool) {
	switch {
	case x.Layout == engine.Rows:
		return x, axes, x.IsFloat()
	case x.Rank() != 4 || axes != engine.AxesOf(0, 2, 3):
		return x, axes, false
	case x.Layout == channelsLast && e.lastable(x.Type):
		return engine.InRow(x.Stored()), axes | engine.AxesOf(1), true
	case e.isInterleaved(x):
		return engine.InRow(x.Stored()), axes | engine.AxesOf(4), true
	}
	return x, axes, false
}

// normArranged adds the layouts in which the first images of in, and out, can be, if there is a gamma
// for each channel.
func (e Engine) normArranged(b engine.Bound, axes engine.Axes, gamma shape.Shape, images int, in []engine.Operand, out engine.Operand) engine.Bound {
	channels := gamma.Rank() < 3 && gamma.Len() == 1 || gamma.Rank() >= 3 && gamma.Len() == gamma.Int(-3)
	if in[0].Layout != engine.Rows || in[0].Rank() != 4 || axes != engine.AxesOf(0, 2, 3) || !channels || in[0].Len() == 0 {
		return b
	}
	for _, l := range bothLayouts {
		switch {
		case !e.takes(l, in[0].Type):
		case out.Rank() == 4:
			b.Arrangements = append(b.Arrangements, engine.Arrangement{In: engine.Images(l, images, len(in)), Out: l})
		default:
			b.Arrangements = append(b.Arrangements, engine.Arrangement{In: engine.Images(l, images, len(in))})
		}
	}
	return b
}

// momentsOf are those of group g, given or not.
func momentsOf[T isa.Float](e Engine, w *normalised, c *engine.Call, g int, work []T) (mean, variance float64) {
	if w.Given {
		m := engine.Slice[T](c.In[w.in])
		return float64(m[g]), float64(m[len(m)/2+g])
	}
	x, s := engine.Slice[T](c.In[0]), deviation{}
	base, _ := w.groups.at(g)
	for r := range w.rest.size() {
		at, _ := w.rest.at(r)
		s.join(spreadOf(e.simd.Totals, x[base+at:][:w.run], work))
	}
	return s.mean, s.variance()
}

func bindMoments[T isa.Float](e Engine, w normalised) engine.Bound {
	if !w.along {
		return bindMomentsAcross[T](e, w)
	}
	if p, ok := w.inRows(); ok {
		return momentsInRows[T](e, w, p)
	}
	groups := w.groups.size()
	var pair region[T]
	work := e.newLoop(groups, w.cost(1), func(c *engine.Call, slot, lo, hi int) {
		tmp := pair.of(c, slot)
		m := engine.Slice[T](c.Out[0])
		for g := lo; g < hi; g++ {
			mean, variance := momentsOf(e, &w, c, g, tmp)
			m[g], m[groups+g] = T(mean), T(variance)
		}
	})
	var l layout
	pair = reserve[T](&l, work.slots, 2)
	return engine.Bound{Kernel: work.kernel(), Scratch: int(l), By: name, Serial: work.serial()}
}

// cost is about the time for a group, in nanoseconds, of so many passes over it.
func (w *normalised) cost(passes int) int { return 20 + passes*w.rest.size()*(5+w.run/16) }

// BindNorm implements [engine.Normaliser].
func (e Engine) BindNorm(n engine.Norm, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return e.bindNorm(n, 1, in, in[1], out, e.Engine.BindNorm,
		normKernels{normAlong[float32], normAlong[float64], normAcross[float32], normAcross[float64], false})
}

// BindNormInputGrad implements [engine.Normaliser].
func (e Engine) BindNormInputGrad(n engine.Norm, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return e.bindNorm(n, 2, in, in[2], out, e.Engine.BindNormInputGrad,
		normKernels{inputGradAlong[float32], inputGradAlong[float64], inputGradAcross[float32], inputGradAcross[float64], false})
}

// BindNormSums implements [engine.Normaliser].
func (e Engine) BindNormSums(n engine.Norm, over engine.Axes, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if out.Rank() == 0 {
		return engine.Bound{}, engine.Unsupported(name, "sums of gradients of a normalisation", in)
	}
	row := engine.InRow(out.Of(out.Shape.Drop(0)))
	ref := func(n engine.Norm, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
		return e.Engine.BindNormSums(n, over, in, out)
	}
	return e.bindNorm(n, 2, in, row, out, ref, normKernels{sumsAlong[float32], sumsAlong[float64], sumsAcross[float32], sumsAcross[float64], true})
}

// normKernels bind kernels for float32 and float64, along runs and across them.
type normKernels struct {
	along32, along64, across32, across64 func(e Engine, w normalised) engine.Bound
	sums                                 bool // the result is sums rather than like x
}

// bindNorm binds the kernel of in, of which the first images are like x. Where there is none, ref's
// has rows.
func (e Engine) bindNorm(n engine.Norm, images int, in []engine.Operand, gamma, out engine.Operand,
	ref func(engine.Norm, []engine.Operand, engine.Operand) (engine.Bound, error), k normKernels) (engine.Bound, error) {
	x, axes, ok := e.normInput(n.Axes, in[0])
	for i, o := range in {
		ok = ok && (i >= images && o.Layout == engine.Rows || i < images && o.Layout == in[0].Layout)
	}
	by, viewed := in[0].Layout.View(gamma.Type, in[0].Rank())
	if like := in[0].Layout; !ok || k.sums && out.Layout != engine.Rows || !k.sums && out.Layout != like || !viewed {
		return engine.Bound{}, engine.Unsupported(name, "normalisation", in)
	}
	var b engine.Bound
	if in[0].Layout == engine.Rows {
		var err error
		if b, err = ref(n, in, out); err != nil {
			return b, err
		}
	}
	w, ok := normOf(n, axes, x.Shape, by.Shape)
	if !ok {
		return b, nil
	}
	if w.in = len(in) - 1; n.Summed {
		w.given = sumPlacesOf(n, in[0].Shape, in[2].Shape)
	}
	b, inPlace := k.bind(e, w, x.DType), b.InPlace
	if images == 1 && x.DType == shape.Float32 && (!w.along || w.run >= tailRun) {
		b.Then = func(m engine.Map, further []engine.Operand) (engine.Bound, bool) {
			then, ok := w, false
			if then.tail, ok = e.newTail(m, len(in), further, out); !ok {
				return engine.Bound{}, false
			}
			return k.bind(e, then, x.DType), true
		}
	}
	b.InPlace = inPlace
	to := out
	if k.sums {
		to = engine.Operand{}
	}
	return e.normArranged(b, n.Axes, gamma.Shape, images, in, to), nil
}

// tailRun is how long runs must be for a map to be applied to each.
const tailRun = 256

// bind binds the kernel for w.
func (k normKernels) bind(e Engine, w normalised, d shape.DType) engine.Bound {
	bind := k.across32
	switch double := d == shape.Float64; {
	case double && w.along:
		bind = k.along64
	case double:
		bind = k.across64
	case w.along:
		bind = k.along32
	}
	return bind(e, w)
}

// eachRun calls f for the runs of group g, with their places in x and in gamma.
func (w *normalised) eachRun(g int, f func(r, at, by int)) {
	x, k := w.groups.at(g)
	for r := range w.rest.size() {
		dx, dk := w.rest.at(r)
		f(r, x+dx, k+dk)
	}
}

// scale is 1/sqrt(variance+Eps).
func (w *normalised) scale(variance float64) float64 { return 1 / math.Sqrt(variance+w.Eps) }

func normAlong[T isa.Float](e Engine, w normalised) engine.Bound {
	if p, ok := w.inRows(); ok {
		return normInRows[T](e, w, p)
	}
	var pair region[T]
	work := e.newLoop(w.groups.size(), w.cost(3), func(c *engine.Call, slot, lo, hi int) {
		tmp := pair.of(c, slot)
		x, gamma, beta, y := engine.Slice[T](c.In[0]), engine.Slice[T](c.In[1]), engine.Slice[T](c.In[2]), engine.Slice[T](c.Out[0])
		for g := lo; g < hi; g++ {
			mean, variance := momentsOf(e, &w, c, g, tmp)
			scale := w.scale(variance)
			w.eachRun(g, func(_, at, by int) {
				o := totals.Operands[T]{X: x[at:][:w.run], C: T(mean), A: T(scale)}
				if w.weights == 1 {
					o.P, o.Q = gamma[by:][:w.run], beta[by:][:w.run]
					totals.Apply(e.simd.Totals, totals.ScaleBy, y[at:][:w.run], o)
				} else {
					o.A, o.B = T(scale*float64(gamma[by])), beta[by]
					totals.Apply(e.simd.Totals, totals.Scale, y[at:][:w.run], o)
				}
				w.tail.apply(c, slot, at, at+w.run)
			})
		}
	})
	var l layout
	pair = reserve[T](&l, work.slots, 2)
	w.tail.reserve(&l, work.slots)
	return engine.Bound{Kernel: work.kernel(), Scratch: int(l), By: name, Serial: work.serial()}
}

// gradSums are the sums of h = dy*gamma and h*(x-mean) over a group.
func gradSums[T isa.Float](e Engine, w *normalised, c *engine.Call, g int, mean float64, work []T) (h, hx float64) {
	x, dy, gamma := engine.Slice[T](c.In[0]), engine.Slice[T](c.In[1]), engine.Slice[T](c.In[2])
	centre := T(mean)
	w.eachRun(g, func(_, at, by int) {
		for i := 0; i < w.run; i += totals.Longest {
			n := min(totals.Longest, w.run-i)
			r := totals.Rows[T]{N: n, X: x[at+i:][:n], Z: dy[at+i:][:n]}
			if w.weights == 1 {
				r.G = gamma[by+i:][:n]
				hx += float64(totals.Of(e.simd.Totals, totals.ProductsBy, r, centre, work))
				h += float64(totals.Of(e.simd.Totals, totals.Dots, totals.Rows[T]{N: n, X: r.G, Z: r.Z}, 0, work))
				continue
			}
			hx += float64(gamma[by]) * float64(totals.Of(e.simd.Totals, totals.Products, r, centre, work))
			h += float64(gamma[by]) * float64(totals.Of(e.simd.Totals, totals.Sum, totals.Rows[T]{N: n, X: r.Z}, 0, work))
		}
	})
	return h, hx + h*(float64(centre)-mean)
}

// sumPlaces are the places in sums that are given, and in gamma, of a group, and of the elements of these in it.
type sumPlaces struct{ groups, rest pairing }

func sumPlacesOf(n engine.Norm, x, gamma shape.Shape) (p sumPlaces) {
	over := n.Along(x, gamma)
	strides, by := over.Ones(x).Strides(), gamma.Strides()
	for i := range x.Rank() {
		stride, k := 0, i-(x.Rank()-gamma.Rank())
		if k >= 0 && gamma.Int(k) != 1 {
			stride = by[k]
		}
		switch {
		case !n.Axes.Has(i):
			p.groups.add(x.Int(i), strides[i], stride)
		case !over.Has(i):
			p.rest.add(x.Int(i), strides[i], stride)
		}
	}
	return p
}

// givenSums are what gradSums returns, of a group with that scale, if the sums are given.
func givenSums[T isa.Float](w *normalised, c *engine.Call, g int, scale float64) (h, hx float64) {
	gamma := engine.Slice[T](c.In[2])
	dy, products := halves(engine.Slice[T](c.In[3]))
	first, by := w.given.groups.at(g)
	rest := w.given.rest
	n, step, byStep := rest.pop()
	for i := range rest.size() {
		at, k := rest.at(i)
		at, k = first+at, by+k
		for range n {
			h += float64(gamma[k]) * float64(dy[at])
			hx += float64(gamma[k]) * float64(products[at])
			at, k = at+step, k+byStep
		}
	}
	return h, hx / scale
}

func inputGradAlong[T isa.Float](e Engine, w normalised) engine.Bound {
	if p, ok := w.inRows(); ok {
		return inputGradInRows[T](e, w, p)
	}
	size := float64(w.count())
	var pair region[T]
	work := e.newLoop(w.groups.size(), w.cost(6), func(c *engine.Call, slot, lo, hi int) {
		tmp := pair.of(c, slot)
		x, dy, gamma, dx := engine.Slice[T](c.In[0]), engine.Slice[T](c.In[1]), engine.Slice[T](c.In[2]), engine.Slice[T](c.Out[0])
		for g := lo; g < hi; g++ {
			mean, variance := momentsOf(e, &w, c, g, tmp)
			scale := w.scale(variance)
			var h, hx float64
			if w.Summed {
				h, hx = givenSums[T](&w, c, g, scale)
			} else {
				h, hx = gradSums(e, &w, c, g, mean, tmp)
			}
			o := totals.Operands[T]{C: T(mean), A: T(scale), B: T(-scale * scale * scale * hx / size), D: T(-scale * h / size)}
			w.eachRun(g, func(_, at, by int) {
				o.X, o.Z = x[at:][:w.run], dy[at:][:w.run]
				if w.weights == 1 {
					o.P = gamma[by:][:w.run]
					totals.Apply(e.simd.Totals, totals.BlendBy, dx[at:][:w.run], o)
					return
				}
				o.A = T(scale * float64(gamma[by]))
				totals.Apply(e.simd.Totals, totals.Blend, dx[at:][:w.run], o)
			})
		}
	})
	var l layout
	pair = reserve[T](&l, work.slots, 2)
	return engine.Bound{Kernel: work.kernel(), Scratch: int(l), By: name, Serial: work.serial()}
}

// sumsAlong returns the kernel that adds up dy, and dy*xhat, in the places of gamma.
func sumsAlong[T isa.Float](e Engine, w normalised) engine.Bound {
	if w.weights == 1 {
		return weightGrads[T](e, w)
	}
	if p, ok := w.inRows(); ok {
		return sumsInRows[T](e, w, p)
	}
	var l layout
	rows := w.rest.size()
	partial := reserve[float64](&l, 1, 2*w.groups.size()*rows)
	total := reserve[float64](&l, 1, 2*w.reach())
	add := func(c *engine.Call) {
		sums, products := halves(partial.of(c, 0))
		bySum, byProduct := halves(cleared(total.of(c, 0)))
		for g := range w.groups.size() {
			w.eachRun(g, func(r, _, by int) {
				bySum[by] += sums[g*rows+r]
				byProduct[by] += products[g*rows+r]
			})
		}
		rounded(engine.Slice[T](c.Out[0]), total.of(c, 0))
	}
	var pair region[T]
	work := e.newLoop(w.groups.size(), w.cost(3), func(c *engine.Call, slot, lo, hi int) {
		tmp := pair.of(c, slot)
		x, dy := engine.Slice[T](c.In[0]), engine.Slice[T](c.In[1])
		sums, products := halves(partial.of(c, 0))
		for g := lo; g < hi; g++ {
			mean, variance := momentsOf(e, &w, c, g, tmp)
			scale := w.scale(variance)
			w.eachRun(g, func(r, at, _ int) {
				sum, product := 0.0, 0.0
				for i := 0; i < w.run; i += totals.Longest {
					n := min(totals.Longest, w.run-i)
					row := totals.Rows[T]{N: n, X: x[at+i:][:n], Z: dy[at+i:][:n]}
					product += float64(totals.Of(e.simd.Totals, totals.Products, row, T(mean), tmp))
					sum += float64(totals.Of(e.simd.Totals, totals.Sum, totals.Rows[T]{N: n, X: row.Z}, 0, tmp))
				}
				sums[g*rows+r], products[g*rows+r] = sum, scale*(product+sum*(float64(T(mean))-mean))
			})
		}
	})
	pair = reserve[T](&l, work.slots, 2)
	kernel := func(c *engine.Call) error {
		work.run(c)
		add(c)
		return nil
	}
	return engine.Bound{Kernel: kernel, Scratch: int(l), By: name, Serial: work.serial()}
}

// cleared returns v, all 0.
func cleared[T any](v []T) []T {
	clear(v)
	return v
}

// rounded sets dst to v.
func rounded[T isa.Float](dst []T, v []float64) {
	for i := range dst {
		dst[i] = T(v[i])
	}
}

// reach is the number of elements of gamma.
func (w *normalised) reach() int {
	n := 1
	for _, a := range []*pairing{&w.groups, &w.rest} {
		for k := range a.rank {
			n += (a.extent[k] - 1) * a.y[k]
		}
	}
	return n + (w.run-1)*w.weights
}

// weightParts is the most sums that the gradient of a gamma that changes within a run is added up in.
const weightParts = 128

// weightGrads is sumsAlong where gamma changes within a run.
func weightGrads[T isa.Float](e Engine, w normalised) engine.Bound {
	var l layout
	n, groups := w.reach(), w.groups.size()
	const few = 64 // groups; their sum loses little
	p := partsOf(groups, max(few, (groups+weightParts-1)/weightParts))
	partial := reserve[T](&l, p.count, 2*n)
	if plan, ok := w.inRows(); ok {
		b := weighInRows[T](e, w, plan, &l, p, partial)
		return addParts(e, b, p.count, 2*n, &l, partial)
	}
	var pair region[T]
	work := e.newLoop(p.count, p.each*w.cost(3), func(c *engine.Call, slot, lo, hi int) {
		tmp := pair.of(c, slot)
		x, dy := engine.Slice[T](c.In[0]), engine.Slice[T](c.In[1])
		for part := lo; part < hi; part++ {
			sums, products := halves(cleared(partial.of(c, part)))
			from, to := p.bounds(part)
			for g := from; g < to; g++ {
				mean, variance := momentsOf(e, &w, c, g, tmp)
				o := totals.Operands[T]{C: T(mean), A: T(w.scale(variance))}
				w.eachRun(g, func(_, at, by int) {
					o.X, o.Z = x[at:][:w.run], dy[at:][:w.run]
					totals.Apply(e.simd.Totals, totals.Weigh, products[by:][:w.run], o)
					totals.Apply(e.simd.Totals, totals.Add, sums[by:][:w.run], totals.Operands[T]{X: o.Z})
				})
			}
		}
	})
	pair = reserve[T](&l, work.slots, 2)
	return addParts(e, engine.Bound{Kernel: work.kernel(), By: name, Serial: work.serial()}, p.count, 2*n, &l, partial)
}

// addParts returns the kernel that is b and then adds up the sums that it has made of so many parts, of n
// numbers each.
func addParts[T isa.Float](e Engine, b engine.Bound, parts, n int, l *layout, partial region[T]) engine.Bound {
	total := reserve[float64](l, 1, n)
	sum := e.newLoop(n, parts, func(c *engine.Call, _, lo, hi int) {
		sums, out := total.of(c, 0)[lo:hi], engine.Slice[T](c.Out[0])[lo:hi]
		clear(sums)
		for part := range parts {
			for i, v := range partial.of(c, part)[lo:hi] {
				sums[i] += float64(v)
			}
		}
		rounded(out, sums)
	})
	first := b.Kernel
	b.Kernel = func(c *engine.Call) error {
		err := first(c)
		sum.run(c)
		return err
	}
	b.Scratch, b.Serial = int(*l), b.Serial && sum.serial()
	return b
}
