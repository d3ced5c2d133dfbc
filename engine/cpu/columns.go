package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/totals"
	"github.com/plexaura/plexaura/internal/simd/vec"
)

const (
	// columnStrip is how many columns are added up at a time, and blockElems about how many
	// elements are folded by eighths at a time: what comes of the first eighths stays in the cache.
	columnStrip = 2048
	blockElems  = 64 << 10
	// blocks is how many such sums are folded in turn before they go into one of float64, and
	// fewBlocks how many there are at least in a task.
	blocks, fewBlocks = 16, 4
	// columnParts is about how many tasks rows are shared out to.
	columnParts = 32
)

// sumColumns adds rows of float32 to each other. Many rows at a time are folded by eighths and
// halves, in float32, and what comes of them is added up in float64, so that the error hardly grows
// with the number of rows; the order depends only on the shape.
func (e Engine) sumColumns(s sum) engine.Bound {
	c := newColumns(s)
	var l layout
	partial := reserve[float32](&l, 1, s.kept.size()*c.parts.count*s.width)
	var tree region[float32]
	var long region[float64]
	tasks := s.kept.size() * c.parts.count * c.strips.count
	work := e.newLoop(tasks, 50+c.parts.each*min(s.width, columnStrip)/8, func(call *engine.Call, slot, lo, hi int) {
		x, sums, tmp, acc := engine.Slice[float32](call.In[0]), partial.of(call, 0), tree.of(call, slot), long.of(call, slot)
		for task := lo; task < hi; task++ {
			part, strip := task/c.strips.count, task%c.strips.count
			from, to := c.strips.bounds(strip)
			base := s.kept.offset(part/c.parts.count) + from
			c.add(e.simd, nth(sums, part, s.width)[from:to], x[base:], tmp, acc, part%c.parts.count)
		}
	})
	width := min(s.width, columnStrip)
	tree = reserve[float32](&l, work.slots, c.treeRows()*width)
	long = reserve[float64](&l, work.slots, width)
	kernel := func(call *engine.Call) error {
		work.run(call)
		sums, out := partial.of(call, 0), engine.Slice[float32](call.Out[0])
		for o := range s.kept.size() {
			c.total(nth(out, o, s.width), nth(sums, o, c.parts.count*s.width))
		}
		return nil
	}
	return engine.Bound{Kernel: kernel, Scratch: int(l), By: name, Serial: work.serial()}
}

// inPlanes reports whether rows that are added to each other are evenly spaced, and few enough for their sum to lose
// little.
func (s *sum) inPlanes() bool {
	return s.reduced.rank == 1 && s.reduced.extent[0] <= totals.MostRows
}

// sumPlanes adds up the rows of each plane with each other, many planes in a call.
func sumPlanes[T isa.Float](e Engine, s sum) engine.Bound {
	work := planesOf(e, s, func(c *engine.Call) []T { return engine.Slice[T](c.Out[0]) })
	return engine.Bound{Kernel: work.kernel(), By: name, Serial: work.serial()}
}

// planesOf returns the loop that writes these sums where of says.
func planesOf[T isa.Float](e Engine, s sum, of func(c *engine.Call) []T) *loop {
	p := totals.Planes{Rows: s.reduced.extent[0], Row: s.reduced.stride[0], N: s.width}
	outer := s.kept
	planes, pitch := outer.pop()
	p.Plane = pitch
	sets, strips := partsOf(planes, blockElems/4/(p.Rows*p.N)), partsOf(p.N, max(blockElems/4/p.Rows, columnStrip))
	each := sets.each * p.Rows * (2 + min(p.N, strips.each)/16)
	return e.newLoop(outer.size()*sets.count*strips.count, each, func(c *engine.Call, _, lo, hi int) {
		x, y := engine.Slice[T](c.In[0]), of(c)
		for i := lo; i < hi; i++ {
			part := p
			from, to := strips.bounds(i % strips.count)
			first, end := sets.bounds(i / strips.count % sets.count)
			set := i / strips.count / sets.count
			part.Count, part.N = end-first, to-from
			totals.Columns(e.simd.Totals, y[(set*planes+first)*p.N+from:], x[outer.offset(set)+first*pitch+from:], part)
		}
	})
}

// columns is how sums of rows with each other are cut up.
type columns struct {
	rows          grid
	adjoining     bool // rows follow each other in memory
	block         int  // rows that are folded at a time
	parts, strips parts
}

