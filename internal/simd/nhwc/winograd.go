package nhwc

import (
	"runtime"
	"slices"

	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd/abi"
	"github.com/plexaura/plexaura/internal/simd/isa"
)

// Winograd is a convolution of 3×3 or 5×5 with stride 1 by Winograd's algorithm F(4×4, 3×3) or F(2×2, 5×5):
// tiles of 6×6 pixels and the filters are transformed to 36 values, of which products over the channels
// are transformed to 4×4 or 2×2 results. It multiplies 4 or 2.8 times less often than [Conv], and its
// errors are some ten times as large. It is immutable and safe for concurrent use.
//
// See Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2015.
type Winograd struct {
	Op
	k    *Kernels
	form winogradForm
	panels
	source       filters
	strips       par.Free[strip]
	down, across int // tiles of an image
	depth        int // channels up to whole vectors

	block  int // tiles of a task
	blocks int
	part   int // panels of a task
	parts  int
	chunk  int // panels that are multiplied by at once

	in, out []covered // of each tile of an image
	masks   []uint32
}

// covered says where the masks of a tile's pixels are, for whole vectors and for the last one.
type covered struct{ whole, last, flags int }

const (
	side   = 6  // pixels that a tile sees each way
	values = 36 // that a tile is transformed to

	// maxChannels is the most channels that a product takes at once.
	maxChannels = 2048
)

// thirds are the values of each six that the kernels of thirds make.
var thirds = [3][2]int{{0, 5}, {1, 2}, {3, 4}}

// NewWinograd plans op for k, or reports false where the algorithm does not apply.
func NewWinograd(k *Kernels, op Op) (*Winograd, bool) {
	op.Window = op.WithDefaults()
	if !op.suitsWinograd() {
		return nil, false
	}
	return planWinograd(k, op, false), true
}

// planWinograd plans op, whose filters are those of the convolution whose images' gradient it is if
// turned is set.
func planWinograd(k *Kernels, op Op, turned bool) *Winograd {
	form := k.winogradForm(op.KH)
	w := &Winograd{Op: op, k: k, form: form, down: isa.Ceil(op.OH, form.tile), across: isa.Ceil(op.OW, form.tile), depth: isa.RoundUp(op.C, k.width)}
	w.source, w.panels = op.source(turned), panelsOf(k, w.tiles(), op.M)
	w.plan()
	return w
}

// narrow returns w with panels of at most so many vectors.
func (w *Winograd) narrow(vecs int) *Winograd {
	if w.vecs <= vecs {
		return w
	}
	n := &Winograd{Op: w.Op, k: w.k, form: w.form, down: w.down, across: w.across, depth: w.depth, source: w.source, panels: w.panels.of(vecs)}
	n.plan()
	return n
}

// plan plans tasks and masks.
func (w *Winograd) plan() {
	w.strips = w.source.strips(w.k, w.nr)
	w.split()
	w.cover()
}

// winogradForm returns the form for filters of so many elements each way.
func (k *Kernels) winogradForm(size int) winogradForm {
	return k.forms[slices.IndexFunc(k.forms, func(f winogradForm) bool { return f.size == size })]
}

func (op *Op) suitsWinograd() bool {
	return (op.KH == 3 || op.KH == 5) && op.KW == op.KH && op.SH == 1 && op.SW == 1 && op.DH == 1 && op.DW == 1 && op.Groups == 1 &&
		op.C > 0 && op.C <= maxChannels && op.M > 0 && op.pixels() > 0
}

// WinogradWork is how often the algorithm multiplies, and the elements that it transforms. It reports
// false where it does not apply.
func WinogradWork(op Op) (multiplications, transformed int, ok bool) {
	op.Window = op.WithDefaults()
	if !op.suitsWinograd() {
		return 0, 0, false
	}
	tile := side - op.KH + 1
	n := op.N * isa.Ceil(op.OH, tile) * isa.Ceil(op.OW, tile) * values
	return n * op.C * op.M, n * (op.C + op.M), true
}

func (w *Winograd) tiles() int { return w.N * w.down * w.across }

// split chooses tasks whose transformed tiles and products stay in the second-level cache.
func (w *Winograd) split() {
	tall := w.panels.tiles.Tallest(w.vecs)
	w.chunk = max(min(w.count, maxColumns/w.nr), 1)
	room := isa.CacheSizes().L2 / 4 * 3 / 4 / values
	most := max(room/(w.depth+w.chunk*w.nr), tall)
	w.block = isa.Even(w.tiles(), most)
	if w.block > tall {
		w.block = min(isa.RoundUp(w.block, tall), max(most/tall*tall, tall))
	}
	w.blocks = isa.Ceil(w.tiles(), w.block)
	w.part = isa.Even(w.count, max(w.count*w.blocks/(4*runtime.NumCPU()), 1))
	if w.blocks >= 4*runtime.NumCPU() {
		w.part = w.count
	}
	w.parts = isa.Ceil(w.count, w.part)
	w.chunk = min(w.chunk, w.part)
}

