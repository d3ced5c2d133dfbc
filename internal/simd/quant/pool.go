package quant

import (
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/window"
)

// Pool gives the largest bytes of windows over N images (N,H,W,C), planned for a level. Each window
// meets the image. It is immutable and safe for concurrent use. Tasks are rows of results.
type Pool struct {
	window.Window
	frame
	N    int
	k    *Kernels
	taps []int
}

// NewPool plans the maxima of windows of n images for k.
func NewPool(k *Kernels, w window.Window, n int) *Pool {
	w = w.WithDefaults()
	p := &Pool{Window: w, N: n, k: k}
	p.frame = frameOf(w, n, 1, w.C, isa.RoundUp(w.C, 4*k.lanes)-w.C, 0, false)
	for ky := range w.KH {
		for kx := range w.KW {
			p.taps = append(p.taps, (ky*w.DH*p.fw+kx*w.DW)*w.C)
		}
	}
	return p
}

// Tasks is the number of tasks of Run.
func (p *Pool) Tasks() int { return p.N * p.OH }

// Work is how many bytes Run compares.
func (p *Pool) Work() int { return p.N * p.Cols() * p.C * len(p.taps) }

// ScratchLen is the bytes of scratch memory that a worker needs.
func (p *Pool) ScratchLen() int { return 4 * p.k.lanes * p.OW }

// Run does tasks lo to hi; see [Conv.Run].
func (p *Pool) Run(y, x, scratch []uint8, lo, hi int) {
	c, bytes := p.C, 4*p.k.lanes
	need("results", len(y), p.N*p.Cols()*c)
	need("images", len(x), max(p.FrameLen(), p.N*p.fh*p.fw*c))
	need("scratch", len(scratch), p.ScratchLen())
	for i := lo; i < hi; i++ {
		row := x[p.at(i/p.OH, i%p.OH*p.SH, 0):]
		for from := 0; from < c; from += bytes {
			to, ys, n := y[i*p.OW*c+from:], c, min(bytes, c-from)
			if n < bytes {
				to, ys = scratch, bytes
			}
			p.k.max(p.OW, &row[from], p.SW*c, len(p.taps), &p.taps[0], &to[0], ys)
			for o := 0; n < bytes && o < p.OW; o++ {
				copy(y[(i*p.OW+o)*c+from:], scratch[o*bytes:][:n])
			}
		}
	}
}
