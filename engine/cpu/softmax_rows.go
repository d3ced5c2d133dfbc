package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/totals"
	"github.com/plexaura/plexaura/internal/simd/vec"
)

// softmaxRows is a softmax of rows, of which each call of a kernel takes many.
type softmaxRows[T isa.Float] struct {
	vectors[T]
	k                          *totals.Kernels
	n                          int
	slab, top, sum, one, minus []T
	single                     softmax[T] // of one row, for those that need care
}

// rowsElems is about how many elements are worked on at a time, which stay in the first-level cache with
// their exponentials.
const rowsElems = 2048

// setOf is how many rows of n elements are taken at a time.
func setOf(n int) int { return max(rowsElems/n, 1) }

// overRowsOf returns b with a kernel that calls f for sets of rows of the inputs and the output; with one
// input, both are the same.
func overRowsOf[T isa.Float](e Engine, b engine.Bound, l slabs, f func(s *softmaxRows[T], x, dy, out []T, rows int)) engine.Bound {
	of, each := vectorsOf[T](e.simd), setOf(l.n)
	workers := par.NewFree(16, func() *softmaxRows[T] { return &softmaxRows[T]{vectors: of, k: e.simd.Totals, n: l.n} })
	var slab, numbers, row region[T]
	sets := e.newLoop(isa.Ceil(l.count, each), 50+each*(30+l.n), func(c *engine.Call, slot, lo, hi int) {
		s, v := workers.Take(), numbers.of(c, slot)
		part := func(i int) []T { return v[i*each:][:each] }
		s.slab, s.top, s.sum, s.one, s.minus = slab.of(c, slot), part(0), part(1), part(2), part(3)
		s.single = softmax[T]{slabs{1, l.n, 1}, of, e.simd, row.of(c, slot), part(4)[:1], part(5)[:1], nil}
		x, dy, out := engine.Slice[T](c.In[0]), engine.Slice[T](c.In[len(c.In)-1]), engine.Slice[T](c.Out[0])
		for i := lo; i < hi; i++ {
			from, rows := i*each*l.n, min(each, l.count-i*each)
			f(s, x[from:][:rows*l.n], dy[from:][:rows*l.n], out[from:][:rows*l.n], rows)
		}
		*s = softmaxRows[T]{vectors: of, k: e.simd.Totals, n: l.n}
		workers.Give(s)
	})
	var m layout
	slab, row = reserve[T](&m, sets.slots, each*l.n), reserve[T](&m, sets.slots, l.n)
	numbers = reserve[T](&m, sets.slots, 6*each)
	b.Kernel, b.Scratch, b.By, b.Serial = sets.kernel(), int(m), name, sets.serial()
	return b
}

// total sets y to the totals of rows of x, and of z if it is not nil.
func (s *softmaxRows[T]) total(op totals.Total, y, x, z []T) {
	totals.OfRows(s.k, op, y, totals.Rows[T]{N: s.n, X: x, XRow: s.n, Z: z, ZRow: s.n})
}

// scale sets each row of dst to (x-c)*a.
func (s *softmaxRows[T]) scale(rows int, dst, x, c, a []T) {
	clear(s.minus[:rows])
	m := totals.MapRows[T]{N: s.n, Dst: dst, X: x, DstRow: s.n, XRow: s.n, A: a, B: s.minus, C: c}
	totals.ApplyRows(s.k, totals.Scale, rows, &m)
}

// ones returns as many ones.
func (s *softmaxRows[T]) ones(rows int) []T {
	for i := range rows {
		s.one[i] = 1
	}
	return s.one[:rows]
}

// forward sets y, which may be x.
func (s *softmaxRows[T]) forward(y, x []T, rows int, log bool) {
	top, sum, slab := s.top[:rows], s.sum[:rows], s.slab[:rows*s.n]
	s.total(totals.Maximum, top, x, nil)
	s.scale(rows, y, x, top, s.ones(rows))
	s.apply(vec.Exp, slab, y, nil, 0)
	s.total(totals.Sum, sum, slab, nil)
	if !log {
		clear(top)
		for i, v := range sum {
			s.one[i] = 1 / v
		}
		s.scale(rows, y, slab, top, s.one)
		return
	}
	logs := s.minus[:rows]
	s.apply(vec.Log, logs, sum, nil, 0)
	for i, v := range sum {
		if v < nearOne {
			copy(s.single.slab, nth(slab, i, s.n))
			s.single.logs(nth(y, i, s.n), sum[i:i+1])
			logs[i] = sum[i]
		}
	}
	copy(sum, logs)
	s.scale(rows, y, y, sum, s.ones(rows))
}

// backward sets dx, which may be y or dy.
func (s *softmaxRows[T]) backward(dx, y, dy []T, rows int, log bool) {
	sum, slab := s.sum[:rows], s.slab[:rows*s.n]
	if !log {
		s.total(totals.Dots, sum, y, dy)
		s.scale(rows, slab, dy, sum, s.ones(rows))
		s.apply(vec.Mul, dx, slab, y, 0)
		return
	}
	top := s.top[:rows]
	s.total(totals.Maximum, top, y, nil)
	s.total(totals.Sum, sum, dy, nil)
	s.apply(vec.Exp, slab, y, nil, 0)
	for i, v := range sum {
		s.minus[i] = -v
	}
	zeros := s.one
	clear(zeros[:rows])
	s.scaleBy(rows, slab, zeros) // dx is this and dy
	for i, v := range top {
		row, of := nth(dx, i, s.n), nth(dy, i, s.n)
		if v > logSureOne {
			s.single.backward(row, nth(y, i, s.n), of, true)
			continue
		}
		s.apply(vec.Add, row, of, nth(slab, i, s.n), 0)
	}
}

// scaleBy multiplies each row of v by its number of minus.
func (s *softmaxRows[T]) scaleBy(rows int, v, zeros []T) {
	m := totals.MapRows[T]{N: s.n, Dst: v, X: v, DstRow: s.n, XRow: s.n, A: s.minus, B: zeros, C: zeros}
	totals.ApplyRows(s.k, totals.Scale, rows, &m)
}