func newColumns(s sum) columns {
	n, width := s.reduced.size(), min(s.width, columnStrip)
	c := columns{rows: s.reduced, strips: partsOf(s.width, columnStrip)}
	c.adjoining = s.width == width && (s.reduced.rank == 0 || s.reduced.rank == 1 && s.reduced.stride[0] == width)
	c.block = 8
	for 2*c.block*width <= blockElems {
		c.block *= 2
	}
	c.block = max(min(c.block, n), 1)
	each := max(fewBlocks*c.block, (n+columnParts-1)/columnParts)
	c.parts = partsOf(n, (each+c.block-1)/c.block*c.block) // whole blocks
	return c
}

// add sets sums to those of the columns of a part of the rows, of which x has the first element.
func (c *columns) add(k *simd.Kernels, sums, x, tmp []float32, acc []float64, part int) {
	lo, hi := c.parts.bounds(part)
	r, some := c.some(k, x, tmp, lo, hi, len(sums))
	if r == hi {
		copy(sums, some)
		return
	}
	acc = acc[:len(sums)]
	clear(acc)
	for {
		for i, v := range some {
			acc[i] += float64(v)
		}
		if r == hi {
			break
		}
		r, some = c.some(k, x, tmp, r, hi, len(sums))
	}
	for i, v := range acc {
		sums[i] = float32(v)
	}
}

// some returns the sum of some blocks from row r on, and the row after them.
func (c *columns) some(k *simd.Kernels, x, tmp []float32, r, hi, width int) (int, []float32) {
	folded, tmp := tmp[:blocks*width], tmp[blocks*width:]
	n := 0
	for ; n < blocks && r < hi; n++ {
		rows := min(c.block, hi-r)
		copy(nth(folded, n, width), c.fold(k, x, tmp, r, rows, width))
		r += rows
	}
	return r, foldRows(k, folded[:n*width], width)
}

// treeRows is how many rows of memory add takes.
func (c *columns) treeRows() int { return blocks + c.block/8 + 7 + 4 }

// fold returns the sum of n rows from the r-th on, each of that width.
func (c *columns) fold(k *simd.Kernels, x, tmp []float32, r, n, width int) []float32 {
	m := n / 8
	if c.adjoining && m > 0 {
		k.Vec.SumRows(tmp[:m*width], x[c.rows.offset(r):], m*width)
	} else {
		for i := range m {
			c.eight(k, nth(tmp, i, width), x, tmp[len(tmp)-4*width:], r+8*i)
		}
	}
	rest := n % 8
	for i := range rest {
		copy(nth(tmp, m+i, width), x[c.rows.offset(r+8*m+i):])
	}
	return foldRows(k, tmp[:(m+rest)*width], width)
}

// eight sets dst to the sum of eight rows from the r-th on; spare is memory for four.
func (c *columns) eight(k *simd.Kernels, dst, x, spare []float32, r int) {
	if last := c.rows.rank - 1; r%c.rows.extent[last]+8 <= c.rows.extent[last] {
		k.Vec.SumRows(dst, x[c.rows.offset(r):], c.rows.stride[last])
		return
	}
	width := len(dst)
	for i := range 4 {
		k.Vec.Map(vec.Add, nth(spare, i, width), x[c.rows.offset(r+2*i):], x[c.rows.offset(r+2*i+1):], 0)
	}
	copy(dst, foldRows(k, spare[:4*width], width))
}

// foldRows returns the sum of the rows of x, each of that width, which it writes over.
func foldRows(k *simd.Kernels, x []float32, width int) []float32 {
	n := len(x) / width
	for n >= 8 {
		m := n / 8
		k.Vec.SumRows(x[:m*width], x, m*width)
		n = m + copy(x[m*width:], x[8*m*width:n*width])/width
	}
	for n > 1 {
		half := n / 2
		k.Vec.Map(vec.Add, x[:half*width], x, x[(n-half)*width:n*width], 0)
		n -= half
	}
	return x[:width]
}

// total adds up the sums of all parts, in order.
func (c *columns) total(out, sums []float32) {
	for i := range out {
		t := 0.0
		for p := range c.parts.count {
			t += float64(sums[p*len(out)+i])
		}
		out[i] = float32(t)
	}
}
