package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/totals"
	"github.com/plexaura/plexaura/internal/simd/window"
)

// meanRows is average pooling, and its gradient, in two steps. The lines of the image that a row of
// windows lies over are added up by vectors, in calls for many such rows, and then columns. Of large
// windows, a few lines at a time are.
type meanRows[T isa.Float] struct {
	*pooling
	e          Engine
	rows, cols []window.Run // of windows; means of those of cols are of as many columns
	over       []window.Run // lines of the image by the rows of windows over them
	down, part []T          // by row and by column of windows: the part of an element in the mean
	group      int          // planes at a time
}

const (
	// tall is how many lines are added up in T, a few at most, and then in float64.
	tall = 16
	// groupElements is about how many sums there are at a time, which stay in the first-level cache.
	groupElements = 4096
)

func newMeanRows[T isa.Float](e Engine, p *pooling) *meanRows[T] {
	m := &meanRows[T]{pooling: p, e: e, rows: p.Vertical().Runs(), over: p.Vertical().Over()}
	for _, r := range p.Horizontal().Runs() {
		m.cols = append(m.cols, r.SplitBy(func(o int) int { return p.counted(1, o) })...)
	}
	parts := func(axis, n int) (all []T) {
		for o := range n {
			all = append(all, 1/T(max(p.counted(axis, o), 1)))
		}
		return all
	}
	m.down, m.part = parts(0, p.OH), parts(1, p.OW)
	m.group = max(min(groupElements/max(m.sums(), 1), chunkWork/m.cost(), p.planes), 1)
	return m
}

// sums is how many sums of lines a plane has.
func (m *meanRows[T]) sums() int { return m.OH * m.W }

// cost is about the time for a plane, in nanoseconds.
func (m *meanRows[T]) cost() int { return 10 + m.OH*(5+m.KH*(1+m.W/16)+m.OW*(1+m.KW)) }

// bindMeans returns the kernel of average pooling.
func bindMeans[T isa.Float](e Engine, p *pooling) engine.Bound {
	if n, ok := p.stretches(); ok {
		return stretchMeans[T](e, p.planes*p.yPlane(), n)
	}
	m := newMeanRows[T](e, p)
	if p.KH > tall {
		return m.bindTall()
	}
	return m.bind(func(c *engine.Call, lo, n int, sums []T) {
		y := engine.Slice[T](c.Out[0])[lo*m.yPlane():]
		m.sumLines(n, sums, m.sums(), engine.Slice[T](c.In[0])[lo*m.xPlane():], m.xPlane(), m.rows)
		for row := range n * m.OH {
			m.across(nth(y, row, m.OW), nth(sums, row, m.W), m.down[row%m.OH])
		}
	})
}

// bindMeansGrad returns the kernel of its gradient.
func bindMeansGrad[T isa.Float](e Engine, p *pooling) engine.Bound {
	if n, ok := p.stretches(); ok {
		return stretchMeansGrad[T](e, p.planes*p.yPlane(), n)
	}
	m := newMeanRows[T](e, p)
	return m.bind(func(c *engine.Call, lo, n int, sums []T) {
		dy := engine.Slice[T](c.In[0])[lo*m.yPlane():]
		for row := range n * m.OH {
			m.spread(nth(sums, row, m.W), nth(dy, row, m.OW), m.down[row%m.OH])
		}
		m.sumLines(n, engine.Slice[T](c.Out[0])[lo*m.xPlane():], m.xPlane(), sums, m.sums(), m.over)
	})
}

// bind returns the kernel that calls f for n planes from lo on, with memory for their sums.
func (m *meanRows[T]) bind(f func(c *engine.Call, lo, n int, sums []T)) engine.Bound {
	var sums region[T]
	groups := m.e.newLoop(isa.Ceil(m.planes, m.group), m.cost()*m.group, func(c *engine.Call, slot, lo, hi int) {
		for g := lo; g < hi; g++ {
			f(c, g*m.group, min(m.group, m.planes-g*m.group), sums.of(c, slot))
		}
	})
	var l layout
	sums = reserve[T](&l, groups.slots, m.group*m.sums())
	return engine.Bound{Kernel: groups.kernel(), Scratch: int(l), By: name, Serial: groups.serial()}
}

// sumLines sets the lines of n planes of dst to sums of lines of src, as the runs say. Planes are so
// many elements apart.
func (m *meanRows[T]) sumLines(n int, dst []T, dstPlane int, src []T, srcPlane int, runs []window.Run) {
	k := m.e.simd.Totals
	for i := range runs {
		r := &runs[i]
		to, from := dst[r.Out*m.W:], src[r.In*m.W:]
		if r.Taps == 0 {
			for row := range n * r.N {
				clear(to[row/r.N*dstPlane+row%r.N*r.Step*m.W:][:m.W])
			}
			continue
		}
		dstRow, srcRow := r.Step*m.W, r.InStep*m.W
		l := totals.Lines[T]{N: m.W, Count: r.Taps, Line: r.InTap * m.W, Dst: to, X: from, DstRow: dstRow, XRow: srcRow}
		switch {
		case r.N*dstRow == dstPlane && r.N*srcRow == srcPlane: // planes go on like rows
			totals.SumLines(k, n*r.N, l)
		case r.N > n:
			for plane := range n {
				l.Dst, l.X = to[plane*dstPlane:], from[plane*srcPlane:]
				totals.SumLines(k, r.N, l)
			}
		default:
			l.DstRow, l.XRow = dstPlane, srcPlane
			for row := range r.N {
				l.Dst, l.X = to[row*dstRow:], from[row*srcRow:]
				totals.SumLines(k, n, l)
			}
		}
	}
}

