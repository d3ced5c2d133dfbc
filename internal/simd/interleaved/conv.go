package interleaved

import (
	"fmt"

	"github.com/plexaura/plexaura/internal/simd/abi"
	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/window"
)

// Conv is a convolution of interleaved batches, or its adjoint, planned for a level. It is
// immutable and safe for concurrent use.
type Conv struct {
	op Op
	k  *Kernels

	filters, channels  int // of a group: of the results, and of what is summed over
	xPlane, yPlane     int // elements, of what is read and what is written
	adjoint            bool
	tall               int // the most filters of a tile
	tiles, shares      int // of filters in a group; shares of the tiles that tasks have
	bands              [][]rectangle
	biasFlag, reluFlag int
}

// rectangle is a rectangle of results that meet the same taps: lines of pixels.
type rectangle struct {
	steps         abi.TileSteps
	lines, pixels int
	x, w, y       int // where the first pixel's are, in elements of a plane, or of packed filters
	xLine, yLine  int // from a line to the next
	channels      int // none where there are no taps
}

// bandLines is how many lines of results a task has at most. Where a line is short, tiles are of
// pixels of several lines.
const bandLines = 6

// NewConv plans the convolution.
func NewConv(k *Kernels, op Op) *Conv {
	op.Window = op.Window.WithDefaults()
	rows, cols := op.Axes()
	p := &Conv{op: op, k: k, filters: op.M, channels: op.C, xPlane: op.xPlane(), yPlane: op.yPlane()}
	if op.Bias != isa.NoBias {
		p.biasFlag = abi.FlagRowBias
	}
	p.reluFlag = op.Act.Flags()
	p.plan(rows.Runs(), cols.Runs(), op.W, op.OW)
	return p
}

// NewConvRows plans rows lo to hi of the results for one block of images: y is (Groups*M, hi-lo,
// OW, Images). It takes filters that the plan of all has packed, and gives the same bits.
func NewConvRows(k *Kernels, op Op, lo, hi int) *Conv {
	return NewConv(k, op.part(lo, hi))
}

// part is the convolution of one block that gives only rows lo to hi.
func (o Op) part(lo, hi int) Op {
	o.Window = o.Window.WithDefaults()
	o.Blocks, o.OH = 1, hi-lo
	o.Top -= lo * o.SH
	return o
}

// NewInputGrad plans the gradient of the images, which its Run takes as y, while x is that of the
// result. Bias and Act do not matter.
func NewInputGrad(k *Kernels, op Op) *Conv {
	op.Window = op.Window.WithDefaults()
	op.Bias, op.Act = isa.NoBias, isa.NoAct
	rows, cols := op.Axes()
	p := &Conv{op: op, k: k, filters: op.C, channels: op.M, xPlane: op.yPlane(), yPlane: op.xPlane(), adjoint: true}
	p.plan(rows.Adjoint(), cols.Adjoint(), op.OW, op.W)
	return p
}

func (p *Conv) plan(rows, cols []window.Run, xWidth, yWidth int) {
	widest := 0
	for _, c := range cols {
		widest = max(widest, c.N)
	}
	p.tall = p.height(widest)
	p.tiles = isa.Ceil(p.filters, p.tall)
	for _, run := range rows {
		for _, r := range run.Cut(bandLines) {
			var band []rectangle
			for _, c := range cols {
				band = append(band, p.rect(r, c, xWidth, yWidth))
			}
			p.bands = append(p.bands, band)
		}
	}
	p.shares = max(min(p.tiles, isa.Ceil(isa.MaxTasks/4, max(p.op.Blocks*p.op.Groups*len(p.bands), 1))), 1)
}

// height chooses the most filters of a tile, by the time that lines of that width take: a tap of a
// tile takes a cycle a product and two more.
func (p *Conv) height(width int) (best int) {
	least := 0
	for tall := 1; tall < len(p.k.tile); tall++ {
		time, tiles := 0, isa.Ceil(p.filters, tall)
		for i := range tiles {
			count := p.filters*(i+1)/tiles - p.filters*i/tiles
			time += count*width + 2*isa.Ceil(width, len(p.k.tile[count])-1)
		}
		if best == 0 || time <= least {
			best, least = tall, time
		}
	}
	return best
}

