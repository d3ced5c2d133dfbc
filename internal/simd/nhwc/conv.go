package nhwc

import (
	"fmt"

	"github.com/plexaura/plexaura/internal/simd/abi"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/window"
)

// Op describes a convolution of N images (N,H,W,Groups*C) to (N,OH,OW,Groups*M): C channels and M
// filters in each group. y = act(conv(x, w) + bias), the bias of Groups*M values, where y begins with
// what it holds if Add is set.
type Op struct {
	window.Window
	N, Groups, M int

	Bias bool
	Add  bool
	Act  isa.Act

	Pitch int // elements from the results of a pixel to the next one's; 0 means Groups*M
}

func (op *Op) channels() int { return op.Groups * op.C }
func (op *Op) filters() int  { return op.Groups * op.M }
func (op *Op) pixels() int   { return op.N * op.Cols() }

// pitch is Pitch or its default.
func (op *Op) pitch() int {
	if op.Pitch > 0 {
		return op.Pitch
	}
	return op.filters()
}

// results is how many elements the results reach over.
func (op *Op) results() int { return reach(op.pixels(), op.pitch(), op.filters()) }

// reach is how many elements n pieces, pitch apart, reach over.
func reach(n, pitch, piece int) int {
	if n == 0 {
		return 0
	}
	return (n-1)*pitch + piece
}

// pointwise reports whether pixels of the image are the windows, in their order.
func (op *Op) pointwise() bool {
	return op.KH*op.KW == 1 && op.SH == 1 && op.SW == 1 && op.Top == 0 && op.Left == 0 && op.H == op.OH && op.W == op.OW
}

// Pieces is how many copies it takes to unfold the windows of a group: for each row of taps those of
// windows side by side that meet the same ones.
func Pieces(op Op) int {
	op.Window = op.WithDefaults()
	if op.pointwise() {
		return 0
	}
	columns := op.Window.Horizontal()
	return op.N * op.OH * op.KH * len(columns.Runs())
}

// Conv is a convolution planned for a level. It is immutable and safe for concurrent use.
//
// It is a product: the windows, unfolded to a row each, by the filters, a column each. Tasks have a
// block of windows, and a chunk of the filters where there are few windows; then all windows are
// unfolded first.
type Conv struct {
	product

	unfolds bool // windows are copied to rows
	ahead   bool // of all windows before the first product, in tasks of their own

	depth  int // rows of a panel that are multiplied at once
	group  int // panels that they are multiplied by, which stay in the second-level cache
	block  int // windows of a task
	blocks int
	chunk  int // panels of a task
	chunks int

	place *placement // of results that do not follow each other

	rows, columns window.Axis
	runs          []window.Run // of windows in a row
}

const (
	// blockElems is about how many elements of unfolded windows stay in the second-level cache beside
	// the filters.
	blockElems = 3 << 15

	// goodTasks is how many tasks even out workers that are not equally fast, leastBlock the fewest
	// windows of a task, for which reading the filters does not take longer than multiplying by them,
	// and maxDepth the depth of products: it does not depend on the images, nor do sums, therefore.
	goodTasks  = 16
	leastBlock = 48
	maxDepth   = 512
)

// NewConv plans op for k.
func NewConv(k *Kernels, op Op) *Conv { return newConv(k, op, op.source(false), nil) }

// source says how the filters of op lie in memory; turned are those of the convolution whose images'
// gradient op is.
func (op Op) source(turned bool) filters {
	return filters{inputs: op.C, columns: op.M, taps: op.KH * op.KW, turned: turned, use: all(op.KH * op.KW)}
}

// newConv plans op, whose filters lie as source says, and whose results go to place, or if it is nil
// follow each other.
func newConv(k *Kernels, op Op, source filters, place *placement) *Conv {
	c := &Conv{product: newProduct(k, op, source), place: place}
	c.rows, c.columns = c.Axes()
	c.runs = c.columns.Runs()
	c.unfolds = k.gemm.F32.Flushes() || !c.pointwise()
	if c.count == 0 {
		return c
	}
	c.split()
	c.depth = isa.Even(op.Rows(), maxDepth)
	c.group = max(c.tiles.Block()/max(c.depth*c.nr, 1), 1)
	return c
}

