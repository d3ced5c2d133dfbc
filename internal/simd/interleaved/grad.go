package interleaved

import (
	"fmt"

	"github.com/plexaura/plexaura/internal/simd/abi"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/window"
)

// FilterGrad is the gradient of the filters of a convolution of interleaved batches, planned for a
// level. It is immutable and safe for concurrent use.
//
// A unit of work is some filters and their elements of some channels. Its sums are of every lane,
// and are added up at the end.
type FilterGrad struct {
	op Op
	k  *Kernels

	tall, tiles     int // the most filters of a unit; tiles of filters in a group
	wide            int // taps of a call at most
	channels        int // of a unit
	parts           []gradPart
	blocks          int   // of channels in a group
	rows            []int // for each row of taps the first row of results that meets the image, and the last one's end
	band            int   // rows of results that a unit goes through before the next one has its turn
	strips          int   // that the rows of an image are cut into
	batches, chunks int   // of strips of images, of units
}

// gradPart is a part of a row of taps.
type gradPart struct {
	first, taps int
	runs        []gradRun
}

// gradRun are columns of results that meet the same taps of a part.
type gradRun struct {
	window.Run
	steps  abi.GradSteps
	tables [2][]abi.GradTap // for all channels of a unit, and for those of the last one
}

// NewFilterGrad plans the gradient. Bias and Act do not matter.
func NewFilterGrad(k *Kernels, op Op) *FilterGrad {
	op.Window = op.Window.WithDefaults()
	p := &FilterGrad{op: op, k: k}
	p.choose()
	rows := op.Vertical()
	for a := range op.KH {
		lo, hi := rows.Windows(a)
		p.rows = append(p.rows, lo, hi)
	}
	for i := range p.parts {
		p.plan(&p.parts[i])
	}
	line := 4 * Images * (p.tall*op.OW + p.channels*op.SH*op.W)
	p.band = max(min(isa.CacheSizes().L2/4/max(line, 1), op.OH), 1)
	p.share()
	return p
}

// choose picks the size of a unit by the time of its products: one a cycle, and two more for a
// pixel.
func (p *FilterGrad) choose() {
	least := 0
	for tall := 1; tall < len(p.k.grad); tall++ {
		most, tiles := len(p.k.grad[tall])-1, isa.Ceil(p.op.M, tall)
		parts := isa.Ceil(p.op.KW, most)
		taps := isa.Ceil(p.op.KW, parts)
		channels := min(max(most/taps, 1), p.op.C)
		time := p.op.M*p.op.C*p.op.KW + 2*tiles*parts*isa.Ceil(p.op.C, channels)
		if p.tall > 0 && time > least {
			continue
		}
		least, p.tall, p.tiles, p.wide, p.channels = time, tall, tiles, taps*channels, channels
		p.parts = make([]gradPart, parts)
		for i := range parts {
			first := p.op.KW * i / parts
			p.parts[i] = gradPart{first: first, taps: p.op.KW*(i+1)/parts - first}
		}
	}
	p.blocks = isa.Ceil(p.op.C, p.channels)
}

func (p *FilterGrad) plan(part *gradPart) {
	var runs []window.Run
	for _, run := range p.op.Horizontal().Part(part.first, part.taps).Runs() {
		if run.Taps > 0 {
			runs = append(runs, run.Cut(max(isa.CallWork/p.rowWork(1), 1))...)
		}
	}
	for _, run := range runs {
		r := gradRun{Run: run}
		r.steps = abi.GradSteps{FilterDy: 4 * p.op.yPlane(), FilterSums: p.wide * abi.PixelBytes,
			RowDy: (p.op.OW - run.N) * abi.PixelBytes, ColX: run.InStep * abi.PixelBytes}
		r.steps.RowX = p.op.SH*p.op.W*abi.PixelBytes - run.N*r.steps.ColX
		for i, channels := range []int{p.channels, p.op.C - (p.blocks-1)*p.channels} {
			for c := range channels {
				for k := range run.Taps {
					r.tables[i] = append(r.tables[i], abi.GradTap{
						X:    c*4*p.op.xPlane() + k*run.InTap*abi.PixelBytes,
						Sums: (c*part.taps + run.Tap + k) * abi.PixelBytes,
					})
				}
			}
		}
		part.runs = append(part.runs, r)
	}
}

// leastGradTasks is how many tasks a gradient has at least, if it is large.
const leastGradTasks = 32

// share cuts the work into tasks: the units, and where these are few, the images, strip by strip.
func (p *FilterGrad) share() {
	units := max(p.units(), 1)
	tasks := max(min(p.Work()/(2*isa.TaskWork), leastGradTasks), 1)
	p.chunks = min(units, tasks)
	p.batches = max(min(isa.Ceil(tasks, p.chunks), p.op.Blocks*p.op.OH), 1)
	p.strips = max(min(isa.Ceil(p.batches, max(p.op.Blocks, 1)), p.op.OH), 1)
	p.batches = max(min(p.batches, p.op.Blocks*p.strips), 1)
}

// Work returns the number of multiplications of all tasks.
func (p *FilterGrad) Work() int {
	o := &p.op
	return o.Blocks * Images * o.Groups * o.M * o.C * o.taps() * o.OH * o.OW
}

// units are some filters and the elements of some channels.
func (p *FilterGrad) units() int { return p.op.Groups * p.tiles * p.blocks }