// rect is where a run of rows and one of columns meet.
func (p *Conv) rect(r, c window.Run, xWidth, yWidth int) rectangle {
	taps, number := p.op.taps(), 4*p.tall
	row, tapRow := r.InTap*xWidth*abi.PixelBytes, r.TapStep*p.op.KW*number
	s := abi.TileSteps{FilterY: 4 * p.yPlane, Rows: r.Taps, Cols: c.Taps, ColX: c.InTap * abi.PixelBytes, ColW: c.TapStep * number}
	s.RowX, s.RowW = row-s.Cols*s.ColX, tapRow-s.Cols*s.ColW
	s.ChannelX, s.ChannelW = 4*p.xPlane-s.Rows*row, taps*number-s.Rows*tapRow
	rect := rectangle{x: (r.In*xWidth + c.In) * Images, w: (r.Tap*p.op.KW + c.Tap) * p.tall, y: (r.Out*yWidth + c.Out) * Images, channels: p.channels}
	if r.Taps*c.Taps == 0 {
		rect.channels, rect.x, rect.w, r.InStep, c.InStep = 0, 0, 0, 0, 0
	}
	down := [2]int{r.InStep * xWidth * Images, r.Step * yWidth * Images}
	along := [2]int{c.InStep * Images, c.Step * Images}
	rect.lines, rect.pixels = r.N, c.N
	if p.fill(r.N) > p.fill(c.N) { // lines go down
		rect.lines, rect.pixels, down, along = c.N, r.N, along, down
	}
	rect.xLine, rect.yLine = down[0], down[1]
	s.PixelX, s.PixelY = 4*along[0], 4*along[1]
	rect.steps = s
	return rect
}

// fill is how many pixels the tiles of a line have, times 16.
func (p *Conv) fill(pixels int) int {
	return 16 * pixels / isa.Ceil(pixels, len(p.k.tile[max(min(p.tall, p.filters), 1)])-1)
}

// PackedLen returns the number of elements of the packed filters.
func (p *Conv) PackedLen() int { return p.Packs() * p.packLen() }

// Packs returns how many parts Pack works on.
func (p *Conv) Packs() int { return p.op.Groups * p.tiles }

func (p *Conv) packLen() int { return p.channels * p.op.taps() * p.tall }

// tile returns the first filter of tile i of a group, and how many it has.
func (p *Conv) tile(i int) (first, count int) {
	first = p.filters * i / p.tiles
	return first, p.filters*(i+1)/p.tiles - first
}

// Pack writes parts lo to hi of the filters w in the order that Run wants them.
func (p *Conv) Pack(packed, w []float32, lo, hi int) {
	taps := p.op.taps()
	for i := lo; i < hi; i++ {
		first, count := p.tile(i % p.tiles)
		dst, src := packed[i*p.packLen():][:p.packLen()], w[i/p.tiles*p.filters*p.channels*taps:]
		if !p.adjoint {
			gemm.Transpose(p.k.gemm, dst, p.tall, src[first*p.channels*taps:], 0, count, p.channels*taps)
			continue
		}
		for m := range p.channels {
			gemm.Transpose(p.k.gemm, dst[m*taps*p.tall:], p.tall, src[(m*p.filters+first)*taps:], 0, count, taps)
		}
	}
}

// Tasks returns the number of parts that Run works on. They do not depend on each other.
func (p *Conv) Tasks() int {
	return p.op.Blocks * p.op.Groups * p.shares * len(p.bands)
}

// Work returns the number of multiplications of all tasks.
func (p *Conv) Work() int {
	o := &p.op
	return o.Blocks * Images * o.Groups * o.M * o.C * o.taps() * o.OH * o.OW
}