// across sets y to the means of a row of windows, of whose lines sum is the sum, and each of whose
// lines has so large a part.
func (m *meanRows[T]) across(y, sum []T, down T) {
	for i := range m.cols {
		r := &m.cols[i]
		to, part, k := y[r.Out:][:r.N], down*m.part[r.Out], r.In
		switch r.Taps {
		case 0:
			clear(to)
		case 1:
			for j := range to {
				to[j] = sum[k] * part
				k += r.InStep
			}
		case 2:
			for j := range to {
				to[j] = (sum[k] + sum[k+r.InTap]) * part
				k += r.InStep
			}
		case 3:
			for j := range to {
				to[j] = (sum[k] + sum[k+r.InTap] + sum[k+2*r.InTap]) * part
				k += r.InStep
			}
		default:
			for j := range to {
				to[j] = T(along(sum, r, j)) * part
			}
		}
	}
}

// along is the sum of the columns of the j-th window of a run.
func along[T isa.Float](x []T, r *window.Run, j int) (sum float64) {
	k := r.In + j*r.InStep
	for range r.Taps {
		sum += float64(x[k])
		k += r.InTap
	}
	return sum
}

// spread is the adjoint of across: it sets sum to what each element of the lines of a row of windows
// gets of dy.
func (m *meanRows[T]) spread(sum, dy []T, down T) {
	clear(sum)
	for i := range m.cols {
		r := &m.cols[i]
		part := down * m.part[r.Out]
		for j, v := range dy[r.Out:][:r.N] {
			v *= part
			k := r.In + j*r.InStep
			for range r.Taps {
				sum[k] += v
				k += r.InTap
			}
		}
	}
}

// bindTall is bindMeans for windows of many lines.
func (m *meanRows[T]) bindTall() engine.Bound {
	var sums region[T]
	var wide region[float64]
	planes := m.e.newLoop(m.planes, m.cost(), func(c *engine.Call, slot, lo, hi int) {
		for n := lo; n < hi; n++ {
			m.tallPlane(nth(engine.Slice[T](c.Out[0]), n, m.yPlane()), nth(engine.Slice[T](c.In[0]), n, m.xPlane()), sums.of(c, slot), wide.of(c, slot))
		}
	})
	var l layout
	sums, wide = reserve[T](&l, planes.slots, m.W), reserve[float64](&l, planes.slots, m.W)
	return engine.Bound{Kernel: planes.kernel(), Scratch: int(l), By: name, Serial: planes.serial()}
}

// tallPlane sets y to the means of a plane. sum and total are lines to work in.
func (m *meanRows[T]) tallPlane(y, x, sum []T, total []float64) {
	for i := range m.OH {
		lines := m.Vertical().Taps(i)
		clear(total)
		for a := 0; a < lines.N; a += tall {
			totals.SumLines(m.e.simd.Totals, 1, totals.Lines[T]{N: m.W, Count: min(tall, lines.N-a), Line: lines.Step * m.W, Dst: sum, X: x[(lines.At+a*lines.Step)*m.W:]})
			for k, v := range sum {
				total[k] += float64(v)
			}
		}
		row := nth(y, i, m.OW)
		for c := range m.cols {
			r := &m.cols[c]
			part := float64(m.down[i] * m.part[r.Out])
			for j := range r.N {
				row[r.Out+j] = T(along(total, r, j) * part)
			}
		}
	}
}

// stretches returns the size of windows that follow each other in memory, without gaps, or false.
func (p *pooling) stretches() (n int, ok bool) {
	whole := p.Kernel == [2]int{p.H, p.W} // with one window for each plane
	n = p.Kernel[0] * p.Kernel[1]
	return n, p.Dilation == [2]int{1, 1} && (p.Kernel[1] == p.W && p.Stride[0] == p.Kernel[0] || whole) && p.yPlane()*n == p.xPlane() &&
		p.Pad == [2][2]int{} && n <= totals.Longest
}

func stretchMeans[T isa.Float](e Engine, count, n int) engine.Bound {
	windows := e.newLoop(count, 3+n/12, func(c *engine.Call, _, lo, hi int) {
		y := engine.Slice[T](c.Out[0])[lo:hi]
		totals.OfRows(e.simd.Totals, totals.Sum, y, totals.Rows[T]{N: n, X: engine.Slice[T](c.In[0])[lo*n:], XRow: n})
		for i := range y {
			y[i] /= T(n)
		}
	})
	return engine.Bound{Kernel: windows.kernel(), By: name, Serial: windows.serial()}
}

// stretchMeansGrad gives each element of a window an equal part.
func stretchMeansGrad[T isa.Float](e Engine, count, n int) engine.Bound {
	var parts region[T]
	each := max(block/n, 1) // windows at a time
	sets := e.newLoop(isa.Ceil(count, each), each*(3+n/8), func(c *engine.Call, slot, lo, hi int) {
		part := parts.of(c, slot)
		for i := lo; i < hi; i++ {
			from, to := i*each, min((i+1)*each, count)
			for k, v := range engine.Slice[T](c.In[0])[from:to] {
				part[k] = v / T(n)
			}
			repeat(e, engine.Slice[T](c.Out[0])[from*n:to*n], n, part)
		}
	})
	var l layout
	parts = reserve[T](&l, sets.slots, each)
	return engine.Bound{Kernel: sets.kernel(), Scratch: int(l), By: name, Serial: sets.serial()}
}

// repeat sets each row of n elements of dst to one of x.
func repeat[T isa.Float](e Engine, dst []T, n int, x []T) {
	if of, ok := any(dst).([]float32); ok {
		e.simd.Vec.Repeat(of, n, any(x).([]float32), 1)
		return
	}
	e.simd.Vec.Repeat64(any(dst).([]float64), n, any(x).([]float64), 1)
}