// maxColumns is about the most columns of products that are transformed at once.
const maxColumns = 128

// cover makes the masks.
func (w *Winograd) cover() {
	made := map[[3]int]covered{}
	rows, columns := w.Axes()
	tile := w.form.tile
	for r := range w.down {
		for c := range w.across {
			in := [3]int{side, within(r*tile-rows.Before, rows.In, side), within(c*tile-columns.Before, columns.In, side)}
			out := [3]int{tile, within(r*tile, w.OH, tile), within(c*tile, w.OW, tile)}
			w.in = append(w.in, w.mask(made, in, w.C))
			w.out = append(w.out, w.mask(made, out, w.M))
		}
	}
}

// within has a bit for each of n places from at on that lie in [0, size).
func within(at, size, n int) (bits int) {
	for i := range n {
		if at+i >= 0 && at+i < size {
			bits |= 1 << i
		}
	}
	return bits
}

// mask returns the masks of a tile, of as many pixels each way as key says, of which the rows and
// columns that have a bit are there: those of whole vectors, then those of the last one, each with
// one more for a pixel that is there.
func (w *Winograd) mask(made map[[3]int]covered, key [3]int, channels int) covered {
	if m, ok := made[key]; ok {
		return m
	}
	n, last := key[0], channels-(isa.Ceil(channels, w.k.width)-1)*w.k.width
	var m covered
	if key[1] == 1<<n-1 && key[2] == 1<<n-1 {
		m.flags = abi.FlagWhole
	}
	for i, lanes := range []int{w.k.width, last} {
		*[]*int{&m.whole, &m.last}[i] = len(w.masks)
		for at := range n * n {
			w.lanes(lanes * (key[1] >> (at / n) & 1) * (key[2] >> (at % n) & 1))
		}
		w.lanes(lanes)
	}
	made[key] = m
	return m
}

// lanes adds the mask of the first n lanes.
func (w *Winograd) lanes(n int) {
	if w.k.maskWords == 1 {
		w.masks = append(w.masks, uint32(1<<n-1))
		return
	}
	for i := range w.k.maskWords {
		word := uint32(0)
		if i < n {
			word = ^word
		}
		w.masks = append(w.masks, word)
	}
}

// PackedLen is the number of elements of packed filters, and Packs the number of tasks of Pack.
func (w *Winograd) PackedLen() int { return w.count * w.panelLen() }

// Packs is the number of tasks of Pack.
func (w *Winograd) Packs() int { return w.count }

// Form returns the name of the form that Pack makes.
func (w *Winograd) Form() Form { return Form{1, w.M, w.C, values, w.nr, w.source.turned, false} }

// Pack does tasks lo to hi of packing the filters v (M,C,KH,KW): for each panel its 36 transformed
// values one after the other, of which a channel's stand together.
func (w *Winograd) Pack(packed, v []float32, lo, hi int) {
	need("packed filters", len(packed), w.PackedLen())
	need("filters", len(v), w.M*w.Rows())
	for i := lo; i < hi; i++ {
		w.pack(packed[i*w.panelLen():], v, i)
	}
}

func (w *Winograd) pack(to, v []float32, panel int) {
	first, s := panel*w.nr, w.strips.Take()
	w.source.packWinograd(w.k, &w.form, s, to[:w.panelLen()], w.filtersStride(), v, first, min(w.nr, w.M-first), w.nr)
	w.strips.Give(s)
}

// Tasks is the number of tasks of Run.
func (w *Winograd) Tasks() int { return w.blocks * w.parts }

// Strides between the 36 values differ from powers of two, which would share few sets of the cache.

func (w *Winograd) filtersStride() int  { return w.C*w.nr + isa.Alignment }
func (w *Winograd) panelLen() int       { return values * w.filtersStride() }
func (w *Winograd) tilesStride() int    { return w.block*w.depth + isa.Alignment }
func (w *Winograd) columns() int        { return w.chunk * w.nr }
func (w *Winograd) productsStride() int { return w.block*w.columns() + isa.Alignment }

// ScratchLen is the number of elements of scratch memory, aligned to a cache line, that a worker needs.
func (w *Winograd) ScratchLen() int {
	return values*(w.tilesStride()+w.productsStride()) + w.k.cellsLen()
}

