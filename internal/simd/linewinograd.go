package simd

import "fmt"

// LineWinograd is a convolution of batches of float32 in lanes, or its adjoint, by Winograd's algorithm along the
// lines of images, F(4,5): filters have 5 columns and stride 1. Tiles of 8 pixels and rows of 5 taps are
// transformed to 8 values, of which sums of products over channels and rows of taps are transformed to 4
// results: 8 multiplications instead of 20. It is immutable and safe for concurrent use.
//
// It is less exact than LaneConv: errors are up to 4e-6 of the largest result. Numbers that are not finite spread
// over the results of a tile, which is why Run and Pack tell of them.
//
// See Winograd, Arithmetic Complexity of Computations, 1980, and Lavin and Gray, Fast Algorithms for Convolutional Neural
// Networks, 2015. The points are 0, ±1, ±2, ±1/2 and infinity.
type LineWinograd struct {
	op   LaneOp
	k    *Kernels
	conv *LaneConv // sums of products of one of the values: its images are rows of tiles, its filters one column

	image  lineTransform
	result lineImages
	flags  int
	strips []lineStrip
}

// lineStrip is a task's part of an image: bands of rows of results, and the rows of the image that they meet.
type lineStrip struct {
	first, rows int
	bands       []lineBand
}

// lineBand is some rows of results that meet the same rows of taps.
type lineBand struct {
	first, rows int
	products    laneRect
}

const (
	// lineCost is about how many multiplications of an image the transform of a tile is worth.
	lineCost = 64

	// lineProducts is the elements of products that are made before they are transformed to results.
	lineProducts = 64 << 10 / 4
)

// NewLineWinograd plans the convolution. It reports false where the algorithm does not apply; [LineWork] tells whether LaneConv is as fast.
func NewLineWinograd(k *Kernels, op LaneOp) (*LineWinograd, bool) {
	return lineWinograd(k, op, op.OH, lineTasks)
}

// NewLineWinogradRows plans rows lo to hi of the results, as [NewLaneConvRows] does, for filters packed by the plan of
// all.
func NewLineWinogradRows(k *Kernels, op LaneOp, lo, hi int) (*LineWinograd, bool) {
	return lineWinograd(k, op.part(lo, hi), op.OH, 1)
}

// lineWinograd plans a convolution in at least so many tasks; its filters are packed for results of that height.
func lineWinograd(k *Kernels, op LaneOp, height, tasks int) (*LineWinograd, bool) {
	op.Window = op.Window.withDefaults()
	if !op.suitsLines(op.C, op.M, op.OW) {
		return nil, false
	}
	rows, _ := op.laneAxes()
	p := newLineWinograd(k, op, newLineTransform(k, lineImages{op.C, op.H, op.W}, op.Left, op.OW), lineImages{op.M, op.OH, op.OW})
	if op.Bias != NoBias {
		p.flags |= flagRowBias
	}
	if op.Act == ReLU {
		p.flags |= flagReLU
	}
	p.plan(rows.runs(), height, tasks)
	return p, true
}

// NewLineWinogradInputGrad plans the gradient of the images, as [NewLaneInputGrad] does.
func NewLineWinogradInputGrad(k *Kernels, op LaneOp) (*LineWinograd, bool) {
	op.Window = op.Window.withDefaults()
	op.Bias, op.Act = NoBias, NoAct
	if op.Left >= op.KW || !op.suitsLines(op.M, op.C, op.W) {
		return nil, false
	}
	rows, _ := op.laneAxes()
	p := newLineWinograd(k, op, newLineTransform(k, lineImages{op.M, op.OH, op.OW}, op.KW-1-op.Left, op.W), lineImages{op.C, op.H, op.W})
	p.conv.adjoint = true
	p.plan(rows.adjoint(), op.H, lineTasks)
	return p, true
}

// LineWork is how often a row of op's results takes a multiplication of LineWinograd, or the time of one for the transforms. For the
// gradient of the images a row is one of theirs. It reports false where the algorithm does not apply.
func LineWork(op LaneOp, inputGrad bool) (multiplications int, ok bool) {
	op.Window = op.Window.withDefaults()
	switch {
	case !inputGrad:
		return op.lineWork(op.C, op.M, op.OW)
	case op.Left < op.KW:
		return op.lineWork(op.M, op.C, op.W)
	}
	return 0, false
}

