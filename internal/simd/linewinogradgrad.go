package simd

import "fmt"

// LineWinogradGrad is the gradient of the filters of a convolution in lanes by the adjoint of LineWinograd, F(5,4): tiles of
// 8 pixels and of 4 of dy are transformed to 8 values, of which sums of products over all tiles are transformed to the 5
// taps of a row. It is immutable and safe for concurrent use, and as exact as LineWinograd.
//
// A unit of work is some filters and some rows of taps. Its sums are of every lane, and are added up at the end of a task.
type LineWinogradGrad struct {
	op    LaneOp
	k     *Kernels
	image lineTransform // with the rows of zeros above and below

	tall, wide    int // of a unit: filters and rows of taps at most
	tiles, chunks int // of filters, of rows of taps
	tables        [][]int
	steps         laneGradSteps
	strips        []int // where each begins, and where the last one ends
	batches       int   // of strips of images
}

// NewLineWinogradGrad plans the gradient. It reports false where the algorithm does not apply; [LineWork] tells whether LaneGrad is as fast. Bias
// and Act do not matter.
func NewLineWinogradGrad(k *Kernels, op LaneOp) (*LineWinogradGrad, bool) {
	op.Window = op.Window.withDefaults()
	if !op.suitsLines(op.C, op.M, op.OW) {
		return nil, false
	}
	p := &LineWinogradGrad{op: op, k: k, image: newLineTransform(k, lineImages{op.C, op.H, op.W}, op.Left, op.OW)}
	p.choose()
	row := lineValues * p.image.line() * 4
	most := max((cacheSizes().l2/2/row-op.C*(op.KH-1))/(op.C+op.M), 1)
	strips := ceil(op.OH, most)
	for i := range strips + 1 {
		p.strips = append(p.strips, op.OH*i/strips)
	}
	rows := ceil(op.OH, strips)
	p.image.rows = rows + op.KH - 1
	p.batches = max(min(lineBatches, op.Blocks*strips), 1)
	p.steps = laneGradSteps{filterDy: 4 * p.dyChannel(), filterSums: p.wide * lanePixel, colX: lanePixel}
	p.table()
	return p, true
}

// lineBatches is how many tasks a group has at most: each has sums of its own.
const lineBatches = 4

// choose picks the size of a unit by the time of its products, as LaneGrad does.
func (p *LineWinogradGrad) choose() {
	taps, least := p.op.C*p.op.KH, 0
	for tall := 1; tall < len(p.k.laneGrad); tall++ {
		wide := min(len(p.k.laneGrad[tall])-1, taps)
		tiles, chunks := ceil(p.op.M, tall), ceil(taps, wide)
		if time := p.op.M*taps + 2*tiles*chunks; p.tall == 0 || time <= least {
			least, p.tall, p.wide, p.tiles, p.chunks = time, tall, wide, tiles, chunks
		}
	}
}

// table notes for each chunk where a row of taps meets the tiles of the image, and where its sums stand.
func (p *LineWinogradGrad) table() {
	for i := range p.chunks {
		var table []int
		lo, hi := p.chunk(i)
		for tap := lo; tap < hi; tap++ {
			c, row := tap/p.op.KH, tap%p.op.KH
			table = append(table, 4*(c*p.image.channel()+row*p.image.line()), (tap-lo)*lanePixel)
		}
		p.tables = append(p.tables, table)
	}
}

func (p *LineWinogradGrad) chunk(i int) (lo, hi int) {
	taps := p.op.C * p.op.KH
	return taps * i / p.chunks, taps * (i + 1) / p.chunks
}

func (p *LineWinogradGrad) tile(i int) (lo, hi int) {
	return p.op.M * i / p.tiles, p.op.M * (i + 1) / p.tiles
}

// dyChannel is the elements of the values of a channel of dy, dyStride those from a value to the next.
func (p *LineWinogradGrad) dyChannel() int { return (p.image.rows - p.op.KH + 1) * p.image.line() }
func (p *LineWinogradGrad) dyStride() int  { return p.op.M*p.dyChannel() + alignment }

// unitLen is the elements of a unit's sums, valueLen those of one of the values.
func (p *LineWinogradGrad) unitLen() int  { return p.tall * p.wide * Lanes }
func (p *LineWinogradGrad) valueLen() int { return p.tiles * p.chunks * p.unitLen() }

// SumsLen returns the number of elements of the sums that Run and Total work with.
func (p *LineWinogradGrad) SumsLen() int { return p.Tasks() * lineValues * p.valueLen() }

// Tasks returns the number of parts that Run works on. They do not depend on each other.
func (p *LineWinogradGrad) Tasks() int { return p.op.Groups * p.batches }

// Work returns the number of multiplications of all tasks.
func (p *LineWinogradGrad) Work() int {
	o := &p.op
	return o.Blocks * Lanes * o.Groups * o.M * o.C * o.KH * o.OH * p.image.tiles * lineValues
}

// Scratch returns the number of elements of scratch memory that Run needs.
func (p *LineWinogradGrad) Scratch() int { return p.image.scratch() + lineValues*p.dyStride() }

// TotalScratch returns the number of elements of scratch memory that Total needs.
func (p *LineWinogradGrad) TotalScratch() int { return (lineTaps + lineValues) * p.groupRows() }

// groupRows is the rows of taps of a group's filters.
func (p *LineWinogradGrad) groupRows() int { return p.op.M * p.op.C * p.op.KH }

