package interleaved

import (
	"fmt"

	"github.com/plexaura/plexaura/internal/simd/abi"
	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/vec"
)

// WinogradFilterGrad is the gradient of the filters of a convolution of interleaved batches by the
// adjoint of Winograd, F(5,4): tiles of 8 pixels and of 4 of dy are transformed to 8 values, of
// which sums of products over all tiles are transformed to the 5 taps of a row. It is immutable and
// safe for concurrent use, and as exact as Winograd.
//
// A unit of work is some filters and some rows of taps. Its sums are of every lane, and are added
// up at the end of a task.
type WinogradFilterGrad struct {
	op    Op
	k     *Kernels
	image imageTransform // with the rows of zeros above and below

	tall, wide    int // of a unit: filters and rows of taps at most
	tiles, chunks int // of filters, of rows of taps
	tables        [][]abi.GradTap
	steps         abi.GradSteps
	strips        []int // where each begins, and where the last one ends
	batches       int   // of strips of images
}

// NewWinogradFilterGrad plans the gradient. It reports false where the algorithm does not apply;
// [WinogradWork] says whether FilterGrad is as fast. Bias and Act do not matter.
func NewWinogradFilterGrad(k *Kernels, op Op) (*WinogradFilterGrad, bool) {
	op.Window = op.Window.WithDefaults()
	if !op.suitsWinograd(op.C, op.M, op.OW) {
		return nil, false
	}
	p := &WinogradFilterGrad{op: op, k: k, image: newImageTransform(k, extents{op.C, op.H, op.W}, op.Left, op.OW)}
	p.choose()
	row := rowValues * p.image.line() * 4
	most := max((isa.CacheSizes().L2/2/row-op.C*(op.KH-1))/(op.C+op.M), 1)
	strips := isa.Ceil(op.OH, most)
	for i := range strips + 1 {
		p.strips = append(p.strips, op.OH*i/strips)
	}
	rows := isa.Ceil(op.OH, strips)
	p.image.rows = rows + op.KH - 1
	p.batches = max(min(mostBatches, op.Blocks*strips), 1)
	p.steps = abi.GradSteps{FilterDy: 4 * p.dyChannel(), FilterSums: p.wide * abi.PixelBytes, ColX: abi.PixelBytes}
	p.table()
	return p, true
}

// mostBatches is how many tasks a group has at most: each has sums of its own.
const mostBatches = 4

// choose picks the size of a unit by the time of its products, as FilterGrad does.
func (p *WinogradFilterGrad) choose() {
	taps, least := p.op.C*p.op.KH, 0
	for tall := 1; tall < len(p.k.grad); tall++ {
		wide := min(len(p.k.grad[tall])-1, taps)
		tiles, chunks := isa.Ceil(p.op.M, tall), isa.Ceil(taps, wide)
		if time := p.op.M*taps + 2*tiles*chunks; p.tall == 0 || time <= least {
			least, p.tall, p.wide, p.tiles, p.chunks = time, tall, wide, tiles, chunks
		}
	}
}

// table notes for each chunk where a row of taps meets the tiles of the image, and where its sums
// stand.
func (p *WinogradFilterGrad) table() {
	for i := range p.chunks {
		var table []abi.GradTap
		lo, hi := p.chunk(i)
		for tap := lo; tap < hi; tap++ {
			c, row := tap/p.op.KH, tap%p.op.KH
			table = append(table, abi.GradTap{X: 4 * (c*p.image.channel() + row*p.image.line()), Sums: (tap - lo) * abi.PixelBytes})
		}
		p.tables = append(p.tables, table)
	}
}

func (p *WinogradFilterGrad) chunk(i int) (lo, hi int) {
	taps := p.op.C * p.op.KH
	return taps * i / p.chunks, taps * (i + 1) / p.chunks
}

func (p *WinogradFilterGrad) tile(i int) (lo, hi int) {
	return p.op.M * i / p.tiles, p.op.M * (i + 1) / p.tiles
}

// dyChannel is the elements of the values of a channel of dy, dyStride those from a value to the
// next.
func (p *WinogradFilterGrad) dyChannel() int { return (p.image.rows - p.op.KH + 1) * p.image.line() }
func (p *WinogradFilterGrad) dyStride() int  { return p.op.M*p.dyChannel() + isa.Alignment }

// unitLen is the elements of a unit's sums, valueLen those of one of the values.
func (p *WinogradFilterGrad) unitLen() int  { return p.tall * p.wide * Images }
func (p *WinogradFilterGrad) valueLen() int { return p.tiles * p.chunks * p.unitLen() }

// SumsLen returns the number of elements of the sums that Run and Total work with.
func (p *WinogradFilterGrad) SumsLen() int { return p.Tasks() * rowValues * p.valueLen() }

// Tasks returns the number of parts that Run works on. They do not depend on each other.
func (p *WinogradFilterGrad) Tasks() int { return p.op.Groups * p.batches }

// Work returns the number of multiplications of all tasks.
func (p *WinogradFilterGrad) Work() int {
	o := &p.op
	return o.Blocks * Images * o.Groups * o.M * o.C * o.KH * o.OH * p.image.tiles * rowValues
}

// Scratch returns the number of elements of scratch memory that Run needs.
func (p *WinogradFilterGrad) Scratch() int { return p.image.scratch() + rowValues*p.dyStride() }