func (o *LaneOp) lineWork(channels, filters, width int) (multiplications int, ok bool) {
	if !o.suitsLines(channels, filters, width) {
		return 0, false
	}
	return ceil(width, lineTile) * (lineValues*channels*filters*o.KH + lineCost*(channels+filters)), true
}

// suitsLines reports whether the algorithm applies.
func (o *LaneOp) suitsLines(channels, filters, width int) bool {
	return o.KW == lineTaps && o.SH == 1 && o.SW == 1 && o.DH == 1 && o.DW == 1 && o.Left >= 0 && o.OH > 0 && width > 0 && channels*filters*o.KH > 0
}

func newLineWinograd(k *Kernels, op LaneOp, image lineTransform, result lineImages) *LineWinograd {
	products := LaneOp{Groups: op.Groups, M: op.M}
	products.C, products.KH, products.KW = op.C, op.KH, 1
	return &LineWinograd{op: op, k: k, image: image, result: result,
		conv: &LaneConv{op: products, k: k, filters: result.channels, channels: image.channels}}
}

// lineTasks is how many tasks there are at least, where an image has enough rows.
const lineTasks = 8

// plan cuts the rows of results into strips and bands, for filters packed for results of that height.
func (p *LineWinograd) plan(runs []laneRun, height, tasks int) {
	c := p.conv
	c.tall = c.height(p.image.tiles * height)
	c.tiles = ceil(c.filters, c.tall)
	rows := max(lineProducts/(lineValues*c.tall*p.image.tiles*Lanes), 1)
	c.yPlane = min(rows, p.result.height) * p.image.tiles * Lanes
	row := lineValues * p.image.channels * p.image.tiles * lanePixel
	most := max(cacheSizes().l2/2/row-p.op.KH+1, lineTile)
	strips := min(max(ceil(tasks, max(p.op.Blocks*p.op.Groups, 1)), ceil(p.result.height, most)), ceil(p.result.height, lineTile))
	for i := range strips {
		s := p.strip(runs, p.result.height*i/strips, p.result.height*(i+1)/strips, rows)
		c.xPlane = max(c.xPlane, s.rows*p.image.tiles*Lanes)
		p.strips = append(p.strips, s)
	}
	p.image.rows = c.xPlane / (p.image.tiles * Lanes)
	for _, s := range p.strips {
		for i := range s.bands {
			p.steps(&s.bands[i].products)
		}
	}
}

// strip holds rows lo to hi of results, in bands of at most so many rows.
func (p *LineWinograd) strip(runs []laneRun, lo, hi, most int) lineStrip {
	s := lineStrip{first: p.image.height}
	end := 0
	for _, run := range runs {
		from, to := max(run.out, lo), min(run.out+run.n, hi)
		if from >= to {
			continue
		}
		run.in += (from - run.out) * run.inStep
		run.out, run.n = from, to-from
		for _, r := range run.cut(most) {
			band := lineBand{first: r.out, rows: r.n}
			if r.taps > 0 {
				last := r.in + (r.taps-1)*r.inTap
				s.first, end = min(s.first, r.in, last), max(end, max(r.in, last)+r.n)
				band.products = laneRect{x: r.in, w: r.tap * p.conv.tall, channels: p.conv.channels,
					steps: laneSteps{rows: r.taps, cols: 1, rowX: r.inTap * p.image.tiles * lanePixel, rowW: r.tapStep * 4 * p.conv.tall}}
			}
			band.products.lines, band.products.pixels = 1, r.n*p.image.tiles
			s.bands = append(s.bands, band)
		}
	}
	s.rows = max(end-s.first, 0)
	for i := range s.bands {
		if r := &s.bands[i].products; r.channels > 0 {
			r.x = (r.x - s.first) * p.image.tiles * Lanes
		}
	}
	return s
}

// steps fills in the distances that depend on all strips.
func (p *LineWinograd) steps(r *laneRect) {
	s := &r.steps
	s.pixelX, s.pixelY, s.filterY = lanePixel, lanePixel, 4*p.conv.yPlane
	s.channelX = 4*p.conv.xPlane - s.rows*s.rowX
	s.channelW = 4*p.op.KH*p.conv.tall - s.rows*s.rowW
}

