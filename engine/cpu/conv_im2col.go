package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd"
	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/shape"
)

// A convolution is a product of matrices: the filters, a row each, times the image unfolded, in
// which column p holds what the filter meets in window p. It is made for a tile at a time: some
// rows of windows of one image, few enough that the unfolded image stays in the cache.

// meeting is the range of windows of a row whose tap meets the image, and where that of the first
// does.
type meeting struct{ lo, hi, at int }

// meetings are those of the taps of a row.
func (g *convolution) meetings() (all []meeting) {
	columns := g.Horizontal()
	for b := range g.KW {
		lo, hi := columns.Windows(b)
		all = append(all, meeting{lo, hi, columns.At(lo, b)})
	}
	return all
}

// unfold writes the rows of the unfolded image that belong to some channels, of which x is the
// first: one row for each channel and tap, with the windows of rows r0 to r1.
func (m *im2col[T]) unfold(dst, x []T, channels, r0, r1 int) {
	rows, width := m.Vertical(), m.OW
	for c := range channels {
		plane := x[c*m.xPlane():][:m.xPlane()]
		for a := range m.KH {
			for _, w := range m.columns {
				h := rows.At(r0, a)
				for range r1 - r0 {
					row := dst[:width]
					dst = dst[width:]
					if uint(h) >= uint(rows.In) || w.lo == w.hi {
						clear(row)
					} else {
						zero(row[:w.lo])
						take(row[w.lo:w.hi], plane[h*m.W+w.at:], m.SW)
						zero(row[w.hi:])
					}
					h += rows.Stride
				}
			}
		}
	}
}

// zero is clear, without a call where there is nothing to do.
func zero[T shape.Float](v []T) {
	for i := range v {
		v[i] = 0
	}
}

// take copies every stride-th element of src.
func take[T shape.Float](dst, src []T, stride int) {
	if stride == 1 {
		copy(dst, src)
		return
	}
	for i := range dst {
		dst[i] = src[i*stride]
	}
}

// fold adds an unfolded image to the channels that dx begins with: the adjoint of unfold.
func (m *im2col[T]) fold(dx, src []T, channels, r0, r1 int) {
	rows, width := m.Vertical(), m.OW
	for c := range channels {
		plane := dx[c*m.xPlane():][:m.xPlane()]
		for a := range m.KH {
			for _, w := range m.columns {
				h := rows.At(r0, a)
				for range r1 - r0 {
					row := src[:width]
					src = src[width:]
					if uint(h) < uint(rows.In) && w.lo < w.hi {
						spread(plane[h*m.W+w.at:], row[w.lo:w.hi], m.SW)
					}
					h += rows.Stride
				}
			}
		}
	}
}

// spread adds src to every stride-th element of dst.
func spread[T shape.Float](dst, src []T, stride int) {
	if stride == 1 {
		dst = dst[:len(src)]
		for i, v := range src {
			dst[i] += v
		}
		return
	}
	for i, v := range src {
		dst[i*stride] += v
	}
}

// tiled reports whether the windows lie side by side and fill the image.
func (g *convolution) tiled() bool {
	return g.KH == g.SH && g.KW == g.SW && g.DH == 1 && g.DW == 1 && g.Top == 0 && g.Left == 0 && g.H == g.OH*g.KH && g.W == g.OW*g.KW
}

// apart is unfold, and place fold, for windows that lie side by side and fill the image; what that held
// does not matter to place.

func (m *im2col[T]) apart(dst, x []T, channels, r0, r1 int) {
	m.eachLine(dst, x, channels, r0, r1, func(taps, line []T, windows int) {
		if m.KW != 2 {
			gemm.Transpose(m.simd.Gemm, taps, windows, line, m.KW, m.OW, m.KW)
			return
		}
		even, odd := taps[:m.OW], taps[windows:][:m.OW]
		for i := range even {
			pair := line[2*i:][:2]
			even[i], odd[i] = pair[0], pair[1]
		}
	})
}

func (m *im2col[T]) place(dx, src []T, channels, r0, r1 int) {
	m.eachLine(src, dx, channels, r0, r1, func(taps, line []T, windows int) {
		if m.KW != 2 {
			gemm.Transpose(m.simd.Gemm, line, m.KW, taps, windows, m.KW, m.OW)
			return
		}
		even, odd := taps[:m.OW], taps[windows:][:m.OW]
		for i := range even {
			pair := line[2*i:][:2]
			pair[0], pair[1] = even[i], odd[i]
		}
	})
}

// eachLine calls f for each line of the image x and the taps of col that meet it, of which each has a
// row of so many windows.
func (m *im2col[T]) eachLine(col, x []T, channels, r0, r1 int, f func(taps, line []T, windows int)) {
	windows := (r1 - r0) * m.OW
	for c := range channels {
		plane := x[c*m.xPlane():][:m.xPlane()]
		for a := range m.KH {
			for r := range r1 - r0 {
				f(col[r*m.OW:], plane[((r0+r)*m.KH+a)*m.W:][:m.W], windows)
			}
			col = col[m.KW*windows:]
		}
	}
}

