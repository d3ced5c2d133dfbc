package cpu

import (
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/totals"
	"github.com/plexaura/plexaura/internal/simd/vec"
	"github.com/plexaura/plexaura/shape"
)

// BindReduce implements [engine.Reducer]: sums, maxima and minima of float32 by vectors, the rest
// in plain Go; floating point is added up and multiplied in float64 where it is not by vectors.
func (e Engine) BindReduce(r engine.Reduction, axes engine.Axes, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if in[0].Layout == channelsLast {
		return e.reduceLast(r, axes, in[0], out)
	}
	if x := in[0]; x.Layout != engine.Rows { // the images of a block are an axis more
		if !e.isInterleaved(x) || !axes.Has(0) {
			return engine.Bound{}, engine.Unsupported(name, "interleaved "+r.String(), in)
		}
		return e.reduceRows(r, axes|engine.AxesOf(x.Rank()), engine.InRows(x.Stored()), out)
	}
	b, err := e.reduceRows(r, axes, in, out)
	if err == nil && axes.Has(0) {
		b = e.arrangedToRows(b, byImages, 0, 1, in)
	}
	if err == nil && keepsOrder(axes) {
		b = e.arrangedToRows(b, channelsLast, 0, 1, in)
	}
	return b, err
}

func (e Engine) reduceRows(r engine.Reduction, axes engine.Axes, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindReduce(r, axes, in, out)
	if err != nil || in[0].Len() == 0 || out.Len() == 0 {
		return b, err
	}
	s := sumOf(axes, in[0].Shape)
	switch out.DType {
	case shape.Float32:
		return e.reduce32(r, s), nil
	case shape.Float64:
		return e.reduce64(r, s), nil
	case shape.Int32:
		return bindFold(e, s, plainFold[int32, int32](r)), nil
	case shape.Int64:
		return bindFold(e, s, plainFold[int64, int64](r)), nil
	}
	return bindFold(e, s, plainFold[uint8, uint8](r)), nil
}

func (e Engine) reduce32(r engine.Reduction, s sum) engine.Bound {
	switch {
	case r == engine.Prod:
		return bindFold(e, s, plainFold[float32, float64](r))
	case s.along:
		return totalsAlong[float32](e, r, s)
	case r == engine.Sum && s.inPlanes():
		return sumPlanes[float32](e, s)
	case r == engine.Sum:
		return e.sumColumns(s)
	}
	op := map[engine.Reduction]vec.Op{engine.Maximum: vec.Max, engine.Minimum: vec.Min}[r]
	add := func(acc, x []float32) { e.simd.Vec.Map(op, acc, acc, x, 0) }
	return bindAcross(e, s, combiner[float32, float32]{add: add, merge: add, cost: 1. / 8})
}

func (e Engine) reduce64(r engine.Reduction, s sum) engine.Bound {
	switch {
	case r != engine.Prod && s.along:
		return totalsAlong[float64](e, r, s)
	case r != engine.Sum:
		return bindFold(e, s, plainFold[float64, float64](r))
	case s.inPlanes():
		return sumPlanes[float64](e, s)
	}
	add := func(acc, x []float64) {
		totals.Apply(e.simd.Totals, totals.Add, acc, totals.Operands[float64]{X: x})
	}
	return bindAcross(e, s, combiner[float64, float64]{add: add, merge: add, cost: 1. / 4})
}

type numeric interface {
	shape.Float | int32 | int64 | uint8
}

// combiner combines elements of type T in type A.
type combiner[T, A numeric] struct {
	row   func(x []T, work []A) A
	work  int                  // elements that row needs to work in
	add   func(acc []A, x []T) // elements to as many results
	merge func(acc, x []A)     // results with results
	join  func(a, b A) A
	cost  float64 // nanoseconds an element
}

func bindFold[T, A numeric](e Engine, s sum, f combiner[T, A]) engine.Bound {
	if s.along {
		return bindAlong(e, s, f)
	}
	return bindAcross(e, s, f)
}

// plainFold is r in plain Go.
func plainFold[T, A numeric](r engine.Reduction) combiner[T, A] {
	f := combiner[T, A]{cost: 1, add: plainAdd[T, A](r), merge: plainAdd[A, A](r)}
	switch r {
	case engine.Sum:
		f.row, f.join = func(x []T, _ []A) A { return total[T, A](x) }, func(a, b A) A { return a + b }
	case engine.Prod:
		f.row, f.join = product[T, A], func(a, b A) A { return a * b }
	case engine.Maximum:
		f.row, f.join = func(x []T, _ []A) A { return A(slices.Max(x)) }, func(a, b A) A { return max(a, b) }
	default:
		f.row, f.join = func(x []T, _ []A) A { return A(slices.Min(x)) }, func(a, b A) A { return min(a, b) }
	}
	return f
}