// TotalScratch returns the number of elements of scratch memory that Total needs.
func (p *WinogradFilterGrad) TotalScratch() int { return (abi.RowTaps + rowValues) * p.groupRows() }

// groupRows is the rows of taps of a group's filters.
func (p *WinogradFilterGrad) groupRows() int { return p.op.M * p.op.C * p.op.KH }

// Run computes the sums of tasks lo to hi. It reports false where some of x or dy is not finite, or
// beyond 1e18, and the sums are of no use. scratch needs Scratch elements.
func (p *WinogradFilterGrad) Run(sums, x, dy, scratch []float32, lo, hi int) (finite bool) {
	o := &p.op
	if n := o.Blocks * o.Groups; len(sums) < p.SumsLen() || len(x) < n*o.C*o.xPlane() || len(dy) < n*o.M*o.yPlane() || len(scratch) < p.Scratch() {
		panic(fmt.Sprintf("interleaved: WinogradFilterGrad %+v with %d, %d, %d and %d elements in sums, x, dy and scratch", p.op, len(sums), len(x), len(dy), len(scratch)))
	}
	room, values := p.image.room(scratch)
	strips := len(p.strips) - 1
	for task := lo; task < hi; task++ {
		batch, group := task/o.Groups, task%o.Groups
		own := sums[task*rowValues*p.valueLen():][:rowValues*p.valueLen()]
		clear(own)
		images := o.Blocks * strips
		for i := images * batch / p.batches; i < images*(batch+1)/p.batches; i++ {
			at := i/strips*o.Groups + group
			p.strip(own, x[at*o.C*o.xPlane():], dy[at*o.M*o.yPlane():], room, values, p.strips[i%strips], p.strips[i%strips+1])
		}
		p.k.total(len(own)/Images, 1, 0, &own[0])
	}
	return room.finite(p.k)
}

// strip adds rows lo to hi of dy.
func (p *WinogradFilterGrad) strip(sums, x, dy []float32, room transformRoom, values []float32, lo, hi int) {
	o := &p.op
	first, end := lo-o.Top, hi-o.Top+o.KH-1
	from, to := min(max(first, 0), o.H), max(min(end, o.H), 0)
	line := p.image.line()
	for e := range rowValues {
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
	most := max(isa.CallWork/(p.image.tiles*transformCost*Images), 1)
	for m := range o.M {
		for row := lo; row < hi; row += most {
			d, v := dy[m*o.yPlane()+row*o.OW*Images:], values[m*p.dyChannel()+(row-lo)*line:]
			for lane := 0; lane < Images; lane += p.k.width {
				p.k.winogradDy(min(most, hi-row), p.image.tiles, o.OW, &d[lane], &v[lane], 4*line, 4*p.dyStride(), &room.sums[lane])
			}
		}
	}
	p.products(sums, room.values, values, (hi-lo)*p.image.tiles)
}

// products adds those of so many tiles.
func (p *WinogradFilterGrad) products(sums, images, dys []float32, tiles int) {
	for e := range rowValues {
		for i := range p.tiles {
			lo, hi := p.tile(i)
			for j, table := range p.tables {
				own := sums[e*p.valueLen()+(i*p.chunks+j)*p.unitLen():]
				kernel := p.k.grad[hi-lo][len(table)]
				most := max(isa.CallWork/(p.unitLen()), 1)
				for at := 0; at < tiles; at += most {
					x, dy := images[e*p.image.stride()+at*Images:], dys[e*p.dyStride()+lo*p.dyChannel()+at*Images:]
					for lane := 0; lane < Images; lane += p.k.width {
						kernel(1, min(most, tiles-at), &p.steps.FilterDy, &dy[lane], &x[lane], &table[0].X, &own[lane])
					}
				}
			}
		}
	}
}

// Total adds up the sums of all tasks, and sets dw. scratch needs TotalScratch elements.
func (p *WinogradFilterGrad) Total(dw, sums, scratch []float32) {
	n, each := p.groupRows(), rowValues*p.valueLen()
	taps, values := scratch[:abi.RowTaps*n], scratch[abi.RowTaps*n:][:rowValues*n]
	for group := range p.op.Groups {
		total := sums[group*each:][:each/Images]
		for batch := 1; batch < p.batches; batch++ {
			p.k.vec.Map(vec.Add, total, total, sums[(batch*p.op.Groups+group)*each:], 0)
		}
		p.order(values, total)
		for tap := range abi.RowTaps {
			t := taps[tap*n:][:n]
			clear(t)
			for e := range rowValues {
				if f := filterMatrix[e][tap]; f != 0 {
					p.k.vec.Map(vec.Axpy, t, values[e*n:], t, f)
				}
			}
		}
		gemm.Transpose(p.k.gemm, dw[group*n*abi.RowTaps:], 0, taps, n, abi.RowTaps, n)
	}
}

// order sets values to the totals of units, filter by filter.
func (p *WinogradFilterGrad) order(values, total []float32) {
	rows := p.op.C * p.op.KH
	for e := range rowValues {
		for i := range p.tiles {
			lo, hi := p.tile(i)
			for j := range p.chunks {
				first, end := p.chunk(j)
				unit := total[(e*p.valueLen()+(i*p.chunks+j)*p.unitLen())/Images:]
				for m := lo; m < hi; m++ {
					copy(values[(e*p.op.M+m)*rows+first:][:end-first], unit[(m-lo)*p.wide:])
				}
			}
		}
	}
}