// split chooses the tasks.
func (c *Conv) split() {
	tall := c.tiles.Tallest(c.vecs)
	most := max(isa.Ceil(c.pixels(), goodTasks), leastBlock)
	if c.unfolds {
		most = max(min(most, blockElems/max(c.Rows(), 1)), leastBlock)
	}
	c.cut(isa.Even(c.pixels(), most), tall)
	c.chunk, c.chunks = c.count, 1
	if c.Groups == 1 && c.blocks < goodTasks && c.place == nil {
		c.chunk = isa.Even(c.count, max(c.count*c.blocks/goodTasks, 1))
		c.chunks = isa.Ceil(c.count, c.chunk)
	}
	if tasks := c.blocks * c.chunks; tasks%2 == 1 && tasks < goodTasks && c.block >= 2*tall { // two workers would end apart
		c.cut(isa.Ceil(c.block, 2), tall)
	}
	c.ahead = c.unfolds && c.chunks > 1
}

// cut makes blocks of so many windows, or of a few more where all tiles but the last then have tall rows, which is faster. Not so where
// the last block would be much smaller: one of two workers would wait.
func (c *Conv) cut(windows, tall int) {
	c.block = min(isa.RoundUp(windows, tall), c.pixels())
	if lacks := isa.RoundUp(c.pixels(), c.block) - c.pixels(); lacks > c.pixels()/8 {
		c.block = windows
	}
	c.blocks = isa.Ceil(c.pixels(), c.block)
}

// Unfolds is the number of tasks of Unfold, which come before Run; 0 where there is nothing to do
// then.
func (c *Conv) Unfolds() int {
	if !c.ahead {
		return 0
	}
	return isa.Ceil(c.pixels(), unfoldTask)
}

// unfoldTask is how many windows a task of Unfold copies.
const unfoldTask = 16

// SharedLen is the number of elements of memory, in any state, that Unfold fills and Run reads, and
// ScratchLen that of the scratch memory of a worker.
func (c *Conv) SharedLen() int {
	if !c.ahead {
		return 0
	}
	return c.pixels() * c.Rows()
}

// ScratchLen is the number of elements of scratch memory that a worker needs.
func (c *Conv) ScratchLen() int {
	return c.unfoldedLen() + c.productLen()
}

// unfoldedLen and productLen are the elements of a task's unfolded windows, and of its results.

func (c *Conv) unfoldedLen() int {
	if !c.unfolds || c.ahead {
		return 0
	}
	return c.block * c.Rows()
}

func (c *Conv) productLen() int {
	if c.place == nil {
		return 0
	}
	return c.block * c.M
}

// Unfold does tasks lo to hi of unfolding x to shared.
func (c *Conv) Unfold(shared, x []float32, lo, hi int) {
	need("images", len(x), c.N*c.H*c.W*c.channels())
	need("unfolded windows", len(shared), c.SharedLen())
	for i := lo; i < hi; i++ {
		first := i * unfoldTask
		c.unfold(shared[first*c.Rows():], x, 0, first, min(first+unfoldTask, c.pixels()))
	}
}

// Tasks is the number of tasks of Run.
func (c *Conv) Tasks() int { return c.blocks * c.chunks }

// Task returns which windows and filters task i has: elements from to to of y where those are all
// filters.
func (c *Conv) Task(i int) (from, to int, all bool) {
	first := i / c.chunks * c.block
	return first * c.filters(), min(first+c.block, c.pixels()) * c.filters(), c.chunks == 1
}

// Shares reports whether several tasks make filters of the same windows.
func (c *Conv) Shares() bool { return c.chunks > 1 }

// Run does tasks lo to hi. The bits of y do not depend on how tasks are shared out. Nothing may
// overlap y.
func (c *Conv) Run(y, x, packed, bias, shared, scratch []float32, lo, hi int) {
	if c.place == nil {
		need("results", len(y), c.results())
	}
	need("images", len(x), c.N*c.H*c.W*c.channels())
	need("packed filters", len(packed), c.PackedLen())
	need("unfolded windows", len(shared), c.SharedLen())
	need("scratch", len(scratch), c.ScratchLen())
	if c.Bias {
		need("bias", len(bias), c.filters())
	}
	for i := lo; i < hi; i++ {
		first := i / c.chunks * c.block
		last := min(first+c.block, c.pixels())
		from := i % c.chunks * c.chunk
		to := min(from+c.chunk, c.count)
		for g := range c.Groups {
			a, lda := c.windows(x, shared, scratch, g, first, last)
			of, add := packed[g*c.count*c.nr*c.Rows():], isa.Behind(bias, g*c.M)
			if c.place == nil {
				c.multiply(y[first*c.pitch()+g*c.M:], c.pitch(), a, lda, of, add, last-first, from, to)
				continue
			}
			product := scratch[c.unfoldedLen():]
			c.multiply(product, c.M, a, lda, of, add, last-first, from, to)
			c.put(y[g*c.M:], product, first, last)
		}
	}
}