func plainAdd[T, A numeric](r engine.Reduction) func(acc []A, x []T) {
	switch r {
	case engine.Sum:
		return func(acc []A, x []T) {
			for i, v := range x {
				acc[i] += A(v)
			}
		}
	case engine.Prod:
		return func(acc []A, x []T) {
			for i, v := range x {
				acc[i] *= A(v)
			}
		}
	case engine.Maximum:
		return func(acc []A, x []T) {
			for i, v := range x {
				acc[i] = max(acc[i], A(v))
			}
		}
	}
	return func(acc []A, x []T) {
		for i, v := range x {
			acc[i] = min(acc[i], A(v))
		}
	}
}

// product multiplies side by side, since each factor waits for the one before.
func product[T, A numeric](x []T, _ []A) A {
	p := [4]A{1, 1, 1, 1}
	for ; len(x) >= 4; x = x[4:] {
		p[0], p[1], p[2], p[3] = p[0]*A(x[0]), p[1]*A(x[1]), p[2]*A(x[2]), p[3]*A(x[3])
	}
	for _, v := range x {
		p[0] *= A(v)
	}
	return p[0] * p[1] * (p[2] * p[3])
}

// total adds up by halves: the error then grows with the logarithm of the length.
func total[T, A numeric](x []T) A {
	const short = 64
	if len(x) > short {
		half := len(x) / 2
		return total[T, A](x[:half]) + total[T, A](x[half:])
	}
	var sum [4]A
	for ; len(x) >= 4; x = x[4:] {
		sum[0], sum[1], sum[2], sum[3] = sum[0]+A(x[0]), sum[1]+A(x[1]), sum[2]+A(x[2]), sum[3]+A(x[3])
	}
	for _, v := range x {
		sum[0] += A(v)
	}
	return sum[0] + sum[1] + (sum[2] + sum[3])
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

// bindAlong folds the elements of rows, and then what comes of the rows.
func bindAlong[T, A numeric](e Engine, s sum, f combiner[T, A]) engine.Bound {
	cost := 5 + int(f.cost*float64(s.length))
	p := partsOf(s.reduced.size(), max(1, chunkWork/cost))
	var l layout
	partial := reserve[A](&l, 1, s.kept.size()*p.count)
	var work region[A]
	rows := e.newLoop(s.kept.size()*p.count, p.each*cost, func(c *engine.Call, slot, lo, hi int) {
		x, results, work := engine.Slice[T](c.In[0]), partial.of(c, 0), work.of(c, slot)
		for i := lo; i < hi; i++ {
			base := s.kept.offset(i / p.count)
			r0, r1 := p.bounds(i % p.count)
			acc := f.row(x[base+s.reduced.offset(r0):][:s.length], work)
			for r := r0 + 1; r < r1; r++ {
				acc = f.join(acc, f.row(x[base+s.reduced.offset(r):][:s.length], work))
			}
			results[i] = acc
		}
	})
	work = reserve[A](&l, rows.slots, f.work)
	kernel := func(c *engine.Call) error {
		rows.run(c)
		results, out := partial.of(c, 0), engine.Slice[T](c.Out[0])
		for o := range out {
			parts := results[o*p.count:][:p.count]
			acc := parts[0]
			for _, v := range parts[1:] {
				acc = f.join(acc, v)
			}
			out[o] = T(acc)
		}
		return nil
	}
	return engine.Bound{Kernel: kernel, Scratch: int(l), By: name, Serial: rows.serial()}
}

// bindAcross folds rows with each other: some at a time, and then what comes of these, in order.
func bindAcross[T, A numeric](e Engine, s sum, f combiner[T, A]) engine.Bound {
	const together = 32 // rows; their sum then loses little
	n := s.reduced.size()
	p := partsOf(n, max(together, (n+together-1)/together))
	var l layout
	partial := reserve[A](&l, 1, s.kept.size()*p.count*s.width)
	rows := e.newLoop(s.kept.size()*p.count, p.each*(10+int(f.cost*float64(s.width))), func(c *engine.Call, _, lo, hi int) {
		x := engine.Slice[T](c.In[0])
		for i := lo; i < hi; i++ {
			base, acc := s.kept.offset(i/p.count), nth(partial.of(c, 0), i, s.width)
			r0, r1 := p.bounds(i % p.count)
			for k, v := range x[base+s.reduced.offset(r0):][:s.width] {
				acc[k] = A(v)
			}
			for r := r0 + 1; r < r1; r++ {
				f.add(acc, x[base+s.reduced.offset(r):][:s.width])
			}
		}
	})
	kernel := func(c *engine.Call) error {
		rows.run(c)
		for o := range s.kept.size() {
			out := nth(engine.Slice[T](c.Out[0]), o, s.width)
			acc := nth(partial.of(c, 0), o*p.count, s.width)
			for i := 1; i < p.count; i++ {
				f.merge(acc, nth(partial.of(c, 0), o*p.count+i, s.width))
			}
			for k, v := range acc {
				out[k] = T(v)
			}
		}
		return nil
	}
	return engine.Bound{Kernel: kernel, Scratch: int(l), By: name, Serial: rows.serial()}
}
