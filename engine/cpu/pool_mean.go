package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/totals"
	"github.com/plexaura/plexaura/internal/simd/window"
)

// meanRows is average pooling, and its gradient, row by row of windows: the rows of the image are
// added to each other by vectors, and their sum along itself.
type meanRows[T isa.Float] struct {
	*pooling
	e    Engine
	cols []window.Span // of the windows of a row
	part []T           // by column of windows: the part of an element in the mean
}

func newMeanRows[T isa.Float](e Engine, p *pooling) *meanRows[T] {
	m := &meanRows[T]{pooling: p, e: e}
	for j := range p.OW {
		m.cols = append(m.cols, p.Horizontal().Taps(j))
		m.part = append(m.part, 1/T(max(p.counted(1, j), 1)))
	}
	return m
}

// bindMeans returns the kernel of average pooling.
func bindMeans[T isa.Float](e Engine, p *pooling) engine.Bound {
	if n, ok := p.stretches(); ok {
		return stretchMeans[T](e, p.planes*p.yPlane(), n)
	}
	m := newMeanRows[T](e, p)
	return m.bind(func(c *engine.Call, plane int, sum []T, total []float64) {
		x, y := nth(engine.Slice[T](c.In[0]), plane, p.xPlane()), nth(engine.Slice[T](c.Out[0]), plane, p.yPlane())
		for i := range p.OH {
			m.forward(nth(y, i, p.OW), x, sum, total, i)
		}
	})
}

// bindMeansGrad returns the kernel of its gradient.
func bindMeansGrad[T isa.Float](e Engine, p *pooling) engine.Bound {
	if n, ok := p.stretches(); ok {
		return stretchMeansGrad[T](e, p.planes*p.yPlane(), n)
	}
	m := newMeanRows[T](e, p)
	return m.bind(func(c *engine.Call, plane int, sum []T, _ []float64) {
		dx, dy := nth(engine.Slice[T](c.Out[0]), plane, p.xPlane()), nth(engine.Slice[T](c.In[0]), plane, p.yPlane())
		clear(dx)
		for i := range p.OH {
			m.backward(dx, nth(dy, i, p.OW), sum, i)
		}
	})
}

// bind returns the kernel that calls f for each plane, with memory for a row.
func (m *meanRows[T]) bind(f func(c *engine.Call, plane int, sum []T, total []float64)) engine.Bound {
	var sums region[T]
	var wide region[float64]
	cost := m.OH * (m.Kernel[0]*(15+m.W/8) + m.OW*(2+m.Kernel[1]))
	planes := m.e.newLoop(m.planes, cost, func(c *engine.Call, slot, lo, hi int) {
		for n := lo; n < hi; n++ {
			f(c, n, sums.of(c, slot), wide.of(c, slot))
		}
	})
	var l layout
	sums, wide = reserve[T](&l, planes.slots, m.W), reserve[float64](&l, planes.slots, m.W)
	return engine.Bound{Kernel: planes.kernel(), Scratch: int(l), By: name, Serial: planes.serial()}
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

// tall is how many rows are added up in T, a few at most, and then in float64.
const tall = 16

// forward sets y to row i of the means. sum and total are rows to work in.
func (m *meanRows[T]) forward(y, x, sum []T, total []float64, i int) {
	rows := m.Vertical().Taps(i)
	part := 1 / T(max(m.counted(0, i), 1))
	if rows.N <= tall {
		m.addRows(sum, x, rows, 0, rows.N)
		for j, s := range m.cols {
			y[j] = along(sum, s) * (part * m.part[j])
		}
		return
	}
	clear(total)
	for a := 0; a < rows.N; a += tall {
		m.addRows(sum, x, rows, a, min(a+tall, rows.N))
		for k, v := range sum {
			total[k] += float64(v)
		}
	}
	for j, s := range m.cols {
		y[j] = T(along(total, s) * float64(part*m.part[j]))
	}
}

// addRows sets sum to that of rows lo to hi of a span.
func (m *meanRows[T]) addRows(sum, x []T, rows window.Span, lo, hi int) {
	if lo == hi {
		clear(sum)
		return
	}
	copy(sum, x[(rows.At+lo*rows.Step)*m.W:])
	for a := lo + 1; a < hi; a++ {
		totals.Apply(m.e.simd.Totals, totals.Add, sum, totals.Operands[T]{X: x[(rows.At+a*rows.Step)*m.W:][:m.W]})
	}
}

// along is the sum of the elements of a span.
func along[T isa.Float](x []T, s window.Span) T {
	switch {
	case s.N == 0:
		return 0
	case s.N == 2:
		return x[s.At] + x[s.At+s.Step]
	case s.N == 3:
		return x[s.At] + x[s.At+s.Step] + x[s.At+2*s.Step]
	}
	sum := 0.0
	for b := range s.N {
		sum += float64(x[s.At+b*s.Step])
	}
	return T(sum)
}

func (m *meanRows[T]) backward(dx, dy, sum []T, i int) {
	rows := m.Vertical().Taps(i)
	part := 1 / T(max(m.counted(0, i), 1))
	clear(sum)
	for j, s := range m.cols {
		v := dy[j] * (part * m.part[j])
		for b := range s.N {
			sum[s.At+b*s.Step] += v
		}
	}
	for a := range rows.N {
		totals.Apply(m.e.simd.Totals, totals.Add, nth(dx, rows.At+a*rows.Step, m.W), totals.Operands[T]{X: sum})
	}
}
