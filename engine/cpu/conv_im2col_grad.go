package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/shape"
)

// gradIm2col cuts an unfolded image into tiles of windows first, and then into blocks of
// channels, so that much of what it is multiplied by is used at a time.
func gradIm2col[T shape.Float](e Engine, g convolution) *im2col[T] {
	const windows = 1024
	m := &im2col[T]{convolution: g, columns: g.meetings(), tiles: g.tiling(tileElems / windows), simd: e.simd}
	fit := max(tileElems/max(g.taps()*m.tiles.rows*g.OW, 1), 1)
	m.blocks = (g.C + fit - 1) / fit
	m.perBlock = (g.C + m.blocks - 1) / m.blocks
	return m
}

// block returns the first channel of block i, and how many there are.
func (m *im2col[T]) block(i int) (first, n int) {
	first = i * m.perBlock
	return first, max(min(m.perBlock, m.C-first), 0)
}

// BindConv2DInputGrad implements [engine.Conv2Der].
func (e Engine) BindConv2DInputGrad(c engine.Conv2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	switch in[0].Layout {
	case byImages:
		return e.interleavedInputGrad(c, in, out)
	case channelsLast:
		return e.nhwcInputGrad(c, in, out)
	}
	b, err := e.inputGradInRows(c, in, out)
	switch {
	case err != nil:
	case e.prefersInterleaved(c, out.Type, in[1].Type, in[0].Type):
		b = e.arranged(b, byImages, engine.Always, 1, in, out)
	default:
		b = e.arranged(b, channelsLast, e.nhwcGain(c, inputGrad, out.Type, in[1].Type, in[0].Type), 1, in, out)
	}
	return b, err
}

func (e Engine) inputGradInRows(c engine.Conv2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	g := convOf(c, out.Type, in[1].Type, in[0].Type)
	switch {
	case !sameDType(out.DType, engine.Types(in)) || g.yPlane() == 0:
	case out.DType == shape.Float32:
		return e.cheapest(g, inputGrad, algorithms{
			winograd: func(exact engine.Bound) engine.Bound { return e.winogradInputGrad(g, exact) },
			direct:   func() engine.Bound { return e.directInputGrad(g) },
			im2col:   func() engine.Bound { return bindInputGrad[float32](e, g) },
		}), nil
	case out.DType == shape.Float64:
		return bindInputGrad[float64](e, g), nil
	}
	return e.Engine.BindConv2DInputGrad(c, in, out)
}

// bindInputGrad multiplies the filters, transposed, by dy, and folds the product.
func bindInputGrad[T shape.Float](e Engine, g convolution) engine.Bound {
	m := gradIm2col[T](e, g)
	m.op = gemm.Op{M: m.perBlock * g.taps(), N: m.tiles.rows * g.OW, K: g.filters, TransA: true, LDA: g.depth(), LDB: g.yPlane()}
	if g.plain() {
		m.op.LDC = g.xPlane()
	}
	cost := m.tiles.count * (gemmCost(m.op) + m.op.M*m.op.N/2)
	work := e.newLoop(g.batch*g.groups*m.blocks, cost, m.inputGrad)
	var l layout
	m.reserve(&l, work.slots, func(channels, windows int) gemm.Op {
		op := m.op
		op.M, op.N = channels*g.taps(), windows
		return op
	})
	return engine.Bound{Kernel: work.kernel(), Scratch: int(l), By: name, Alg: im2colAlg}
}

// inputGrad computes blocks of channels lo to hi, counted through all groups of all images.
func (m *im2col[T]) inputGrad(c *engine.Call, slot, lo, hi int) {
	dy, w, dx := engine.Slice[T](c.In[0]), engine.Slice[T](c.In[1]), engine.Slice[T](c.Out[0])
	op, tiled := m.op, m.tiled()
	for i := lo; i < hi; i++ {
		group := i / m.blocks // of all images
		first, n := m.block(i % m.blocks)
		image := planes(dx, group*m.C+first, m.xPlane())[:n*m.xPlane()]
		if !tiled {
			clear(image)
		}
		op.M = n * m.taps()
		filters := w[group%m.groups*m.filters*m.depth()+first*m.taps():]
		results := planes(dy, group*m.filters, m.yPlane())
		for tile := range m.tiles.count {
			r0, r1 := m.bounds(m.tiles, tile)
			op.N = (r1 - r0) * m.OW
			col := image[min(r0*m.OW, len(image)):]
			if !m.plain() {
				col = m.unfolded.of(c, slot)
			}
			gemm.Mul(m.simd.Gemm, nil, op, filters, results[r0*m.OW:], col, nil, m.scratch.of(c, slot))
			switch {
			case m.plain():
			case tiled:
				m.place(image, col, n, r0, r1)
			default:
				m.fold(image, col, n, r0, r1)
			}
		}
	}
}