// Run does tasks lo to hi, and reports false where it met numbers that are not finite: then the
// results are no good. Otherwise the bits of y do not depend on how tasks are shared out. Nothing
// may overlap y.
func (w *Winograd) Run(y, x, packed, bias, scratch []float32, lo, hi int) (finite bool) {
	need("results", len(y), w.results())
	need("images", len(x), w.N*w.H*w.W*w.C)
	need("packed filters", len(packed), w.PackedLen())
	need("scratch", len(scratch), w.ScratchLen())
	if w.Bias {
		need("bias", len(bias), w.M)
	}
	v, scratch := scratch[:values*w.tilesStride()], scratch[values*w.tilesStride():]
	p, cells := scratch[:values*w.productsStride()], scratch[values*w.productsStride():]
	w.k.clearSums(cells)
	products := strided{p, w.columns(), w.productsStride()}
	for i := lo; i < hi; i++ {
		first := i / w.parts * w.block
		n := min(w.block, w.tiles()-first)
		w.transform(v, w.tilesStride(), x, cells, first, n)
		to := min((i%w.parts+1)*w.part, w.count)
		for j := i % w.parts * w.part; j < to; j += w.chunk {
			end := min(j+w.chunk, to)
			w.multiply(products, v, w.tilesStride(), packed[j*w.panelLen():], n, j, end)
			w.finish(y, products, bias, cells, first, n, j*w.nr, min(end*w.nr, w.M))
		}
	}
	return w.k.finite(cells)
}

// strided are the 36 products of tiles and filters, stride elements apart, of columns filters each.
type strided struct {
	v               []float32
	columns, stride int
}

// transform transforms n tiles from first on to values that are stride elements apart.
func (w *Winograd) transform(v []float32, stride int, x, cells []float32, first, n int) {
	for i := range n {
		at, origin := w.seen(first + i)
		w.k.transformTile(w.k.tileIn, v[i*w.depth:], stride, x, origin, w.C, w.W, w.masks, w.in[at], cells)
	}
}

// seen returns which tile of its image a tile is, and where in the images the pixels begin that it sees,
// which may be before them; made where in the results those that it makes begin.
func (w *Winograd) seen(i int) (at, origin int) {
	image, at := i/(w.down*w.across), i%(w.down*w.across)
	return at, ((image*w.H+at/w.across*w.form.tile-w.Top)*w.W + at%w.across*w.form.tile - w.Left) * w.C
}

func (w *Winograd) made(i int) (at, origin int) {
	image, at := i/(w.down*w.across), i%(w.down*w.across)
	return at, ((image*w.OH+at/w.across*w.form.tile)*w.OW + at%w.across*w.form.tile) * w.pitch()
}

// transformTile transforms all channels of a tile of images, whose rows have width pixels, to vectors es
// elements apart.
func (k *Kernels) transformTile(kernel tileInFunc, to []float32, es int, x []float32, origin, channels, width int, masks []uint32, m covered, cells []float32) {
	whole := channels / k.width
	if whole > 0 {
		kernel(whole, &x[0], 4*origin, 4*width*channels, 4*channels, &masks[m.whole], &to[0], 4*es, &cells[0], m.flags)
	}
	if at := whole * k.width; at < channels {
		kernel(1, &x[0], 4*(origin+at), 4*width*channels, 4*channels, &masks[m.last], &to[at], 4*es, &cells[0], 0)
	}
}

// cellsLen is the number of elements of the memory of transforms: the cells, and behind them sums that
// are finite if all numbers were.
func (k *Kernels) cellsLen() int { return (values + 1) * k.width }

func (k *Kernels) clearSums(cells []float32) { clear(cells[values*k.width:][:k.width]) }

func (k *Kernels) finite(cells []float32) bool {
	total := float32(0)
	for _, s := range cells[values*k.width:][:k.width] {
		total += s
	}
	return total-total == 0
}

// multiply multiplies each value of n tiles, stride elements apart, by those of panels from to to, of which
// packed has the first.
func (w *Winograd) multiply(p strided, v []float32, stride int, packed []float32, n, from, to int) {
	for e := range values {
		w.multiplyValue(p, e, v, stride, packed[e*w.filtersStride():], n, from, to)
	}
}

// multiplyValue multiplies value e, which packed has of the first panel.
func (w *Winograd) multiplyValue(p strided, e int, v []float32, stride int, packed []float32, n, from, to int) {
	part := w.panels
	part.m = isa.RoundUp(w.M, w.k.width) - from*w.nr // whole vectors, whose last elements are 0
	part.rows(p.v[e*p.stride:], p.columns, v[e*stride:], w.depth, packed, w.panelLen(), nil, n, w.C, 0, to-from, 0)
}

// finish transforms the products of n tiles from first on to filters m0 to m1.
func (w *Winograd) finish(y []float32, p strided, bias, cells []float32, first, n, m0, m1 int) {
	pixel, row, flags := w.pitch(), w.OW*w.pitch(), w.flags(w.Add, true)
	whole := (m1 - m0) / w.k.width
	for i := range n {
		at, to := w.made(first + i)
		m, src := w.out[at], p.v[i*p.columns:]
		to += m0
		if whole > 0 {
			w.form.out(whole, &src[0], 4*p.stride, &y[to], 4*row, 4*pixel, &w.masks[m.whole], isa.Elem(bias, m0), &cells[0], flags|m.flags)
		}
		if at := whole * w.k.width; m0+at < m1 {
			w.form.out(1, &src[at], 4*p.stride, &y[to+at], 4*row, 4*pixel, &w.masks[m.last], isa.Elem(bias, m0+at), &cells[0], flags)
		}
	}
}
