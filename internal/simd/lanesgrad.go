package simd

import "fmt"

// LaneGrad is the gradient of the filters of a convolution in lanes, planned for a level. It is immutable and safe for
// concurrent use.
//
// A unit of work is some filters and some of their elements: a part of a row of taps, of some channels. Its sums are of
// every lane, and are added up at the end.
type LaneGrad struct {
	op LaneOp
	k  *Kernels

	tall, tiles     int // the most filters of a unit; tiles of filters in a group
	wide            int // taps of a unit
	channels        int // of a unit
	parts           []lanePart
	blocks          int   // of channels in a group
	rows            []int // for each row of taps the first row of results that meets the image, and the last one's end
	band            int   // rows of results that a unit goes through before the next one has its turn
	batches, chunks int   // of blocks of images, of units
}

// lanePart is a part of a row of taps.
type lanePart struct {
	first, taps int
	runs        []laneGradRun
}

// laneGradRun are columns of results that meet the same taps of a part.
type laneGradRun struct {
	laneRun
	steps  laneGradSteps
	tables [2][]int // for all channels of a unit, and for those of the last one
}

// NewLaneGrad plans the gradient. Bias and Act do not matter.
func NewLaneGrad(k *Kernels, op LaneOp) *LaneGrad {
	op.Window = op.Window.withDefaults()
	p := &LaneGrad{op: op, k: k}
	p.choose()
	for a := range op.KH {
		lo, hi := op.OH, 0
		for o := range op.OH {
			if at := o*op.SH + a*op.DH - op.Top; at >= 0 && at < op.H {
				lo, hi = min(lo, o), o+1
			}
		}
		p.rows = append(p.rows, lo, hi)
	}
	for i := range p.parts {
		p.plan(&p.parts[i])
	}
	line := 4 * Lanes * (p.tall*op.OW + p.channels*op.SH*op.W)
	p.band = max(min(cacheSizes().l1*3/4/max(line, 1), callWork/max(p.tall*p.wide*Lanes*op.OW, 1)), 1)
	p.share()
	return p
}

// choose picks the size of a unit by the time of its products: one a cycle, and two more for a pixel.
func (p *LaneGrad) choose() {
	least := 0
	for tall := 1; tall < len(p.k.laneGrad); tall++ {
		most, tiles := len(p.k.laneGrad[tall])-1, ceil(p.op.M, tall)
		parts := ceil(p.op.KW, most)
		taps := ceil(p.op.KW, parts)
		channels := min(max(most/taps, 1), p.op.C)
		time := p.op.M*p.op.C*p.op.KW + 2*tiles*parts*ceil(p.op.C, channels)
		if p.tall > 0 && time > least {
			continue
		}
		least, p.tall, p.tiles, p.wide, p.channels = time, tall, tiles, taps*channels, channels
		p.parts = make([]lanePart, parts)
		for i := range parts {
			first := p.op.KW * i / parts
			p.parts[i] = lanePart{first: first, taps: p.op.KW*(i+1)/parts - first}
		}
	}
	p.blocks = ceil(p.op.C, p.channels)
}

func (p *LaneGrad) plan(part *lanePart) {
	_, cols := p.op.laneAxes()
	for _, run := range laneRuns(cols.out, part.taps, 1, func(o, k int) (int, bool) {
		at := o*cols.stride + (part.first+k)*cols.dilation - cols.before
		return at, at >= 0 && at < cols.in
	}) {
		if run.taps == 0 {
			continue
		}
		r := laneGradRun{laneRun: run}
		r.steps = laneGradSteps{filterDy: 4 * p.op.yPlane(), filterSums: p.wide * lanePixel,
			rowDy: (p.op.OW - run.n) * lanePixel, colX: run.inStep * lanePixel}
		r.steps.rowX = p.op.SH*p.op.W*lanePixel - run.n*r.steps.colX
		for i, channels := range []int{p.channels, p.op.C - (p.blocks-1)*p.channels} {
			for c := range channels {
				for k := range run.taps {
					r.tables[i] = append(r.tables[i], c*4*p.op.xPlane()+k*run.inTap*lanePixel, (c*part.taps+run.tap+k)*lanePixel)
				}
			}
		}
		part.runs = append(part.runs, r)
	}
}

// leastGradTasks is how many tasks a gradient has at least, if it is large.
const leastGradTasks = 16

// share cuts the work into tasks.
func (p *LaneGrad) share() {
	units := p.units()
	tasks := max(min(p.Work()/(4*taskWork), leastGradTasks), 1)
	p.batches = max(min(p.op.Blocks, tasks/max(units, 1)), 1)
	together := len(p.parts) * p.op.KH // they read the same
	chunk := roundUp(ceil(units*p.batches, tasks), min(together, max(units, 1)))
	p.chunks = ceil(units, max(chunk, 1))
}

