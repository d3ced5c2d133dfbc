package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/totals"
)

// totalOps are the reductions that have kernels along rows.
var totalOps = map[engine.Reduction]totals.Total{engine.Sum: totals.Sum, engine.Maximum: totals.Maximum, engine.Minimum: totals.Minimum}

// pieces are those of the rows of results, count for each: length elements, of rows that are cut where they are long.
type pieces struct {
	kept, reduced grid
	cuts          int // pieces of a row
	length, count int
}

// newPieces cuts rows evenly into pieces of at most totals.Longest elements, or leaves a shorter one
// at their end.
func newPieces(s sum) pieces {
	p := pieces{kept: s.kept, reduced: s.reduced, cuts: (s.length + totals.Longest - 1) / totals.Longest}
	p.length = (s.length + p.cuts - 1) / p.cuts
	p.count = s.reduced.size() * p.cuts
	return p
}

// totalsAlong reduces rows in pieces, many at a time where they are evenly spaced, and then what
// comes of the pieces of a result, sums in float64. The pieces depend only on the shape.
func totalsAlong[T isa.Float](e Engine, r engine.Reduction, s sum) engine.Bound {
	op, p := totalOps[r], newPieces(s)
	n := s.kept.size()
	var l layout
	partial := reserve[T](&l, 1, n*p.count)
	row, pitch := p.rows()
	work := e.newLoop(n*p.count/row, row*(3+p.length/12), func(c *engine.Call, _, lo, hi int) {
		x, to := engine.Slice[T](c.In[0]), engine.Slice[T](c.Out[0])
		if p.count > 1 {
			to = partial.of(c, 0)
		}
		for i := lo; i < hi; i++ {
			at, length := p.at(i*row, s.length)
			totals.OfRows(e.simd.Totals, op, nth(to, i, row), totals.Rows[T]{N: length, X: x[at:], XRow: pitch})
		}
	})
	if p.count == 1 {
		return engine.Bound{Kernel: work.kernel(), By: name, Serial: work.serial()}
	}
	join := e.newLoop(n, 5+p.count, func(c *engine.Call, _, lo, hi int) {
		out, parts := engine.Slice[T](c.Out[0]), partial.of(c, 0)
		for o := lo; o < hi; o++ {
			out[o] = joined(op, nth(parts, o, p.count))
		}
	})
	b := inTurn(work, join)
	b.Scratch, b.Serial = int(l), work.serial() && join.serial()
	return b
}

// rows returns how many pieces are taken at a time, which follow each other at that pitch: those of
// the last axis that has several, in even groups.
func (p *pieces) rows() (n, pitch int) {
	last := &p.reduced
	if p.count == 1 {
		last = &p.kept
	}
	if p.cuts > 1 || last.rank == 0 {
		return 1, 0
	}
	n, pitch = last.extent[last.rank-1], last.stride[last.rank-1]
	for n*p.length > chunkWork*4 && n%2 == 0 {
		n /= 2
	}
	return n, pitch
}

// at is the place of piece i of rows of that length, and how long it is.
func (p *pieces) at(i, length int) (at, n int) {
	cut := i % p.cuts * p.length
	i /= p.cuts
	rows := p.reduced.size()
	return p.kept.offset(i/rows) + p.reduced.offset(i%rows) + cut, min(p.length, length-cut)
}

// joined reduces what comes of pieces.
func joined[T isa.Float](op totals.Total, parts []T) T {
	if op == totals.Sum {
		return T(total[T, float64](parts))
	}
	best := parts[0]
	for _, v := range parts[1:] {
		if op == totals.Maximum {
			best = max(best, v)
		} else {
			best = min(best, v)
		}
	}
	return best
}
