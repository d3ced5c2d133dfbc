package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd"
	"github.com/plexaura/plexaura/shape"
)

// BindReduce implements [engine.Reducer]: sums of float32 here, the rest by ref.
func (e Engine) BindReduce(r engine.Reduction, axes engine.Axes, in []shape.Type, out shape.Type) (engine.Bound, error) {
	if r != engine.Sum || len(in) != 1 || in[0].DType != shape.Float32 || out.DType != shape.Float32 || in[0].Len() == 0 {
		return e.Engine.BindReduce(r, axes, in, out)
	}
	s := sumOf(axes, in[0].Shape)
	if s.kept.size()*s.width != out.Len() { // ref has the words for it
		return e.Engine.BindReduce(r, axes, in, out)
	}
	if s.along {
		return s.alongRows(e), nil
	}
	return s.acrossRows(e), nil
}

// sum is a sum over rows of contiguous elements. Either the elements of a row are added up
// (along), or rows are added to each other, and then each is width results.
type sum struct {
	along         bool
	kept, reduced grid // of rows
	length        int  // of a row
	width         int  // results in a row
}

func sumOf(axes engine.Axes, x shape.Shape) sum {
	var kept, reduced grid
	for i, stride := range x.Strides() {
		if axes.Has(i) {
			reduced.add(x.Int(i), stride)
		} else {
			kept.add(x.Int(i), stride)
		}
	}
	s := sum{width: 1, length: 1, kept: kept, reduced: reduced}
	switch {
	case s.reduced.rank > 0 && s.reduced.stride[s.reduced.rank-1] == 1:
		s.along = true
		s.length, _ = s.reduced.pop()
		if s.reduced.rank == 0 && s.length > longRow { // a single row is cut, to be shared out
			s.cut()
		}
	case s.kept.rank > 0:
		s.length, _ = s.kept.pop()
		s.width = s.length
	}
	return s
}

// longRow is the length from which on a row is summed in pieces.
const longRow = 1 << 13

// cut makes rows of one of a power of two that divides its length, if that leaves not too many.
func (s *sum) cut() {
	n := s.length & -s.length // the greatest such power
	for n > longRow {
		n /= 2
	}
	if n >= 64 {
		s.reduced.add(s.length/n, n)
		s.length = n
	}
}

// parts is how a number of rows is added up: so many at a time, and then these sums.
type parts struct{ rows, each, count int }

func partsOf(rows, each int) parts {
	each = max(each, 1)
	return parts{rows, each, (rows + each - 1) / each}
}

func (p parts) bounds(i int) (lo, hi int) { return i * p.each, min((i+1)*p.each, p.rows) }

// alongRows adds up the elements of rows, and then the sums of the rows in float64.
func (s sum) alongRows(e Engine) engine.Bound {
	p := partsOf(s.reduced.size(), max(1, chunkWork/(5+s.length/16)))
	var l layout
	partial := reserve[float64](&l, 1, s.kept.size()*p.count)
	rows := e.newLoop(s.kept.size()*p.count, p.each*(5+s.length/16), func(c *engine.Call, _, lo, hi int) {
		x, sums := engine.Slice[float32](c.In[0]), partial.of(c, 0)
		for i := lo; i < hi; i++ {
			base := s.kept.offset(i / p.count)
			r0, r1 := p.bounds(i % p.count)
			total := 0.0
			for r := r0; r < r1; r++ {
				total += float64(e.simd.Sum(x[base+s.reduced.offset(r):][:s.length]))
			}
			sums[i] = total
		}
	})
	kernel := func(c *engine.Call) error {
		rows.run(c)
		sums, out := partial.of(c, 0), engine.Slice[float32](c.Out[0])
		for o := range out {
			total := 0.0
			for _, v := range sums[o*p.count:][:p.count] {
				total += v
			}
			out[o] = float32(total)
		}
		return nil
	}
	return engine.Bound{Kernel: kernel, Scratch: int(l), By: name, Serial: rows.serial()}
}

// acrossRows adds rows to each other: some at a time, and then these sums, in order.
func (s sum) acrossRows(e Engine) engine.Bound {
	const together = 32 // rows; their sum then loses little
	n := s.reduced.size()
	p := partsOf(n, max(together, (n+together-1)/together))
	var l layout
	partial := reserve[float32](&l, 1, s.kept.size()*p.count*s.width)
	add := func(sums, row []float32) { e.simd.Map(simd.OpAdd, sums, sums, row, 0) }
	rows := e.newLoop(s.kept.size()*p.count, p.each*(10+s.width/8), func(c *engine.Call, _, lo, hi int) {
		x := engine.Slice[float32](c.In[0])
		for i := lo; i < hi; i++ {
			base, sums := s.kept.offset(i/p.count), nth(partial.of(c, 0), i, s.width)
			r0, r1 := p.bounds(i % p.count)
			copy(sums, x[base+s.reduced.offset(r0):])
			for r := r0 + 1; r < r1; r++ {
				add(sums, x[base+s.reduced.offset(r):][:s.width])
			}
		}
	})
	kernel := func(c *engine.Call) error {
		rows.run(c)
		for o := range s.kept.size() {
			out := nth(engine.Slice[float32](c.Out[0]), o, s.width)
			copy(out, nth(partial.of(c, 0), o*p.count, s.width))
			for i := 1; i < p.count; i++ {
				add(out, nth(partial.of(c, 0), o*p.count+i, s.width))
			}
		}
		return nil
	}
	return engine.Bound{Kernel: kernel, Scratch: int(l), By: name, Serial: rows.serial()}
}
