package interleaved

import (
	"fmt"

	"github.com/plexaura/plexaura/internal/simd/abi"
	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/vec"
	"github.com/plexaura/plexaura/internal/simd/window"
)

// Winograd is a convolution of interleaved batches of float32, or its adjoint, by Winograd's
// algorithm along the rows of images, F(4,5): filters have 5 columns and stride 1. Tiles of 8
// pixels and rows of 5 taps are transformed to 8 values, of which sums of products over channels
// and rows of taps are transformed to 4 results: 8 multiplications instead of 20. It is immutable
// and safe for concurrent use.
//
// It is less exact than Conv: errors are up to 4e-6 of the largest result. Numbers that are not
// finite spread over the results of a tile, which is why Run and Pack report them.
//
// See Winograd, Arithmetic Complexity of Computations, 1980, and Lavin and Gray, Fast Algorithms
// for Convolutional Neural Networks, 2015. The points are 0, ±1, ±2, ±1/2 and infinity.
type Winograd struct {
	op   Op
	k    *Kernels
	conv *Conv // sums of products of one of the values: its images are rows of tiles, its filters one column

	image  imageTransform
	result extents
	flags  int
	strips []winogradStrip
}

// winogradStrip is a task's part of an image: bands of rows of results, and the rows of the image
// that they meet.
type winogradStrip struct {
	first, rows int
	bands       []winogradBand
}

// winogradBand is some rows of results that meet the same rows of taps.
type winogradBand struct {
	first, rows int
	products    rectangle
}

const (
	// transformCost is about how many multiplications of an image the transform of a tile is worth.
	transformCost = 64

	// productElems is the elements of products that are made before they are transformed to
	// results.
	productElems = 64 << 10 / 4
)

// NewWinograd plans the convolution. It reports false where the algorithm does not apply;
// [WinogradWork] says whether Conv is as fast.
func NewWinograd(k *Kernels, op Op) (*Winograd, bool) {
	return planWinograd(k, op, op.OH, leastTasks)
}

// NewWinogradRows plans rows lo to hi of the results, as [NewConvRows] does, for filters packed by
// the plan of all.
func NewWinogradRows(k *Kernels, op Op, lo, hi int) (*Winograd, bool) {
	return planWinograd(k, op.part(lo, hi), op.OH, 1)
}

// planOf plans a convolution in at least so many tasks; its filters are packed for results of that
// height.
func planWinograd(k *Kernels, op Op, height, tasks int) (*Winograd, bool) {
	op.Window = op.Window.WithDefaults()
	if !op.suitsWinograd(op.C, op.M, op.OW) {
		return nil, false
	}
	rows, _ := op.Axes()
	p := newWinograd(k, op, newImageTransform(k, extents{op.C, op.H, op.W}, op.Left, op.OW), extents{op.M, op.OH, op.OW})
	if op.Bias != isa.NoBias {
		p.flags |= abi.FlagRowBias
	}
	p.flags |= op.Act.Flags()
	p.plan(rows.Runs(), height, tasks)
	return p, true
}

// NewWinogradInputGrad plans the gradient of the images, as [NewInputGrad] does.
func NewWinogradInputGrad(k *Kernels, op Op) (*Winograd, bool) {
	op.Window = op.Window.WithDefaults()
	op.Bias, op.Act = isa.NoBias, isa.NoAct
	if op.Left >= op.KW || !op.suitsWinograd(op.M, op.C, op.W) {
		return nil, false
	}
	rows, _ := op.Axes()
	p := newWinograd(k, op, newImageTransform(k, extents{op.M, op.OH, op.OW}, op.KW-1-op.Left, op.W), extents{op.C, op.H, op.W})
	p.conv.adjoint = true
	p.plan(rows.Adjoint(), op.H, leastTasks)
	return p, true
}

// WinogradWork is how often a row of op's results takes a multiplication of [Winograd], or the time
// of one for the transforms. For the gradient of the images a row is one of theirs. It reports
// false where the algorithm does not apply.
func WinogradWork(op Op, inputGrad bool) (multiplications int, ok bool) {
	op.Window = op.Window.WithDefaults()
	switch {
	case !inputGrad:
		return op.winogradWork(op.C, op.M, op.OW)
	case op.Left < op.KW:
		return op.winogradWork(op.M, op.C, op.W)
	}
	return 0, false
}