// Run computes tasks lo to hi of y from x, the packed filters and bias, which may be nil where the
// op has none.
func (p *Conv) Run(y, x, packed, bias []float32, lo, hi int) {
	groups := p.op.Blocks * p.op.Groups
	if len(y) < groups*p.filters*p.yPlane || len(x) < groups*p.channels*p.xPlane || len(packed) < p.PackedLen() || p.biasFlag > 0 && len(bias) < p.op.Groups*p.filters {
		panic(fmt.Sprintf("interleaved: Conv %+v with %d, %d, %d and %d elements in y, x, packed and bias", p.op, len(y), len(x), len(packed), len(bias)))
	}
	for task := lo; task < hi; task++ {
		band, rest := task%len(p.bands), task/len(p.bands)
		share, group := rest%p.shares, rest/p.shares
		at := operands{y: y[group*p.filters*p.yPlane:], x: x[group*p.channels*p.xPlane:], w: packed[group%p.op.Groups*p.tiles*p.packLen():]}
		if p.biasFlag > 0 {
			at.bias = bias[group%p.op.Groups*p.filters:]
		}
		for i := range p.bands[band] {
			p.run(&p.bands[band][i], at, p.tiles*share/p.shares, p.tiles*(share+1)/p.shares)
		}
	}
}

// operands is where a group's operands begin.
type operands struct{ y, x, w, bias []float32 }

// run computes a rectangle for tiles lo to hi of filters.
func (p *Conv) run(r *rectangle, at operands, lo, hi int) {
	for line := range r.lines {
		x, y := r.x+line*r.xLine, r.y+line*r.yLine
		for i := lo; i < hi; i++ {
			first, count := p.tile(i)
			to := operands{at.y[first*p.yPlane+y:], at.x[x:], at.w[i*p.packLen()+r.w:], at.bias}
			if at.bias != nil {
				to.bias = at.bias[first:]
			}
			p.line(r, count, to)
		}
	}
}

// line computes a line of pixels for count filters.
func (p *Conv) line(r *rectangle, count int, at operands) {
	kernels := p.k.tile[count]
	tiles := isa.Ceil(r.pixels, len(kernels)-1)
	short := r.pixels / tiles
	long := r.pixels - short*tiles // tiles of one more pixel
	if long > 0 {
		at = p.call(r, kernels[short+1], at, long, count, short+1)
	}
	p.call(r, kernels[short], at, tiles-long, count, short)
}

// leastSums is how many sums under way keep the multipliers busy.
const leastSums = 4

// call runs a kernel on n tiles of count filters and so many pixels, cut up so that no call is
// long. It returns where the next tile is.
func (p *Conv) call(r *rectangle, kernel tileFunc, at operands, n, count, pixels int) operands {
	work := max(r.steps.Rows*r.steps.Cols*max(count*pixels, leastSums)*Images, 1) // of a channel of a tile
	tiles, channels := max(isa.CallWork/(work*max(r.channels, 1)), 1), r.channels
	if tiles == 1 {
		channels = min(max(isa.CallWork/work, 1), r.channels)
	}
	for n > 0 {
		part := min(tiles, n)
		p.channelBlocks(r, kernel, at, part, channels)
		at.x, at.y = isa.Behind(at.x, part*pixels*r.steps.PixelX/4), isa.Behind(at.y, part*pixels*r.steps.PixelY/4)
		n -= part
	}
	return at
}

// channelBlocks runs a kernel on n tiles, block by block of channels: the first one may overwrite
// y, the last one finishes.
func (p *Conv) channelBlocks(r *rectangle, kernel tileFunc, at operands, n, most int) {
	for from, flags := 0, 0; ; flags = abi.FlagAdd {
		channels := min(most, r.channels-from)
		if from+channels == r.channels {
			flags |= p.biasFlag | p.reluFlag
		}
		x, w := isa.Behind(at.x, from*p.xPlane), at.w[from*p.op.taps()*p.tall:]
		for lane := 0; lane < Images; lane += p.k.width {
			kernel(n, channels, &r.steps.PixelX, isa.Elem(x, lane), isa.Elem(w, 0), isa.Elem(at.y, lane), isa.Elem(at.bias, 0), flags)
		}
		if from += channels; from == r.channels {
			return
		}
	}
}
