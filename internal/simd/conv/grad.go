package conv

import (
	"fmt"
	"unsafe"

	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd/isa"
)

// gradFunc adds to sums, for as many filters as the kernel is for and gradTaps elements of each,
// the products of dy, of n images, height lines and width columns, and x where taps say. All other
// extents are in bytes; stride is that between filters in sums.
type gradFunc func(n, height, width int, dy *float32, dyImage, dyChannel int, x *float32, xImage, xRow int, taps *int, sums *float32, stride int) (csr uint32)

// GradScratch returns the number of elements of scratch memory that RunGrad needs.
func (p *Plan) GradScratch() int {
	if p.filterPanels != nil {
		return p.panelScratch()
	}
	return p.Scratch() + p.M*p.sumStride()
}

// sumStride is the elements of a filter, rounded up to what kernels compute at once.
func (p *Plan) sumStride() int { return isa.RoundUp(p.Rows(), p.k.gradTaps) }

// RunGrad computes dw, the gradient of the filters of p, from the images x and dy, the gradient of
// its result before the activation. With the op's Add it adds to dw; Bias and Act do not matter.
// The order of the sums depends only on the op, not on the pool; nil means the calling
// goroutine. scratch needs GradScratch elements, in any state; nothing may overlap it or dw.
func (p *Plan) RunGrad(pool *par.Pool, dw, x, dy, scratch []float32) {
	if len(dw) < p.M*p.Rows() || len(x) < p.N*p.C*p.H*p.W || len(dy) < p.N*p.M*p.Cols() || len(scratch) < p.GradScratch() {
		panic(fmt.Sprintf("conv: gradient of %+v with %d, %d, %d and %d elements in dw, x, dy and scratch",
			p.Conv, len(dw), len(x), len(dy), len(scratch)))
	}
	r := p.jobs.Take()
	r.x, r.y, r.w, r.images = x, dy, dw[:p.M*p.Rows()], p.N
	if p.filterPanels != nil {
		r.gradByPanels(pool, scratch)
		p.give(r)
		return
	}
	r.sums = scratch[p.Scratch():][:p.M*p.sumStride()]
	clear(r.sums)
	if p.strips != nil && p.Rows() > 0 {
		r.pad(pool, scratch)
		pool.For(p.gradTasks(), p.gradGrain(), r.grads)
	}
	r.giveSums()
	p.give(r)
}

// A task of the gradient is a tile of filters and of their elements, over all images.

func (p *Plan) filterTiles() int { return isa.Ceil(p.M, len(p.k.grad)-1) }
func (p *Plan) gradTasks() int   { return p.filterTiles() * (p.sumStride() / p.k.gradTaps) }

func (p *Plan) gradGrain() int {
	work := p.N * p.Cols() * p.k.gradTaps * (len(p.k.grad) - 1)
	return max(isa.TaskWork/work, 1)
}

// runGrads computes tiles lo to hi, numbered along the elements of the filters, block by block:
// some whole images or a band of lines of one.
func (r *job) runGrads(lo, hi int) {
	perFilter, tiles := r.sumStride()/r.k.gradTaps, r.filterTiles()
	images, lines := r.gradBlock()
	for n := 0; n < r.N; n += images {
		for y := 0; y < r.OH; y += lines {
			for task := lo; task < hi; task++ {
				i, tap := task/perFilter, task%perFilter*r.k.gradTaps
				m := r.M * i / tiles
				r.gradTile(n, min(images, r.N-n), y, min(lines, r.OH-y), m, r.M*(i+1)/tiles-m, tap)
			}
		}
	}
}

// gradBlock is how much a tile goes through before the next tile has its turn: as many images as
// fit the second-level cache, or else as many lines of dy as fit the first, and no more than a
// call may take.
func (r *job) gradBlock() (images, lines int) {
	c, filters := isa.CacheSizes(), len(r.k.grad)-1
	work := r.Cols() * r.k.gradTaps * filters * 2
	images = min(c.L2/2/(4*(r.C*r.ph*r.pw+r.M*r.Cols())), isa.CallWork/work)
	if images > 0 {
		return images, r.OH
	}
	line := 4 * r.OW * filters
	return 1, max(min(c.L1/2/line, isa.CallWork/(line*r.k.gradTaps)), 1)
}

// gradTile adds lines y to y+lines of images n to n+images to the sums of some filters from m on,
// at taps from tap on.
func (r *job) gradTile(n, images, y, lines, m, filters, tap int) {
	image := r.C * r.ph * r.pw
	r.k.grad[filters](images, lines, r.OW,
		&r.y[(n*r.M+m)*r.Cols()+y*r.OW], 4*r.M*r.Cols(), 4*r.Cols(),
		&r.x[n*image+y*r.SH*r.pw], 4*image, 4*r.SH*r.pw,
		&r.taps[tap], &r.sums[m*r.sumStride()+tap], 4*r.sumStride())
}

// giveSums copies or adds the sums to the gradient.
func (r *job) giveSums() {
	for m := range r.M {
		dst, src := r.w[m*r.Rows():][:r.Rows()], r.sums[m*r.sumStride():]
		if !r.Add {
			copy(dst, src)
			continue
		}
		for i := range dst {
			dst[i] = isa.Flush(isa.Flush(dst[i]) + src[i])
		}
	}
}

// gradGo is the plain-Go twin: one element of one filter. Images come without denormals.
func gradGo(n, height, width int, dy *float32, dyImage, _ int, x *float32, xImage, xRow int, taps *int, sums *float32, _ int) uint32 {
	var s [4]float32
	for i := range n {
		for y := range height {
			from := unsafe.Slice(isa.Add(x, i*xImage+y*xRow+*taps), width)
			for j, d := range unsafe.Slice(isa.Add(dy, i*dyImage+4*y*width), width) {
				s[j&3] += isa.Flush(d) * from[j]
			}
		}
	}
	*sums = isa.Flush(*sums + (s[0] + s[1] + (s[2] + s[3])))
	return 0
}
