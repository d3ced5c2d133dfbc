package simd

import "fmt"

// A batch in lanes is stored as (N/16,C,H,W,16): a pixel is a vector of 16 images. Whatever the shape, vectors are full,
// and filters are numbers to multiply them by.

// Lanes is how many images stand side by side.
const Lanes = 16

const lanePixel = 4 * Lanes // bytes

// LaneOp describes a convolution of batches of float32 in lanes: x (Blocks, Groups*C, H, W, Lanes), filters
// (Groups*M, C, KH, KW), and y = act(conv(x, w) + bias) of (Blocks, Groups*M, OH, OW, Lanes).
type LaneOp struct {
	Window
	Blocks, Groups, M int // M is the filters of a group, as C is its channels

	// Bias, of Groups*M values, is RowBias or NoBias.
	Bias Bias
	Act  Act
}

func (o *LaneOp) taps() int   { return o.KH * o.KW }
func (o *LaneOp) xPlane() int { return o.H * o.W * Lanes }
func (o *LaneOp) yPlane() int { return o.OH * o.OW * Lanes }

// laneSteps are the distances, in bytes, and the numbers of taps that a tile kernel works with.
type laneSteps struct {
	pixelX, pixelY     int // from a pixel to the next
	filterY            int // from a filter's results to the next one's
	rows, cols         int // taps
	colX, colW         int // from a tap to the next in its row
	rowX, rowW         int // from behind a row of taps to the next row
	channelX, channelW int // from behind a channel's taps to the next channel
}

// laneTileFunc computes n tiles side by side. s points at laneSteps.
type laneTileFunc func(n, channels int, s *int, x, w, y, bias *float32, flags int) (csr uint32)

// laneGradSteps are the distances, in bytes, of a gradient kernel.
type laneGradSteps struct {
	filterDy, filterSums int // from a filter to the next
	rowDy                int // from behind a row of pixels to the next row
	colX, rowX           int // from a pixel to the next, and from behind a row to the next
}

// laneGradFunc adds to sums the products of dy and x over rows and cols of pixels. taps are pairs: where a tap's x
// begins, and where its sums stand. s points at laneGradSteps.
type laneGradFunc func(rows, cols int, s *int, dy, x *float32, taps *int, sums *float32) (csr uint32)

// laneKernels are the kernels of one level.
type laneKernels struct {
	laneWidth int              // lanes that a call works on
	laneTile  [][]laneTileFunc // by filters and pixels
	laneGrad  [][]laneGradFunc // by filters and taps

	// laneTotal sets sums[i], for n of them, to the total of pixel i and those that follow stride bytes apart.
	laneTotal func(n, parts, stride int, sums *float32) (csr uint32)

	laneMax, laneMaxSquare         laneMaxFunc
	laneScatter, laneScatterSquare laneScatterFunc
	laneMean, laneMeanGrad         laneMeanFunc

	lineWinoIn  lineWinoInFunc
	lineWinoDy  lineWinoDyFunc
	lineWinoOut lineWinoOutFunc
}

// LaneConv is a convolution in lanes, or its adjoint, planned for a level. It is immutable and safe for concurrent
// use.
type LaneConv struct {
	op LaneOp
	k  *Kernels

	filters, channels  int // of a group: of the results, and of what is summed over
	xPlane, yPlane     int // elements, of what is read and what is written
	adjoint            bool
	tall               int // the most filters of a tile
	tiles, shares      int // of filters in a group; shares of the tiles that tasks have
	bands              [][]laneRect
	biasFlag, reluFlag int
}

// laneRect is a rectangle of results that meet the same taps: lines of pixels.
type laneRect struct {
	steps         laneSteps
	lines, pixels int
	x, w, y       int // where the first pixel's are, in elements of a plane, or of packed filters
	xLine, yLine  int // from a line to the next
	channels      int // none where there are no taps
}

// bandLines is how many lines of results a task has at most. Where a line is short, tiles are of
// pixels of several lines.
const bandLines = 6

// NewLaneConv plans the convolution.
func NewLaneConv(k *Kernels, op LaneOp) *LaneConv {
	op.Window = op.Window.withDefaults()
	rows, cols := op.laneAxes()
	p := &LaneConv{op: op, k: k, filters: op.M, channels: op.C, xPlane: op.xPlane(), yPlane: op.yPlane()}
	if op.Bias != NoBias {
		p.biasFlag = flagRowBias
	}
	if op.Act == ReLU {
		p.reluFlag = flagReLU
	}
	p.plan(rows.runs(), cols.runs(), op.W, op.OW)
	return p
}

// NewLaneConvRows plans rows lo to hi of the results for one block of images: y is (Groups*M, hi-lo, OW, Lanes). It takes
// filters that the plan of all has packed, and gives the same bits.
func NewLaneConvRows(k *Kernels, op LaneOp, lo, hi int) *LaneConv {
	return NewLaneConv(k, op.part(lo, hi))
}