// Run computes the sums of tasks lo to hi. It reports false where some of x or dy is not finite, or beyond 1e18, and
// the sums are of no use. scratch needs Scratch elements.
func (p *LineWinogradGrad) Run(sums, x, dy, scratch []float32, lo, hi int) (finite bool) {
	o := &p.op
	if n := o.Blocks * o.Groups; len(sums) < p.SumsLen() || len(x) < n*o.C*o.xPlane() || len(dy) < n*o.M*o.yPlane() || len(scratch) < p.Scratch() {
		panic(fmt.Sprintf("simd: LineWinogradGrad %+v with %d, %d, %d and %d elements in sums, x, dy and scratch", p.op, len(sums), len(x), len(dy), len(scratch)))
	}
	room, values := p.image.room(scratch)
	strips := len(p.strips) - 1
	for task := lo; task < hi; task++ {
		batch, group := task/o.Groups, task%o.Groups
		own := sums[task*lineValues*p.valueLen():][:lineValues*p.valueLen()]
		clear(own)
		images := o.Blocks * strips
		for i := images * batch / p.batches; i < images*(batch+1)/p.batches; i++ {
			at := i/strips*o.Groups + group
			p.strip(own, x[at*o.C*o.xPlane():], dy[at*o.M*o.yPlane():], room, values, p.strips[i%strips], p.strips[i%strips+1])
		}
		p.k.laneTotal(len(own)/Lanes, 1, 0, &own[0])
	}
	return room.finite(p.k)
}

// strip adds rows lo to hi of dy.
func (p *LineWinogradGrad) strip(sums, x, dy []float32, room lineRoom, values []float32, lo, hi int) {
	o := &p.op
	first, end := lo-o.Top, hi-o.Top+o.KH-1
	from, to := min(max(first, 0), o.H), max(min(end, o.H), 0)
	line := p.image.line()
	for e := range lineValues {
		for c := range o.C {
			v := room.values[e*p.image.stride()+c*p.image.channel():]
			clear(v[:(max(from, first)-first)*line])
			if to < end {
				clear(v[(max(to, from, first)-first)*line : (end-first)*line])
			}
		}
	}
	if from < to {
		p.image.run(room, room.values[(from-first)*line:], x, from, to-from)
	}
	most := max(callWork/(p.image.tiles*lineCost*Lanes), 1)
	for m := range o.M {
		for row := lo; row < hi; row += most {
			d, v := dy[m*o.yPlane()+row*o.OW*Lanes:], values[m*p.dyChannel()+(row-lo)*line:]
			for lane := 0; lane < Lanes; lane += p.k.laneWidth {
				p.k.lineWinoDy(min(most, hi-row), p.image.tiles, o.OW, &d[lane], &v[lane], 4*line, 4*p.dyStride(), &room.sums[lane])
			}
		}
	}
	p.products(sums, room.values, values, (hi-lo)*p.image.tiles)
}

// products adds those of so many tiles.
func (p *LineWinogradGrad) products(sums, images, dys []float32, tiles int) {
	for e := range lineValues {
		for i := range p.tiles {
			lo, hi := p.tile(i)
			for j, table := range p.tables {
				own := sums[e*p.valueLen()+(i*p.chunks+j)*p.unitLen():]
				kernel := p.k.laneGrad[hi-lo][len(table)/2]
				most := max(callWork/(p.unitLen()), 1)
				for at := 0; at < tiles; at += most {
					x, dy := images[e*p.image.stride()+at*Lanes:], dys[e*p.dyStride()+lo*p.dyChannel()+at*Lanes:]
					for lane := 0; lane < Lanes; lane += p.k.laneWidth {
						kernel(1, min(most, tiles-at), &p.steps.filterDy, &dy[lane], &x[lane], &table[0], &own[lane])
					}
				}
			}
		}
	}
}

// Total adds up the sums of all tasks, and sets dw. scratch needs TotalScratch elements.
func (p *LineWinogradGrad) Total(dw, sums, scratch []float32) {
	n, each := p.groupRows(), lineValues*p.valueLen()
	taps, values := scratch[:lineTaps*n], scratch[lineTaps*n:][:lineValues*n]
	for group := range p.op.Groups {
		total := sums[group*each:][:each/Lanes]
		for batch := 1; batch < p.batches; batch++ {
			p.k.Map(OpAdd, total, total, sums[(batch*p.op.Groups+group)*each:], 0)
		}
		p.order(values, total)
		for tap := range lineTaps {
			t := taps[tap*n:][:n]
			clear(t)
			for e := range lineValues {
				if f := lineFilter[e][tap]; f != 0 {
					p.k.Map(OpAxpy, t, values[e*n:], t, f)
				}
			}
		}
		Transpose(p.k, dw[group*n*lineTaps:], 0, taps, n, lineTaps, n)
	}
}

// order sets values to the totals of units, filter by filter.
func (p *LineWinogradGrad) order(values, total []float32) {
	rows := p.op.C * p.op.KH
	for e := range lineValues {
		for i := range p.tiles {
			lo, hi := p.tile(i)
			for j := range p.chunks {
				first, end := p.chunk(j)
				unit := total[(e*p.valueLen()+(i*p.chunks+j)*p.unitLen())/Lanes:]
				for m := lo; m < hi; m++ {
					copy(values[(e*p.op.M+m)*rows+first:][:end-first], unit[(m-lo)*p.wide:])
				}
			}
		}
	}
}