// Work returns the number of multiplications of all tasks.
func (p *LaneGrad) Work() int {
	o := &p.op
	return o.Blocks * Lanes * o.Groups * o.M * o.C * o.taps() * o.OH * o.OW
}

func (p *LaneGrad) units() int {
	return p.op.Groups * p.tiles * p.blocks * p.op.KH * len(p.parts)
}

// unitLen is the elements of a unit's sums.
func (p *LaneGrad) unitLen() int { return p.tall * p.wide * Lanes }

// SumsLen returns the number of elements of the sums that Run and Total work with.
func (p *LaneGrad) SumsLen() int { return p.batches * p.units() * p.unitLen() }

// Tasks returns the number of parts that Run works on. They do not depend on each other.
func (p *LaneGrad) Tasks() int { return p.batches * p.chunks }

// Totals returns the number of parts that Total works on.
func (p *LaneGrad) Totals() int { return p.units() }

// Run computes the sums of tasks lo to hi.
func (p *LaneGrad) Run(sums, x, dy []float32, lo, hi int) {
	o := &p.op
	if n := o.Blocks * o.Groups; len(sums) < p.SumsLen() || len(x) < n*o.C*o.xPlane() || len(dy) < n*o.M*o.yPlane() {
		panic(fmt.Sprintf("simd: LaneGrad %+v with %d, %d and %d elements in sums, x and dy", p.op, len(sums), len(x), len(dy)))
	}
	units := p.units()
	for task := lo; task < hi; task++ {
		batch, chunk := task/p.chunks, task%p.chunks
		from, to := units*chunk/p.chunks, units*(chunk+1)/p.chunks
		own := sums[batch*units*p.unitLen():][:units*p.unitLen()]
		clear(own[from*p.unitLen() : to*p.unitLen()])
		for block := o.Blocks * batch / p.batches; block < o.Blocks*(batch+1)/p.batches; block++ {
			for row := 0; row < o.OH; row += p.band {
				for u := from; u < to; u++ {
					p.unit(own[u*p.unitLen():], x, dy, u, block, row)
				}
			}
		}
	}
}

// laneUnit is where a unit is.
type laneUnit struct {
	group, first, filters int
	block                 int // of channels
	row                   int // of taps
	part                  *lanePart
}

func (p *LaneGrad) unitAt(u int) laneUnit {
	part, u := u%len(p.parts), u/len(p.parts)
	row, u := u%p.op.KH, u/p.op.KH
	block, u := u%p.blocks, u/p.blocks
	tile := u % p.tiles
	first := p.op.M * tile / p.tiles
	return laneUnit{u / p.tiles, first, p.op.M*(tile+1)/p.tiles - first, block, row, &p.parts[part]}
}

// narrowRun is for how few columns a unit goes through all rows at once.
const narrowRun = 4

// unit adds a band of a block of images, from a row on, to the sums of unit u.
func (p *LaneGrad) unit(sums, x, dy []float32, u, block, row int) {
	o, at := &p.op, p.unitAt(u)
	group := block*o.Groups + at.group
	dy = dy[(group*o.M+at.first)*o.yPlane():]
	x = x[(group*o.C+at.block*p.channels)*o.xPlane():]
	lo, hi := p.rows[2*at.row], p.rows[2*at.row+1]
	for i := range at.part.runs {
		r := &at.part.runs[i]
		from, to, most := max(lo, row), min(hi, row+p.band), p.band
		if r.n < narrowRun {
			from, to, most = lo, hi, p.band*max(o.OW/r.n, 1)
			if row > 0 {
				continue
			}
		}
		taps := r.tables[0]
		if at.block == p.blocks-1 {
			taps = r.tables[1]
		}
		kernel := p.k.laneGrad[at.filters][len(taps)/2]
		for ; from < to; from += most {
			d := dy[(from*o.OW+r.out)*Lanes:]
			v := x[((from*o.SH+at.row*o.DH-o.Top)*o.W+r.in)*Lanes:]
			for lane := 0; lane < Lanes; lane += p.k.laneWidth {
				kernel(min(most, to-from), r.n, &r.steps.filterDy, &d[lane], &v[lane], &taps[0], &sums[lane])
			}
		}
	}
}

// Total adds up the sums of parts lo to hi, and sets their elements of dw.
func (p *LaneGrad) Total(dw, sums []float32, lo, hi int) {
	o, units, n := &p.op, p.units(), p.tall*p.wide
	for u := lo; u < hi; u++ {
		at := p.unitAt(u)
		own := sums[u*p.unitLen():]
		p.k.laneTotal(n, p.batches, 4*units*p.unitLen(), &own[0])
		first := at.block * p.channels
		for f := range at.filters {
			for c := range min(p.channels, o.C-first) {
				to := ((at.group*o.M+at.first+f)*o.C + first + c) * o.taps()
				copy(dw[to+at.row*o.KW+at.part.first:][:at.part.taps], own[f*p.wide+c*at.part.taps:])
			}
		}
	}
}