func (o *Op) winogradWork(channels, filters, width int) (multiplications int, ok bool) {
	if !o.suitsWinograd(channels, filters, width) {
		return 0, false
	}
	return isa.Ceil(width, abi.RowTile) * (rowValues*channels*filters*o.KH + transformCost*(channels+filters)), true
}

// suitsWinograd reports whether the algorithm applies.
func (o *Op) suitsWinograd(channels, filters, width int) bool {
	return o.KW == abi.RowTaps && o.SH == 1 && o.SW == 1 && o.DH == 1 && o.DW == 1 && o.Left >= 0 && o.OH > 0 && width > 0 && channels*filters*o.KH > 0
}

func newWinograd(k *Kernels, op Op, image imageTransform, result extents) *Winograd {
	products := Op{Groups: op.Groups, M: op.M}
	products.C, products.KH, products.KW = op.C, op.KH, 1
	return &Winograd{op: op, k: k, image: image, result: result,
		conv: &Conv{op: products, k: k, filters: result.channels, channels: image.channels}}
}

// leastTasks is how many tasks there are at least, where an image has enough rows.
const leastTasks = 8

// plan cuts the rows of results into strips and bands, for filters packed for results of that
// height.
func (p *Winograd) plan(runs []window.Run, height, tasks int) {
	c := p.conv
	c.tall = c.height(p.image.tiles * height)
	c.tiles = isa.Ceil(c.filters, c.tall)
	rows := max(productElems/(rowValues*c.tall*p.image.tiles*Images), 1)
	c.yPlane = min(rows, p.result.height) * p.image.tiles * Images
	row := rowValues * p.image.channels * p.image.tiles * abi.PixelBytes
	most := max(isa.CacheSizes().L2/2/row-p.op.KH+1, abi.RowTile)
	strips := min(max(isa.Ceil(tasks, max(p.op.Blocks*p.op.Groups, 1)), isa.Ceil(p.result.height, most)), isa.Ceil(p.result.height, abi.RowTile))
	for i := range strips {
		s := p.strip(runs, p.result.height*i/strips, p.result.height*(i+1)/strips, rows)
		c.xPlane = max(c.xPlane, s.rows*p.image.tiles*Images)
		p.strips = append(p.strips, s)
	}
	p.image.rows = c.xPlane / (p.image.tiles * Images)
	for _, s := range p.strips {
		for i := range s.bands {
			p.steps(&s.bands[i].products)
		}
	}
}

// strip holds rows lo to hi of results, in bands of at most so many rows.
func (p *Winograd) strip(runs []window.Run, lo, hi, most int) winogradStrip {
	s := winogradStrip{first: p.image.height}
	end := 0
	for _, run := range runs {
		from, to := max(run.Out, lo), min(run.Out+run.N, hi)
		if from >= to {
			continue
		}
		run.In += (from - run.Out) * run.InStep
		run.Out, run.N = from, to-from
		for _, r := range run.Cut(most) {
			band := winogradBand{first: r.Out, rows: r.N}
			if r.Taps > 0 {
				last := r.In + (r.Taps-1)*r.InTap
				s.first, end = min(s.first, r.In, last), max(end, max(r.In, last)+r.N)
				band.products = rectangle{x: r.In, w: r.Tap * p.conv.tall, channels: p.conv.channels,
					steps: abi.TileSteps{Rows: r.Taps, Cols: 1, RowX: r.InTap * p.image.tiles * abi.PixelBytes, RowW: r.TapStep * 4 * p.conv.tall}}
			}
			band.products.lines, band.products.pixels = 1, r.N*p.image.tiles
			s.bands = append(s.bands, band)
		}
	}
	s.rows = max(end-s.first, 0)
	for i := range s.bands {
		if r := &s.bands[i].products; r.channels > 0 {
			r.x = (r.x - s.first) * p.image.tiles * Images
		}
	}
	return s
}

// steps fills in the distances that depend on all strips.
func (p *Winograd) steps(r *rectangle) {
	s := &r.steps
	s.PixelX, s.PixelY, s.FilterY = abi.PixelBytes, abi.PixelBytes, 4*p.conv.yPlane
	s.ChannelX = 4*p.conv.xPlane - s.Rows*s.RowX
	s.ChannelW = 4*p.op.KH*p.conv.tall - s.Rows*s.RowW
}

// productStride is the elements between the values of products, which differs from powers of two.
func (p *Winograd) productStride() int { return p.conv.tall*p.conv.yPlane + isa.Alignment }

// Scratch returns the number of elements of scratch memory that Run needs.
func (p *Winograd) Scratch() int { return p.image.scratch() + rowValues*p.productStride() }

