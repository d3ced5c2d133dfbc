package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd"
)

const (
	// columnStrip is how many columns are added up at a time, and treeElems about how many elements are
	// folded by halves at a time: a task's memory stays in the cache.
	columnStrip = 1024
	treeElems   = 8 << 10
	// treeRows is the fewest rows that are folded so, where there are as many, and how many such sums are
	// folded in turn before they go into one of float64.
	treeRows = 16
	// columnParts is about how many tasks rows are shared out to.
	columnParts = 32
)

// sumColumns adds rows of float32 to each other. Some rows at a time are folded by halves, in float32,
// and what comes of them is added up in float64, so that the error hardly grows with the number of rows;
// the order follows from the shape alone.
func (e Engine) sumColumns(s sum) engine.Bound {
	c := newColumns(s)
	var l layout
	partial := reserve[float64](&l, 1, s.kept.size()*c.parts.count*s.width)
	var tree region[float32]
	tasks := s.kept.size() * c.parts.count * c.strips.count
	work := e.newLoop(tasks, 50+c.parts.each*min(s.width, columnStrip)/8, func(call *engine.Call, slot, lo, hi int) {
		x, sums, tmp := engine.Slice[float32](call.In[0]), partial.of(call, 0), tree.of(call, slot)
		for task := lo; task < hi; task++ {
			part, strip := task/c.strips.count, task%c.strips.count
			from, to := c.strips.bounds(strip)
			base := s.kept.offset(part/c.parts.count) + from
			c.add(e.simd, nth(sums, part, s.width)[from:to], x[base:], tmp, part%c.parts.count)
		}
	})
	tree = reserve[float32](&l, work.slots, c.treeLen(min(s.width, columnStrip)))
	kernel := func(call *engine.Call) error {
		work.run(call)
		sums, out := partial.of(call, 0), engine.Slice[float32](call.Out[0])
		for o := range s.kept.size() {
			c.total(nth(out, o, s.width), sums[o*c.parts.count*s.width:])
		}
		return nil
	}
	return engine.Bound{Kernel: kernel, Scratch: int(l), By: name, Serial: work.serial()}
}

// columns is how sums of rows with each other are cut up.
type columns struct {
	rows          grid
	adjoining     bool // rows follow each other in memory
	block         int  // rows that are folded by halves
	parts, strips parts
}

func newColumns(s sum) columns {
	n, width := s.reduced.size(), min(s.width, columnStrip)
	c := columns{rows: s.reduced, strips: partsOf(s.width, columnStrip)}
	c.adjoining = s.width == width && (s.reduced.rank == 0 || s.reduced.rank == 1 && s.reduced.stride[0] == width)
	c.block = treeRows
	for 2*c.block*width <= treeElems {
		c.block *= 2
	}
	c.block = max(min(c.block, n), 1)
	each := max(treeRows*c.block, (n+columnParts-1)/columnParts)
	c.parts = partsOf(n, (each+c.block-1)/c.block*c.block) // whole blocks
	return c
}

// add sets sums to those of the columns of a part of the rows, of which x has the first element.
func (c *columns) add(k *simd.Kernels, sums []float64, x, tmp []float32, part int) {
	clear(sums)
	width := len(sums)
	folded, tmp := tmp[:treeRows*width], tmp[treeRows*width:]
	lo, hi := c.parts.bounds(part)
	for r := lo; r < hi; {
		n := 0
		for ; n < treeRows && r < hi; n, r = n+1, r+c.block {
			copy(nth(folded, n, width), c.fold(k, x, tmp, r, min(c.block, hi-r), width))
		}
		for i, v := range foldRows(k, folded[:n*width], width) {
			sums[i] += float64(v)
		}
	}
}

// treeLen is how many elements of memory add takes.
func (c *columns) treeLen(width int) int { return (treeRows + (c.block+1)/2) * width }

// fold returns the sum of n rows from the r-th on, each of that width.
func (c *columns) fold(k *simd.Kernels, x, tmp []float32, r, n, width int) []float32 {
	if n == 1 {
		return x[c.rows.offset(r):][:width]
	}
	half := n / 2
	if c.adjoining {
		rows := x[c.rows.offset(r):][:n*width]
		k.Map(simd.OpAdd, tmp[:half*width], rows, rows[(n-half)*width:], 0)
	} else {
		for i := range half {
			k.Map(simd.OpAdd, nth(tmp, i, width), x[c.rows.offset(r+i):], x[c.rows.offset(r+n-half+i):], 0)
		}
	}
	if n%2 == 1 {
		copy(nth(tmp, half, width), x[c.rows.offset(r+half):])
	}
	return foldRows(k, tmp[:(n-half)*width], width)
}

// foldRows returns the sum of the rows of x, each of that width, which it writes over.
func foldRows(k *simd.Kernels, x []float32, width int) []float32 {
	for n := len(x) / width; n > 1; {
		half := n / 2
		k.Map(simd.OpAdd, x[:half*width], x, x[(n-half)*width:n*width], 0)
		n -= half
	}
	return x[:width]
}

// total adds up the sums of all parts, in order.
func (c *columns) total(out []float32, sums []float64) {
	all := sums[:len(out)]
	for p := 1; p < c.parts.count; p++ {
		for i, v := range nth(sums, p, len(out)) {
			all[i] += v
		}
	}
	for i, v := range all {
		out[i] = float32(v)
	}
}
