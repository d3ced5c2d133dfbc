package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/totals"
)

// totalOps are the reductions that have kernels along rows.
var totalOps = map[engine.Reduction]totals.Total{engine.Sum: totals.Sum, engine.Maximum: totals.Maximum, engine.Minimum: totals.Minimum}

// pieces are those of rows, count for each result: length elements, the last one of a row fewer if
// there are several cuts.
type pieces struct {
	starts        grid // of rows, or of pieces if all are as long
	row, cuts     int  // elements of a row, and pieces
	length, count int
	each, apart   int // pieces of a result that follow each other, and from these to the next ones
}

// newPieces cuts rows into pieces of at most so many elements, evenly if possible.
func newPieces(s sum, most int) pieces {
	p := pieces{row: s.length, cuts: (s.length + most - 1) / most}
	axes := []grid{s.kept, s.reduced}
	if s.resultsAdjoin() {
		axes = []grid{s.reduced, s.kept}
	}
	for _, g := range axes {
		for k := range g.rank {
			p.starts.add(g.extent[k], g.stride[k])
		}
	}
	p.each = p.cuts
	for cuts := p.cuts; cuts < 2*p.cuts; cuts++ {
		if s.length%cuts == 0 {
			p.starts.add(cuts, s.length/cuts)
			p.row, p.cuts, p.each = s.length/cuts, 1, cuts
			break
		}
	}
	p.length = (p.row + p.cuts - 1) / p.cuts
	p.count = s.reduced.size() * p.each
	p.apart = p.each * s.kept.size()
	if !s.resultsAdjoin() {
		p.each, p.apart = p.count, p.count
	}
	return p
}

// resultsAdjoin reports whether the rows of all results follow each other in memory, unlike those of one.
func (s *sum) resultsAdjoin() bool {
	last := s.kept.rank - 1
	return s.reduced.rank > 0 && s.kept.rank > 0 && s.kept.stride[last] == s.length && s.kept.extent[last] > s.reduced.extent[s.reduced.rank-1]
}

// totalsAlong reduces rows in pieces, many at a time where they are evenly spaced, and then what
// comes of the pieces of a result, sums in float64. The pieces depend only on the shape.
func totalsAlong[T isa.Float](e Engine, r engine.Reduction, s sum) engine.Bound {
	if r == engine.Sum && s.shortRows() {
		return sumAcrossFirst[T](e, s)
	}
	op, p := totalOps[r], newPieces(s, e.simd.Totals.Exact())
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
			at, length := p.at(i * row)
			totals.OfRows(e.simd.Totals, op, nth(to, i, row), totals.Rows[T]{N: length, X: x[at:], XRow: pitch})
		}
	})
	if p.count == 1 {
		return engine.Bound{Kernel: work.kernel(), By: name, Serial: work.serial()}
	}
	join := e.newLoop(n, 5+p.count, func(c *engine.Call, _, lo, hi int) {
		out, parts := engine.Slice[T](c.Out[0]), partial.of(c, 0)
		for o := lo; o < hi; o++ {
			out[o] = joined(&p, op, parts, o)
		}
	})
	b := inTurn(work, join)
	b.Scratch, b.Serial = int(l), work.serial() && join.serial()
	return b
}

// shortRowOfSum is how long rows are at most for folding each to cost more than adding rows to each other.
const shortRowOfSum = 128

// shortRows reports whether short rows of each result, which adjoin those of others, are added to each other before
// they are folded.
func (s *sum) shortRows() bool {
	return s.length <= shortRowOfSum && s.resultsAdjoin() && s.kept.rank == 1 && s.inPlanes()
}

// sumAcrossFirst adds up the rows of each result, and then the elements of what comes of them.
func sumAcrossFirst[T isa.Float](e Engine, s sum) engine.Bound {
	results := s.kept.extent[0]
	first := sum{reduced: s.reduced, width: results * s.length}
	var l layout
	sums := reserve[T](&l, 1, first.width)
	across := planesOf(e, first, func(c *engine.Call) []T { return sums.of(c, 0) })
	along := e.newLoop(results, 3+s.length/12, func(c *engine.Call, _, lo, hi int) {
		totals.OfRows(e.simd.Totals, totals.Sum, engine.Slice[T](c.Out[0])[lo:hi],
			totals.Rows[T]{N: s.length, X: sums.of(c, 0)[lo*s.length:], XRow: s.length})
	})
	b := inTurn(across, along)
	b.Scratch, b.Serial = int(l), across.serial() && along.serial()
	return b
}

// rows returns how many pieces are taken at a time, which follow each other at that pitch.
func (p *pieces) rows() (n, pitch int) {
	last := p.starts.rank - 1
	if p.cuts > 1 || last < 0 {
		return 1, 0
	}
	n, pitch = p.starts.extent[last], p.starts.stride[last]
	for divisor := 2; n*p.length > 4*chunkWork && divisor <= n; divisor++ {
		for n%divisor == 0 && n*p.length > 4*chunkWork {
			n /= divisor
		}
	}
	return n, pitch
}

// at is the place of piece i, and how long it is.
func (p *pieces) at(i int) (at, n int) {
	cut := i % p.cuts * p.length
	return p.starts.offset(i/p.cuts) + cut, min(p.length, p.row-cut)
}

// joined reduces what comes of the pieces of result o.
func joined[T isa.Float](p *pieces, op totals.Total, parts []T, o int) T {
	if op != totals.Sum {
		return extreme(p, op, parts, o)
	}
	sum := 0.0
	switch p.each {
	case 1:
		for i := range p.count {
			sum += float64(parts[o+i*p.apart])
		}
		return T(sum)
	case 2:
		for i := range p.count / 2 {
			at := 2*o + i*p.apart
			sum += float64(parts[at]) + float64(parts[at+1])
		}
		return T(sum)
	}
	for i := range p.count / p.each {
		sum += total[T, float64](parts[o*p.each+i*p.apart:][:p.each])
	}
	return T(sum)
}

func extreme[T isa.Float](p *pieces, op totals.Total, parts []T, o int) T {
	best := parts[o*p.each]
	for i := range p.count / p.each {
		for _, v := range parts[o*p.each+i*p.apart:][:p.each] {
			if op == totals.Maximum {
				best = max(best, v)
			} else {
				best = min(best, v)
			}
		}
	}
	return best
}