// productStride is the elements between the values of products, which differs from powers of two.
func (p *LineWinograd) productStride() int { return p.conv.tall*p.conv.yPlane + alignment }

// Scratch returns the number of elements of scratch memory that Run needs.
func (p *LineWinograd) Scratch() int { return p.image.scratch() + lineValues*p.productStride() }

// PackedLen returns the number of elements of the packed filters.
func (p *LineWinograd) PackedLen() int { return lineValues * p.conv.PackedLen() }

// filterRows is the rows of taps of all filters.
func (p *LineWinograd) filterRows() int { return p.op.Groups * p.op.M * p.op.C * p.op.KH }

// PackScratch returns the number of elements of scratch memory that Pack needs.
func (p *LineWinograd) PackScratch() int { return (lineTaps + lineValues) * p.filterRows() }

// Pack transforms the filters w to what Run takes. It reports false where some are not finite, or beyond 1e16, and
// cannot be used. scratch needs PackScratch elements.
func (p *LineWinograd) Pack(packed, w, scratch []float32) (finite bool) {
	n := p.filterRows()
	taps, values := scratch[:lineTaps*n], scratch[lineTaps*n:][:lineValues*n]
	Transpose(p.k, taps, 0, w, 0, n, lineTaps)
	for e, factors := range lineFilter {
		v := values[e*n:][:n]
		clear(v)
		for i, f := range factors {
			tap := i
			if p.conv.adjoint {
				tap = lineTaps - 1 - i
			}
			if f != 0 {
				p.k.Map(OpAxpy, v, taps[tap*n:], v, f)
			}
		}
		p.conv.Pack(packed[e*p.conv.PackedLen():], v, 0, p.conv.Packs())
	}
	total := p.k.Dot(w[:n*lineTaps], w)
	return total-total == 0
}

// Tasks returns the number of parts that Run works on. They do not depend on each other.
func (p *LineWinograd) Tasks() int { return p.op.Blocks * p.op.Groups * len(p.strips) }

// Work returns the number of multiplications of all tasks.
func (p *LineWinograd) Work() int {
	return p.op.Blocks * Lanes * p.filterRows() * p.result.height * p.image.tiles * lineValues
}

// Run computes tasks lo to hi of y from x, the packed filters and bias, which may be nil where the op has none. It
// reports false where some of x is not finite, or beyond 1e18, and y is of no use. scratch needs Scratch elements.
func (p *LineWinograd) Run(y, x, packed, bias, scratch []float32, lo, hi int) (finite bool) {
	groups := p.op.Blocks * p.op.Groups
	if len(y) < groups*p.result.channels*p.result.plane() || len(x) < groups*p.image.channels*p.image.plane() ||
		len(packed) < p.PackedLen() || len(scratch) < p.Scratch() || p.flags&flagRowBias != 0 && len(bias) < p.op.Groups*p.op.M {
		panic(fmt.Sprintf("simd: LineWinograd %+v with %d, %d, %d, %d and %d elements in y, x, packed, bias and scratch", p.op, len(y), len(x), len(packed), len(bias), len(scratch)))
	}
	room, products := p.image.room(scratch)
	for task := lo; task < hi; task++ {
		strip, group := &p.strips[task%len(p.strips)], task/len(p.strips)
		at := laneAt{y: y[group*p.result.channels*p.result.plane():], x: x[group*p.image.channels*p.image.plane():], bias: bias}
		filters := group % p.op.Groups
		if p.flags&flagRowBias != 0 {
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
func (p *LineWinograd) band(b *lineBand, at laneAt, tiles, products []float32) {
	c := p.conv
	for i := range c.tiles {
		first, count := c.tile(i)
		for e := range lineValues {
			c.line(&b.products, count, laneAt{y: products[e*p.productStride():], x: tiles[e*p.image.stride()+b.products.x:],
				w: at.w[e*c.PackedLen()+i*c.packLen()+b.products.w:]})
		}
		y := at.y[first*p.result.plane()+b.first*p.result.width*Lanes:]
		for lane := 0; lane < Lanes; lane += p.k.laneWidth {
			p.k.lineWinoOut(count, b.rows, p.image.tiles, p.result.width, &products[lane], 4*p.productStride(), 4*c.yPlane,
				&y[lane], 4*p.result.plane(), elem(behind(at.bias, first), 0), p.flags)
		}
	}
}