// part is the convolution of one block that gives rows lo to hi alone.
func (o LaneOp) part(lo, hi int) LaneOp {
	o.Window = o.Window.withDefaults()
	o.Blocks, o.OH = 1, hi-lo
	o.Top -= lo * o.SH
	return o
}

// NewLaneInputGrad plans the gradient of the images, which its Run takes as y, while x is that of the result. Bias and Act do not
// matter.
func NewLaneInputGrad(k *Kernels, op LaneOp) *LaneConv {
	op.Window = op.Window.withDefaults()
	op.Bias, op.Act = NoBias, NoAct
	rows, cols := op.laneAxes()
	p := &LaneConv{op: op, k: k, filters: op.C, channels: op.M, xPlane: op.yPlane(), yPlane: op.xPlane(), adjoint: true}
	p.plan(rows.adjoint(), cols.adjoint(), op.OW, op.W)
	return p
}

func (p *LaneConv) plan(rows, cols []laneRun, xWidth, yWidth int) {
	widest := 0
	for _, c := range cols {
		widest = max(widest, c.n)
	}
	p.tall = p.height(widest)
	p.tiles = ceil(p.filters, p.tall)
	for _, run := range rows {
		for _, r := range run.cut(bandLines) {
			var band []laneRect
			for _, c := range cols {
				band = append(band, p.rect(r, c, xWidth, yWidth))
			}
			p.bands = append(p.bands, band)
		}
	}
	p.shares = max(min(p.tiles, ceil(maxTasks/4, max(p.op.Blocks*p.op.Groups*len(p.bands), 1))), 1)
}

// height chooses the most filters of a tile, by the time that lines of that width take: a tap of a tile takes a cycle
// a product and two more.
func (p *LaneConv) height(width int) (best int) {
	least := 0
	for tall := 1; tall < len(p.k.laneTile); tall++ {
		time, tiles := 0, ceil(p.filters, tall)
		for i := range tiles {
			count := p.filters*(i+1)/tiles - p.filters*i/tiles
			time += count*width + 2*ceil(width, len(p.k.laneTile[count])-1)
		}
		if best == 0 || time <= least {
			best, least = tall, time
		}
	}
	return best
}

// rect is where a run of rows and one of columns meet.
func (p *LaneConv) rect(r, c laneRun, xWidth, yWidth int) laneRect {
	taps, number := p.op.taps(), 4*p.tall
	row, tapRow := r.inTap*xWidth*lanePixel, r.tapStep*p.op.KW*number
	s := laneSteps{filterY: 4 * p.yPlane, rows: r.taps, cols: c.taps, colX: c.inTap * lanePixel, colW: c.tapStep * number}
	s.rowX, s.rowW = row-s.cols*s.colX, tapRow-s.cols*s.colW
	s.channelX, s.channelW = 4*p.xPlane-s.rows*row, taps*number-s.rows*tapRow
	rect := laneRect{x: (r.in*xWidth + c.in) * Lanes, w: (r.tap*p.op.KW + c.tap) * p.tall, y: (r.out*yWidth + c.out) * Lanes, channels: p.channels}
	if r.taps*c.taps == 0 {
		rect.channels, rect.x, rect.w, r.inStep, c.inStep = 0, 0, 0, 0, 0
	}
	down := [2]int{r.inStep * xWidth * Lanes, r.step * yWidth * Lanes}
	along := [2]int{c.inStep * Lanes, c.step * Lanes}
	rect.lines, rect.pixels = r.n, c.n
	if p.fill(r.n) > p.fill(c.n) { // lines go down
		rect.lines, rect.pixels, down, along = c.n, r.n, along, down
	}
	rect.xLine, rect.yLine = down[0], down[1]
	s.pixelX, s.pixelY = 4*along[0], 4*along[1]
	rect.steps = s
	return rect
}

// fill is how many pixels the tiles of a line have, times 16.
func (p *LaneConv) fill(pixels int) int {
	return 16 * pixels / ceil(pixels, len(p.k.laneTile[max(min(p.tall, p.filters), 1)])-1)
}

// PackedLen returns the number of elements of the packed filters.
func (p *LaneConv) PackedLen() int { return p.Packs() * p.packLen() }

// Packs returns how many parts Pack works on.
func (p *LaneConv) Packs() int { return p.op.Groups * p.tiles }

func (p *LaneConv) packLen() int { return p.channels * p.op.taps() * p.tall }

// tile returns the first filter of tile i of a group, and how many it has.
func (p *LaneConv) tile(i int) (first, count int) {
	first = p.filters * i / p.tiles
	return first, p.filters*(i+1)/p.tiles - first
}

// Pack writes parts lo to hi of the filters w in the order that Run wants them.
func (p *LaneConv) Pack(packed, w []float32, lo, hi int) {
	taps := p.op.taps()
	for i := lo; i < hi; i++ {
		first, count := p.tile(i % p.tiles)
		dst, src := packed[i*p.packLen():][:p.packLen()], w[i/p.tiles*p.filters*p.channels*taps:]
		if !p.adjoint {
			Transpose(p.k, dst, p.tall, src[first*p.channels*taps:], 0, count, p.channels*taps)
			continue
		}
		for m := range p.channels {
			Transpose(p.k, dst[m*taps*p.tall:], p.tall, src[(m*p.filters+first)*taps:], 0, count, taps)
		}
	}
}

