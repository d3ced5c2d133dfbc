package winograd

import (
	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/isa"
)

// The gradient of filters is the adjoint of the convolution: tiles of the images are transformed as
// forwards, those of dy by the adjoint of the output's transform; each of the 36 products, now over
// all tiles, is transformed by the adjoint of the filters' transform.

// splitGrad chooses how many tiles are transformed before their products are added up: the
// transformed tiles stay in the last-level cache, and deep products pass over the sums less often.
func (p *Plan) splitGrad() {
	room := min(isa.CacheSizes().L3/2, 16<<20) / 4 / values / (p.C + p.M) / p.lanes
	p.setGradVectors(isa.Even(p.vectors, min(max(room, 1), isa.Ceil(maxGradTiles, p.lanes))))
}

func (p *Plan) setGradVectors(n int) {
	p.gradVectors = n
	p.gradOp = gemm.Op{M: p.M, N: p.C, TransB: true, LDA: n * p.lanes, LDB: n * p.lanes}
	p.gradSlot = p.cells()
	for p.gradOp.K < n*p.lanes { // the last block may be less deep
		p.gradOp.K += p.lanes
		p.gradSlot = max(p.gradSlot, isa.RoundUp(gemm.Scratch[float32](p.k.gemm, p.gradOp), isa.Alignment))
	}
}

// maxGradTiles is the most tiles in a block of the gradient.
const maxGradTiles = 512

// gradStride is the elements between the 36 values of channels' tiles.
func (p *Plan) gradStride(channels int) int { return channels*p.gradOp.K + isa.Alignment }

// GradScratch returns the number of elements of scratch memory that RunGrad needs.
func (p *Plan) GradScratch() int {
	tiles := values * (p.gradStride(p.C) + p.gradStride(p.M))
	return values*p.factors + max(tiles, p.taps()*p.factors) + p.slots*p.gradSlot + isa.Alignment
}

// RunGrad computes dw, the gradient of the filters, as conv.Plan.RunGrad does, about as exactly as
// Run. p is the plan of the convolution forwards, not a flipped one. scratch needs GradScratch
// elements, in any state; nothing may overlap it or dw.
func (p *Plan) RunGrad(pool *par.Pool, dw, x, dy, scratch []float32) {
	p.need("filters' gradient", len(dw), p.M*p.C*p.taps())
	p.need("images", len(x), p.N*p.C*p.H*p.W)
	p.need("output's gradient", len(dy), p.N*p.M*p.Cols())
	p.need("scratch", len(scratch), p.GradScratch())
	if p.flip {
		panic("winograd: gradient of flipped filters")
	}
	r := p.jobs.Take()
	r.w, r.x, r.y = dw, x, dy
	scratch = isa.Aligned(scratch)
	r.u, r.scratch = scratch[:values*p.factors], scratch[values*p.factors:]
	for r.first = 0; r.first < p.vectors; r.first += r.count {
		r.count = min(p.gradVectors, p.vectors-r.first)
		r.inSlots(pool, r.gradTransform)
		r.inSlots(pool, r.gradProducts)
	}
	r.inSlots(pool, r.gradFinish)
	p.give(r)
}

// inSlots runs work, which takes parts by each, in all slots.
func (r *job) inSlots(pool *par.Pool, work func(lo, hi int)) {
	r.next.Store(0)
	pool.For(r.slots, 1, work)
}

// gradMemory is where the transformed tiles of images and of dy are, and a slot's memory.
func (r *job) gradMemory(slot int) (tiles, dys, own []float32) {
	nx, ny := values*r.gradStride(r.C), values*r.gradStride(r.M)
	own = r.scratch[max(nx+ny, r.taps()*r.factors)+slot*r.gradSlot:][:r.gradSlot]
	return r.scratch[:nx], r.scratch[nx:][:ny], own
}

// transformTiles transforms the block's vectors of tiles: parts are some channels of images, then
// of dy, for all vectors of a band.
func (r *job) transformTiles(slot, _ int) {
	tiles, dys, cells := r.gradMemory(slot)
	at := r.at[slot*r.panels*r.vecs:][:1]
	images, all := isa.Ceil(r.C, channelsPerCall), isa.Ceil(r.C, channelsPerCall)+isa.Ceil(r.M, channelsPerCall)
	r.each(isa.Ceil(r.count, gradTogether)*all, func(part int) {
		v, c := part/all*gradTogether, part%all*channelsPerCall
		for end := min(v+gradTogether, r.count); v < end; v++ {
			q := r.patternOf(r.first + v)
			if c < images*channelsPerCall {
				r.place(at, r.first+v, r.C, r.H, r.W, r.Top, r.Left)
				r.form.in(min(channelsPerCall, r.C-c), &r.x[c*r.H*r.W], 4*r.H*r.W, &at[0][0], 4*r.W, &r.masks[q.in],
					&tiles[c*r.gradOp.K+v*r.lanes], 4*r.gradOp.K, 4*r.gradStride(r.C), &cells[0], q.inFlags)
				continue
			}
			m := c - images*channelsPerCall
			r.place(at, r.first+v, r.M, r.OH, r.OW, 0, 0)
			r.form.dy(min(channelsPerCall, r.M-m), &r.y[m*r.Cols()], 4*r.Cols(), &at[0][0], 4*r.OW, &r.masks[q.out],
				&dys[m*r.gradOp.K+v*r.lanes], 4*r.gradOp.K, 4*r.gradStride(r.M), &cells[0], q.outFlags)
		}
	})
}

// gradTogether is how many vectors of tiles a part transforms; they lie beside each other.
const gradTogether = 4

// multiplyTiles adds the products over the block's tiles, of which each part has one of 36 values.
func (r *job) multiplyTiles(slot, _ int) {
	tiles, dys, own := r.gradMemory(slot)
	op := r.gradOp
	op.K, op.Add = r.count*r.lanes, r.first > 0
	r.each(values, func(e int) {
		gemm.Mul(r.k.gemm, nil, op, dys[e*r.gradStride(r.M):], tiles[e*r.gradStride(r.C):], r.u[e*r.factors:], nil, own)
	})
}

// finishGrad turns sums of products into the gradient, in chunks of filters.
func (r *job) finishGrad(slot, _ int) {
	_, _, cells := r.gradMemory(slot)
	size := r.taps()
	r.each(isa.Ceil(r.M*r.C, filtersPerCall), func(chunk int) {
		at := chunk * filtersPerCall
		n := min(filtersPerCall, r.M*r.C-at)
		taps, dw := r.scratch[at:], r.w[at*size:][:n*size]
		r.form.filterGrad(n, &taps[0], 4*r.factors, &r.u[at], 4*r.factors, &cells[0])
		if !r.Add {
			gemm.Transpose(r.k.gemm, dw, 0, taps, r.factors, size, n)
			return
		}
		for i := range dw {
			dw[i] = isa.Flush32(isa.Flush32(dw[i]) + taps[i%size*r.factors+i/size])
		}
	})
}