// sumsLen is the elements of a unit's sums: those of a row of taps are tall*wide pixels, part by
// part.
func (p *FilterGrad) sumsLen() int { return p.op.KH * len(p.parts) * p.partLen() }
func (p *FilterGrad) partLen() int { return p.tall * p.wide * Images }

// rowWork is about the multiplications that n pixels take; few are held up by waiting for each
// other.
func (p *FilterGrad) rowWork(n int) int { return n * max(p.partLen(), leastSums*Images) }

// SumsLen returns the number of elements of the sums that Run and Total work with.
func (p *FilterGrad) SumsLen() int { return p.batches * p.units() * p.sumsLen() }

// Tasks returns the number of parts that Run works on. They do not depend on each other.
func (p *FilterGrad) Tasks() int { return p.batches * p.chunks }

// Totals returns the number of parts that Total works on.
func (p *FilterGrad) Totals() int { return p.units() }

// Run computes the sums of tasks lo to hi.
func (p *FilterGrad) Run(sums, x, dy []float32, lo, hi int) {
	o := &p.op
	if n := o.Blocks * o.Groups; len(sums) < p.SumsLen() || len(x) < n*o.C*o.xPlane() || len(dy) < n*o.M*o.yPlane() {
		panic(fmt.Sprintf("interleaved: FilterGrad %+v with %d, %d and %d elements in sums, x and dy", p.op, len(sums), len(x), len(dy)))
	}
	units, images := p.units(), o.Blocks*p.strips
	for task := lo; task < hi; task++ {
		batch, chunk := task/p.chunks, task%p.chunks
		from, to := units*chunk/p.chunks, units*(chunk+1)/p.chunks
		own := sums[batch*units*p.sumsLen():][:units*p.sumsLen()]
		clear(own[from*p.sumsLen() : to*p.sumsLen()])
		for i := images * batch / p.batches; i < images*(batch+1)/p.batches; i++ {
			block, strip := i/p.strips, i%p.strips
			for u := from; u < to; u++ {
				p.unit(own[u*p.sumsLen():], x, dy, u, block, o.OH*strip/p.strips, o.OH*(strip+1)/p.strips)
			}
		}
	}
}

// gradUnit is where a unit is.
type gradUnit struct {
	group, first, filters int
	block                 int // of channels
}

func (p *FilterGrad) unitAt(u int) gradUnit {
	tile, group := u/p.blocks%p.tiles, u/p.blocks/p.tiles
	first := p.op.M * tile / p.tiles
	return gradUnit{group, first, p.op.M*(tile+1)/p.tiles - first, u % p.blocks}
}

// narrowRun is for how few columns a unit goes through all rows at once.
const narrowRun = 4

// unit adds rows lo to hi of a block of images to the sums of unit u: band by band, since all its
// taps read the same.
func (p *FilterGrad) unit(sums, x, dy []float32, u, block, lo, hi int) {
	o, at := &p.op, p.unitAt(u)
	group := block*o.Groups + at.group
	dy = dy[(group*o.M+at.first)*o.yPlane():]
	x = x[(group*o.C+at.block*p.channels)*o.xPlane():]
	kernels, last := p.k.grad[at.filters], one(at.block == p.blocks-1)
	for row := lo; row < hi; row += p.band {
		for a := range o.KH {
			for i := range p.parts {
				sums := sums[(a*len(p.parts)+i)*p.partLen():]
				for j := range p.parts[i].runs {
					r := &p.parts[i].runs[j]
					switch {
					case r.N >= narrowRun:
						p.rectangle(r, kernels, last, sums, x, dy, a, row, min(row+p.band, hi))
					case row == lo:
						p.rectangle(r, kernels, last, sums, x, dy, a, lo, hi)
					}
				}
			}
		}
	}
}

// rectangle adds what rows lo to hi of results meet at taps of row a.
func (p *FilterGrad) rectangle(r *gradRun, kernels []gradFunc, last int, sums, x, dy []float32, a, lo, hi int) {
	o, taps := &p.op, r.tables[last]
	lo, hi = max(lo, p.rows[2*a]), min(hi, p.rows[2*a+1])
	most := max(isa.CallWork/p.rowWork(r.N), 1)
	for ; lo < hi; lo += most {
		d, v := dy[(lo*o.OW+r.Out)*Images:], x[((lo*o.SH+a*o.DH-o.Top)*o.W+r.In)*Images:]
		for lane := 0; lane < Images; lane += p.k.width {
			kernels[len(taps)](min(most, hi-lo), r.N, &r.steps.FilterDy, &d[lane], &v[lane], &taps[0].X, &sums[lane])
		}
	}
}

func one(condition bool) int {
	if condition {
		return 1
	}
	return 0
}

// Total adds up the sums of units lo to hi, and sets their elements of dw.
func (p *FilterGrad) Total(dw, sums []float32, lo, hi int) {
	o, stride := &p.op, 4*p.units()*p.sumsLen()
	for u := lo; u < hi; u++ {
		at := p.unitAt(u)
		first := at.block * p.channels
		for a := range o.KH {
			for i, part := range p.parts {
				own := sums[u*p.sumsLen()+(a*len(p.parts)+i)*p.partLen():]
				p.k.total(p.tall*p.wide, p.batches, stride, &own[0])
				for f := range at.filters {
					for c := range min(p.channels, o.C-first) {
						to := ((at.group*o.M+at.first+f)*o.C + first + c) * o.taps()
						copy(dw[to+a*o.KW+part.first:][:part.taps], own[f*p.wide+c*part.taps:])
					}
				}
			}
		}
	}
}