// Tasks returns the number of parts that Run works on. They do not depend on each other.
func (p *LaneConv) Tasks() int {
	return p.op.Blocks * p.op.Groups * p.shares * len(p.bands)
}

// Work returns the number of multiplications of all tasks.
func (p *LaneConv) Work() int {
	o := &p.op
	return o.Blocks * Lanes * o.Groups * o.M * o.C * o.taps() * o.OH * o.OW
}

// Run computes tasks lo to hi of y from x, the packed filters and bias, which may be nil where the op has none.
func (p *LaneConv) Run(y, x, packed, bias []float32, lo, hi int) {
	groups := p.op.Blocks * p.op.Groups
	if len(y) < groups*p.filters*p.yPlane || len(x) < groups*p.channels*p.xPlane || len(packed) < p.PackedLen() || p.biasFlag > 0 && len(bias) < p.op.Groups*p.filters {
		panic(fmt.Sprintf("simd: LaneConv %+v with %d, %d, %d and %d elements in y, x, packed and bias", p.op, len(y), len(x), len(packed), len(bias)))
	}
	for task := lo; task < hi; task++ {
		band, rest := task%len(p.bands), task/len(p.bands)
		share, group := rest%p.shares, rest/p.shares
		at := laneAt{y: y[group*p.filters*p.yPlane:], x: x[group*p.channels*p.xPlane:], w: packed[group%p.op.Groups*p.tiles*p.packLen():]}
		if p.biasFlag > 0 {
			at.bias = bias[group%p.op.Groups*p.filters:]
		}
		for i := range p.bands[band] {
			p.run(&p.bands[band][i], at, p.tiles*share/p.shares, p.tiles*(share+1)/p.shares)
		}
	}
}

// laneAt is where a group's operands begin.
type laneAt struct{ y, x, w, bias []float32 }

// run computes a rectangle for tiles lo to hi of filters.
func (p *LaneConv) run(r *laneRect, at laneAt, lo, hi int) {
	for line := range r.lines {
		x, y := r.x+line*r.xLine, r.y+line*r.yLine
		for i := lo; i < hi; i++ {
			first, count := p.tile(i)
			to := laneAt{at.y[first*p.yPlane+y:], at.x[x:], at.w[i*p.packLen()+r.w:], at.bias}
			if at.bias != nil {
				to.bias = at.bias[first:]
			}
			p.line(r, count, to)
		}
	}
}

// line computes a line of pixels for count filters.
func (p *LaneConv) line(r *laneRect, count int, at laneAt) {
	kernels := p.k.laneTile[count]
	tiles := ceil(r.pixels, len(kernels)-1)
	short := r.pixels / tiles
	long := r.pixels - short*tiles // tiles of one more pixel
	if long > 0 {
		at = p.call(r, kernels[short+1], at, long, count, short+1)
	}
	p.call(r, kernels[short], at, tiles-long, count, short)
}

// leastLaneSums is how many sums under way keep the multipliers busy.
const leastLaneSums = 4

// call runs a kernel on n tiles of count filters and so many pixels, cut up so that no call is long. It returns where the
// next tile is.
func (p *LaneConv) call(r *laneRect, kernel laneTileFunc, at laneAt, n, count, pixels int) laneAt {
	work := max(r.steps.rows*r.steps.cols*max(count*pixels, leastLaneSums)*Lanes, 1) // of a channel of a tile
	tiles, channels := max(callWork/(work*max(r.channels, 1)), 1), r.channels
	if tiles == 1 {
		channels = min(max(callWork/work, 1), r.channels)
	}
	for n > 0 {
		part := min(tiles, n)
		p.channelBlocks(r, kernel, at, part, channels)
		at.x, at.y = behind(at.x, part*pixels*r.steps.pixelX/4), behind(at.y, part*pixels*r.steps.pixelY/4)
		n -= part
	}
	return at
}

// channelBlocks runs a kernel on n tiles, block by block of channels: the first one may overwrite y, the last one
// finishes.
func (p *LaneConv) channelBlocks(r *laneRect, kernel laneTileFunc, at laneAt, n, most int) {
	for from, flags := 0, 0; ; flags = flagAdd {
		channels := min(most, r.channels-from)
		if from+channels == r.channels {
			flags |= p.biasFlag | p.reluFlag
		}
		x, w := behind(at.x, from*p.xPlane), at.w[from*p.op.taps()*p.tall:]
		for lane := 0; lane < Lanes; lane += p.k.laneWidth {
			kernel(n, channels, &r.steps.pixelX, elem(x, lane), elem(w, 0), elem(at.y, lane), elem(at.bias, 0), flags)
		}
		if from += channels; from == r.channels {
			return
		}
	}
}