const (
	// tileElems is about how much of an unfolded image stays in the second-level cache.
	tileElems = 1 << 16
	// tileWindows is the least number of windows that a product is worth making for.
	tileWindows = 192
)

// tiling is how the rows of windows of an image are cut into tiles.
type tiling struct{ count, rows int }

// tiling is that for which depth rows of the unfolded image fit.
func (g *convolution) tiling(depth int) tiling {
	windows := max(tileElems/max(depth, 1), tileWindows)
	rows := min(max(windows/g.OW, 1), g.OH)
	count := (g.OH + rows - 1) / rows
	return tiling{count, (g.OH + count - 1) / count}
}

// bounds returns the rows of windows of tile i.
func (g *convolution) bounds(t tiling, i int) (r0, r1 int) {
	return min(i*t.rows, g.OH), min((i+1)*t.rows, g.OH)
}

// widths are the numbers of windows that tiles have: the first ones, and the last.
func (g *convolution) widths(t tiling) [2]int {
	r0, r1 := g.bounds(t, t.count-1)
	return [2]int{t.rows * g.OW, (r1 - r0) * g.OW}
}

// im2col is a convolution, or an adjoint, by products with the unfolded image.
type im2col[T shape.Float] struct {
	convolution
	columns  []meeting // of the taps of a row
	tiles    tiling
	perBlock int     // channels of a block: gradients unfold as many at a time
	blocks   int     // of a group's channels
	op       gemm.Op // the product for a whole tile and block
	simd     *simd.Kernels
	epilogue engine.Epilogue

	unfolded, scratch region[T] // of each slot
}

// reserve lays out the memory: of the products for any tile and any block of channels, for which
// need is asked.
func (m *im2col[T]) reserve(l *layout, slots int, need func(channels, windows int) gemm.Op) {
	if !m.plain() {
		m.unfolded = reserve[T](l, slots, m.perBlock*m.taps()*m.tiles.rows*m.OW)
	}
	most := 0
	for _, channels := range []int{m.perBlock, m.C - (m.blocks-1)*m.perBlock} {
		for _, windows := range m.widths(m.tiles) {
			most = max(most, gemm.Scratch[T](m.simd.Gemm, need(channels, windows)))
		}
	}
	m.scratch = reserve[T](l, slots, most)
}

// matrix returns the unfolded image of a tile: of some channels, of which x is the first.
func (m *im2col[T]) matrix(c *engine.Call, slot int, x []T, channels, r0, r1 int) []T {
	if m.plain() {
		return x[r0*m.OW:]
	}
	col := m.unfolded.of(c, slot)
	if m.tiled() {
		m.apart(col, x, channels, r0, r1)
	} else {
		m.unfold(col, x, channels, r0, r1)
	}
	return col
}

func bindConv2D[T shape.Float](e Engine, ep engine.Epilogue, g convolution) engine.Bound {
	m := &im2col[T]{convolution: g, columns: g.meetings(), tiles: g.tiling(g.depth()), perBlock: g.C, blocks: 1, simd: e.simd, epilogue: ep}
	m.op = gemm.Op{M: g.filters, N: m.tiles.rows * g.OW, K: g.depth(), LDC: g.yPlane()}
	if g.plain() {
		m.op.LDB = g.xPlane()
	}
	if ep.Bias {
		m.op.Bias = isa.RowBias
	}
	m.op.Act = activation(ep)
	work := e.newLoop(g.batch*g.groups*m.tiles.count, gemmCost(m.op)+g.depth()*m.op.N/3, m.forward)
	var l layout
	m.reserve(&l, work.slots, func(_, windows int) gemm.Op {
		op := m.op
		op.N = windows
		return op
	})
	return engine.Bound{Kernel: work.kernel(), Scratch: int(l), By: name, Alg: im2colAlg}
}

// forward computes tiles lo to hi, counted through all groups of all images.
func (m *im2col[T]) forward(c *engine.Call, slot, lo, hi int) {
	x, w, y := engine.Slice[T](c.In[0]), engine.Slice[T](c.In[1]), engine.Slice[T](c.Out[0])
	op, b := m.op, bias[T](c, m.epilogue)
	for i := lo; i < hi; i++ {
		group := i / m.tiles.count // of all images
		k := group % m.groups
		r0, r1 := m.bounds(m.tiles, i%m.tiles.count)
		op.N = (r1 - r0) * m.OW
		col := m.matrix(c, slot, planes(x, group*m.C, m.xPlane()), m.C, r0, r1)
		filters, results := w[k*m.filters*m.depth():], planes(y, group*m.filters, m.yPlane())[r0*m.OW:]
		gemm.Mul(m.simd.Gemm, nil, op, filters, col, results, b[min(k*m.filters, len(b)):], m.scratch.of(c, slot))
	}
}
