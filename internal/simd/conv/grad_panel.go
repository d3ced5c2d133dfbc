package conv

import (
	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/isa"
)

// gradPanelFunc adds to sums, for as many vectors of filters and elements of them as the kernel is
// for, the products of dy, of lines and width pixels ds bytes apart, and x where taps say. stride
// is that between elements in sums.
type gradPanelFunc func(lines, width int, x *float32, xRow int, taps *int, dy *float32, ds int, sums *float32, stride int) (csr uint32)

// gradPanels are the kernels of filter gradients with filters in lanes, by vectors of them, and how
// many elements of a filter they compute. There are none in plain Go.
type gradPanels struct {
	gradPanel []gradPanelFunc
	panelRows []int
}

// gradPanel is a range of vectors of filters. Its tiles of elements of filters are tasks from task
// on.
type gradPanel struct{ from, vecs, task int }

// gradPanels cuts the filters into panels, or none where lanes would stay idle that kernels with
// pixels in lanes use.
func (p *Plan) gradPanels() []gradPanel {
	lanes, rows := p.k.lanes, p.k.panelRows
	all := isa.Ceil(p.M, lanes)
	// Kernels with pixels in lanes reach about half of the speed, for they read twice as much.
	if rows == nil || p.OW > maxPanelWidth || isa.RoundUp(p.OW, lanes)*2*p.M < all*lanes*p.OW {
		return nil
	}
	best, cost := 0, 0
	for vecs := 1; vecs < len(rows); vecs++ {
		// Twice the cycles of a pixel: multiplications, or loads.
		c := isa.Ceil(all, vecs) * max(rows[vecs]*vecs, rows[vecs]+vecs) * isa.Ceil(p.Rows(), rows[vecs])
		if best == 0 || c <= cost {
			best, cost = vecs, c
		}
	}
	var panels []gradPanel
	task, count := 0, isa.Ceil(all, best)
	for i := range count {
		q := gradPanel{all * i / count, all*(i+1)/count - all*i/count, task}
		panels = append(panels, q)
		task += isa.Ceil(p.Rows(), rows[q.vecs])
	}
	return append(panels, gradPanel{task: task})
}

// maxPanelWidth bounds the pixels of one call.
const maxPanelWidth = 4096

// filterStride is the filters, rounded up to whole vectors.
func (p *Plan) filterStride() int { return isa.RoundUp(p.M, p.k.lanes) }

// panelTaps is the elements of a filter, rounded up to what any panel computes.
func (p *Plan) panelTaps() int {
	n := p.Rows()
	if p.filterPanels == nil {
		return n
	}
	for _, rows := range p.k.panelRows[1:] {
		n = max(n, isa.RoundUp(p.Rows(), rows))
	}
	return n
}

// panelImages is how many images all tiles go through before the next ones: each task reads them again, from
// the second-level cache or near it.
func (p *Plan) panelImages() int {
	image := 4 * (p.C*p.ph*p.pw + p.filterStride()*p.Cols())
	return min(max(isa.CacheSizes().L2/image, 1), p.N)
}

func (p *Plan) panelScratch() int {
	return p.padded(p.panelImages()) + (p.panelImages()*p.Cols()+p.panelTaps())*p.filterStride() + isa.Alignment
}

// gradByPanels computes the gradient with filters in lanes.
func (r *job) gradByPanels(pool *par.Pool, scratch []float32) {
	x, dy, most := r.x, r.y, r.panelImages()
	padded, scratch := scratch[:r.padded(most)], isa.Aligned(scratch[r.padded(most):])
	r.sums, r.dyt = scratch[:r.panelTaps()*r.filterStride()], scratch[r.panelTaps()*r.filterStride():]
	clear(r.sums)
	tasks := r.filterPanels[len(r.filterPanels)-1].task
	for n := 0; n < r.N; n += most {
		r.images = min(most, r.N-n)
		r.x, r.y = x[n*r.C*r.H*r.W:][:r.images*r.C*r.H*r.W], dy[n*r.M*r.Cols():]
		r.pad(pool, padded)
		pool.For(r.images, max(isa.TaskWork/16/(r.M*r.Cols()), 1), r.turning)
		pool.For(tasks, r.panelGrain(tasks), r.panelGrads)
	}
	r.turnSums()
}

// panelGrain makes chunks of enough tiles that dy need not be read from memory for each.
func (r *job) panelGrain(tasks int) int {
	const together = 4
	work := r.images * r.Cols() * r.k.lanes * r.filterPanels[0].vecs * r.k.panelRows[r.filterPanels[0].vecs]
	return max(isa.Ceil(tasks, isa.MaxTasks), min(isa.Ceil(isa.TaskWork, work)*together, isa.Ceil(tasks, 8)))
}

// turnImages puts the channels of each pixel of dy together.
func (r *job) turnImages(lo, hi int) {
	for n := lo; n < hi; n++ {
		gemm.Transpose(r.k.gemm, r.dyt[n*r.Cols()*r.filterStride():], r.filterStride(), r.y[n*r.M*r.Cols():], 0, r.M, r.Cols())
	}
}

// panelPixels is about how many pixels all tiles go through before the next ones: their part of dy
// and of the images stays in the second-level cache.
const panelPixels = 512

// runPanels computes tiles lo to hi, some lines after some lines.
func (r *job) runPanels(lo, hi int) {
	lines := isa.Even(r.OH, max(panelPixels/r.OW, 1))
	for n := range r.images {
		for y := 0; y < r.OH; y += lines {
			p := 0
			for task := lo; task < hi; task++ {
				for task >= r.filterPanels[p+1].task {
					p++
				}
				r.gradPanelTile(n, y, min(lines, r.OH-y), r.filterPanels[p], task-r.filterPanels[p].task)
			}
		}
	}
}

// gradPanelTile adds to a tile's sums the products of some lines of an image.
func (r *job) gradPanelTile(n, y, lines int, p gradPanel, tile int) {
	tap, first, stride := tile*r.k.panelRows[p.vecs], p.from*r.k.lanes, r.filterStride()
	r.k.gradPanel[p.vecs](lines, r.OW, &r.x[n*r.C*r.ph*r.pw+y*r.SH*r.pw], 4*r.SH*r.pw, &r.taps[tap],
		&r.dyt[(n*r.Cols()+y*r.OW)*stride+first], 4*stride, &r.sums[tap*stride+first], 4*stride)
}

// turnSums gives the sums to the gradient, filter by filter.
func (r *job) turnSums() {
	if !r.Add {
		gemm.Transpose(r.k.gemm, r.w, 0, r.sums, r.filterStride(), r.Rows(), r.M)
		return
	}
	for m := range r.M {
		for i, dw := range r.w[m*r.Rows():][:r.Rows()] {
			r.w[m*r.Rows()+i] = isa.Flush32(isa.Flush32(dw) + r.sums[i*r.filterStride()+m])
		}
	}
}