// BindConv2DFilterGrad implements [engine.Conv2Der].
func (e Engine) BindConv2DFilterGrad(c engine.Conv2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	switch in[0].Layout {
	case byImages:
		return e.interleavedFilterGrad(c, in, out)
	case channelsLast:
		return e.nhwcFilterGrad(c, in, out)
	}
	b, err := e.filterGradInRows(c, in, out)
	switch {
	case err != nil:
	case e.prefersInterleaved(c, in[0].Type, out.Type, in[1].Type):
		b = e.arrangedToRows(b, byImages, engine.Always, 2, in)
	default:
		b = e.arrangedToRows(b, channelsLast, e.nhwcGain(c, filterGrad, in[0].Type, out.Type, in[1].Type), 2, in)
	}
	return b, err
}

func (e Engine) filterGradInRows(c engine.Conv2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	g := convOf(c, in[0].Type, out.Type, in[1].Type)
	switch {
	case !sameDType(out.DType, engine.Types(in)) || g.yPlane() == 0:
	case out.DType == shape.Float32:
		return e.cheapest(g, filterGrad, algorithms{
			winograd: func(exact engine.Bound) engine.Bound { return e.winogradFilterGrad(g, exact) },
			direct:   func() engine.Bound { return e.directFilterGrad(g) },
			im2col:   func() engine.Bound { return bindFilterGrad[float32](e, g) },
		}), nil
	case out.DType == shape.Float64:
		return bindFilterGrad[float64](e, g), nil
	}
	return e.Engine.BindConv2DFilterGrad(c, in, out)
}

const (
	// filterGradParts is how many parts a filter gradient is computed in at least, so that
	// there is work to share out.
	filterGradParts = 16
	// mostPartials bounds the memory of the sums over parts of the batch, in elements.
	mostPartials = 1 << 22
)

// filterSums adds up, over the images, the products of the unfolded image and dy, which are
// the gradient with the filters as columns. Where the channels are too few to share out, the
// batch is cut into parts, whose sums are added up in order.
type filterSums[T shape.Float] struct {
	*im2col[T]
	parts  int // of the batch
	images int // of a part
	sums   region[T]
}

func bindFilterGrad[T shape.Float](e Engine, g convolution) engine.Bound {
	m := gradIm2col[T](e, g)
	m.op = gemm.Op{M: m.perBlock * g.taps(), N: g.filters, K: m.tiles.rows * g.OW, TransB: true, LDB: g.yPlane(), Add: true}
	if g.plain() {
		m.op.LDA = g.xPlane()
	}
	size := g.groups * g.depth() * g.filters
	f := &filterSums[T]{im2col: m}
	f.parts = max(1, min(filterGradParts/(g.groups*m.blocks), g.batch, mostPartials/max(size, 1)))
	f.images = (g.batch + f.parts - 1) / f.parts
	cost := f.images * m.tiles.count * (gemmCost(m.op) + m.op.M*m.op.K/3)
	products := e.newLoop(f.parts*g.groups*m.blocks, cost, f.multiply)
	totals := e.newLoop(g.groups*g.depth(), f.parts*g.filters, f.total)
	var l layout
	m.reserve(&l, products.slots, func(channels, windows int) gemm.Op {
		op := m.op
		op.M, op.K = channels*g.taps(), windows
		return op
	})
	f.sums = reserve[T](&l, f.parts, size)
	kernel := func(c *engine.Call) error {
		products.run(c)
		totals.run(c)
		return nil
	}
	return engine.Bound{Kernel: kernel, Scratch: int(l), By: name, Alg: im2colAlg}
}

// multiply computes blocks of channels lo to hi, counted through all groups of all parts.
func (f *filterSums[T]) multiply(c *engine.Call, slot, lo, hi int) {
	x, dy, op := engine.Slice[T](c.In[0]), engine.Slice[T](c.In[1]), f.op
	for i := lo; i < hi; i++ {
		part, k := i/f.blocks/f.groups, i/f.blocks%f.groups
		first, n := f.block(i % f.blocks)
		op.M = n * f.taps()
		sums := f.sums.of(c, part)[(k*f.depth()+first*f.taps())*f.filters:][:op.M*f.filters]
		clear(sums)
		for image := part * f.images; image < min((part+1)*f.images, f.batch); image++ {
			group := image*f.groups + k // of all images
			channels, results := planes(x, group*f.C+first, f.xPlane()), planes(dy, group*f.filters, f.yPlane())
			for tile := range f.tiles.count {
				r0, r1 := f.bounds(f.tiles, tile)
				op.K = (r1 - r0) * f.OW
				col := f.matrix(c, slot, channels, n, r0, r1)
				gemm.Mul(f.simd.Gemm, nil, op, col, results[r0*f.OW:], sums, nil, f.scratch.of(c, slot))
			}
		}
	}
}

// total adds up rows lo to hi of the parts' sums, and gives them, transposed.
func (f *filterSums[T]) total(c *engine.Call, _, lo, hi int) {
	sum := f.sums.of(c, 0)[lo*f.filters : hi*f.filters]
	for p := 1; p < f.parts; p++ {
		spread(sum, f.sums.of(c, p)[lo*f.filters:hi*f.filters], 1)
	}
	dw := engine.Slice[T](c.Out[0])
	for i := lo; i < hi; i++ {
		k, row := i/f.depth(), i%f.depth()
		for o, v := range sum[(i-lo)*f.filters:][:f.filters] {
			dw[(k*f.filters+o)*f.depth()+row] = v
		}
	}
}