// PackedLen returns the number of elements of the packed filters.
func (p *Winograd) PackedLen() int { return rowValues * p.conv.PackedLen() }

// filterRows is the rows of taps of all filters.
func (p *Winograd) filterRows() int { return p.op.Groups * p.op.M * p.op.C * p.op.KH }

// PackScratch returns the number of elements of scratch memory that Pack needs.
func (p *Winograd) PackScratch() int { return (abi.RowTaps + rowValues) * p.filterRows() }

// Pack transforms the filters w to what Run takes. It reports false where some are not finite, or
// beyond 1e16, and cannot be used. scratch needs PackScratch elements.
func (p *Winograd) Pack(packed, w, scratch []float32) (finite bool) {
	n := p.filterRows()
	taps, values := scratch[:abi.RowTaps*n], scratch[abi.RowTaps*n:][:rowValues*n]
	gemm.Transpose(p.k.gemm, taps, 0, w, 0, n, abi.RowTaps)
	for e, factors := range filterMatrix {
		v := values[e*n:][:n]
		clear(v)
		for i, f := range factors {
			tap := i
			if p.conv.adjoint {
				tap = abi.RowTaps - 1 - i
			}
			if f != 0 {
				p.k.vec.Map(vec.Axpy, v, taps[tap*n:], v, f)
			}
		}
		p.conv.Pack(packed[e*p.conv.PackedLen():], v, 0, p.conv.Packs())
	}
	total := p.k.vec.Dot(w[:n*abi.RowTaps], w)
	return total-total == 0
}

// Tasks returns the number of parts that Run works on. They do not depend on each other.
func (p *Winograd) Tasks() int { return p.op.Blocks * p.op.Groups * len(p.strips) }

// Work returns the number of multiplications of all tasks.
func (p *Winograd) Work() int {
	return p.op.Blocks * Images * p.filterRows() * p.result.height * p.image.tiles * rowValues
}

// Run computes tasks lo to hi of y from x, the packed filters and bias, which may be nil where the
// op has none. It reports false where some of x is not finite, or beyond 1e18, and y is of no use.
// scratch needs Scratch elements.
func (p *Winograd) Run(y, x, packed, bias, scratch []float32, lo, hi int) (finite bool) {
	groups := p.op.Blocks * p.op.Groups
	if len(y) < groups*p.result.channels*p.result.plane() || len(x) < groups*p.image.channels*p.image.plane() ||
		len(packed) < p.PackedLen() || len(scratch) < p.Scratch() || p.flags&abi.FlagRowBias != 0 && len(bias) < p.op.Groups*p.op.M {
		panic(fmt.Sprintf("interleaved: Winograd %+v with %d, %d, %d, %d and %d elements in y, x, packed, bias and scratch", p.op, len(y), len(x), len(packed), len(bias), len(scratch)))
	}
	room, products := p.image.room(scratch)
	for task := lo; task < hi; task++ {
		strip, group := &p.strips[task%len(p.strips)], task/len(p.strips)
		at := operands{y: y[group*p.result.channels*p.result.plane():], x: x[group*p.image.channels*p.image.plane():], bias: bias}
		filters := group % p.op.Groups
		if p.flags&abi.FlagRowBias != 0 {
			at.bias = bias[filters*p.op.M:]
		}
		at.w = packed[filters*p.conv.tiles*p.conv.packLen():]
		p.image.run(room, room.values, at.x, strip.first, strip.rows)
		for i := range strip.bands {
			p.band(&strip.bands[i], at, room.values, products)
		}
	}
	return room.finite(p.k)
}

// band computes the results of a band, some filters after the other.
func (p *Winograd) band(b *winogradBand, at operands, tiles, products []float32) {
	c := p.conv
	for i := range c.tiles {
		first, count := c.tile(i)
		for e := range rowValues {
			c.line(&b.products, count, operands{y: products[e*p.productStride():], x: tiles[e*p.image.stride()+b.products.x:],
				w: at.w[e*c.PackedLen()+i*c.packLen()+b.products.w:]})
		}
		y := at.y[first*p.result.plane()+b.first*p.result.width*Images:]
		for lane := 0; lane < Images; lane += p.k.width {
			p.k.winogradOut(count, b.rows, p.image.tiles, p.result.width, &products[lane], 4*p.productStride(), 4*c.yPlane,
				&y[lane], 4*p.result.plane(), isa.Elem(isa.Behind(at.bias, first), 0), p.flags)
		}
	}
}