// windows returns the windows first to last of a group as rows, and the distance from row to row.
func (c *Conv) windows(x, shared, scratch []float32, group, first, last int) (a []float32, lda int) {
	switch {
	case !c.unfolds:
		return x[first*c.channels()+group*c.C:], c.channels()
	case c.ahead:
		return shared[first*c.Rows():], c.Rows()
	}
	c.unfold(scratch, x, group, first, last)
	return scratch, c.Rows()
}

// unfold copies windows first to last of a group to rows of dst, by rows of windows.
func (c *Conv) unfold(dst, x []float32, group, first, last int) {
	all := dst
	for p := first; p < last; {
		row, ox := p/c.OW, p%c.OW
		n := min(c.OW-ox, last-p)
		image := x[row/c.OH*c.H*c.W*c.channels()+group*c.C:]
		c.unfoldRow(dst, image, row%c.OH, ox, ox+n)
		dst = dst[n*c.Rows():]
		p += n
	}
	if c.tiles.Flushes() {
		isa.FlushAll(all[:(last-first)*c.Rows()])
	}
}

// unfoldRow copies windows from to to of a row.
func (c *Conv) unfoldRow(dst, image []float32, oy, from, to int) {
	for ky := range c.KH {
		line := dst[ky*c.KW*c.C:]
		iy := c.rows.At(oy, ky)
		if uint(iy) >= uint(c.H) {
			zeroRows(line, c.Rows(), c.KW*c.C, to-from)
			continue
		}
		for _, r := range c.runs {
			lo, hi := max(r.Out, from), min(r.Out+r.N, to)
			if lo >= hi {
				continue
			}
			d := line[(lo-from)*c.Rows():]
			zeroRows(d, c.Rows(), r.Tap*c.C, hi-lo)
			if r.Taps > 0 {
				c.copyTaps(d[r.Tap*c.C:], image[(iy*c.W+c.columns.At(lo, r.Tap))*c.channels():], r.Taps, hi-lo)
			}
			behind := (r.Tap + r.Taps) * c.C
			zeroRows(d[behind:], c.Rows(), c.KW*c.C-behind, hi-lo)
		}
	}
}

// copyTaps copies taps of n windows: in one piece where they lie together.
func (c *Conv) copyTaps(dst, src []float32, taps, n int) {
	pieces, size := taps, c.C
	if c.Groups == 1 && c.DW == 1 {
		pieces, size = 1, taps*c.C
	}
	for i := range pieces {
		c.k.copy(n, size/c.k.width, size%c.k.width, &src[i*c.DW*c.channels()], 4*c.SW*c.channels(), &dst[i*size], 4*c.Rows())
	}
}

// zeroRows clears n elements of each of count rows, ld elements apart.
func zeroRows(dst []float32, ld, n, count int) {
	if n == 0 {
		return
	}
	for i := range count {
		clear(dst[i*ld:][:n])
	}
}

// put copies the results of windows first to last of a group to their places.
func (c *Conv) put(y, product []float32, first, last int) {
	for p := first; p < last; {
		row, ox := p/c.OW, p%c.OW
		n := min(c.OW-ox, last-p)
		at := c.place.start + row/c.OH*c.place.image + row%c.OH*c.place.row + ox*c.place.pixel
		c.k.copy(n, c.M/c.k.width, c.M%c.k.width, &product[(p-first)*c.M], 4*c.M, &y[at], 4*c.place.pixel)
		p += n
	}
}

// multiply multiplies n rows of a by panels from to to of packed, to rows of y.
func (c *Conv) multiply(y []float32, ldy int, a []float32, lda int, packed, bias []float32, n, from, to int) {
	for k0 := 0; ; {
		k1 := min(k0+c.depth, c.Rows())
		flags := c.flags(c.Add || k0 > 0, k1 == c.Rows())
		for j := from; j < to; j += c.group {
			c.panels.rows(y, ldy, isa.Behind(a, k0), lda, isa.Behind(packed, k0*c.nr), c.nr*c.Rows(), bias, n, k1-k0, j, min(j+c.group, to), flags)
		}
		if k0 = k1; k0 == c.Rows() {
			return
		}
	}
}

// flags are those of a product that is added to what is there, or is the last one of its sum.
func (op *Op) flags(adds, last bool) (f int) {
	if adds {
		f = abi.FlagAdd
	}
	if last {
		f |= finishing(op.Bias, op.Act)
	}
	return f
}

// finishing are the flags of what is done to a sum.
func finishing(bias bool, act isa.Act) (f int) {
	if bias {
		f |= abi.FlagColBias
	}
	return f | act.Flags()
}

func need(what string, got, want int) {
	if got < want {
		panic(fmt.Sprintf("nhwc: %d elements of %s, needs %d", got, what, want))
	}
}
