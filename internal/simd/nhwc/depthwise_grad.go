package nhwc

import (
	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/window"
)

// NewDepthwiseInputGrad plans the gradient of the images of a convolution of n images with w.C filters:
// from dy to dx, with the filters of the convolution.
func NewDepthwiseInputGrad(k *Kernels, w window.Window, n int) *Depthwise {
	w = w.WithDefaults()
	rows, columns := w.Axes()
	of := w
	of.H, of.W, of.OH, of.OW = w.OH, w.OW, w.H, w.W
	return &Depthwise{sliding: slideAlong(of, n, rows.Adjoint(), columns.Adjoint(), nil), k: k}
}

// DepthwiseFilterGrad is the gradient of the filters of a convolution in which each channel has one
// filter. It is immutable and safe for concurrent use. A task has a part of the rows of windows, and
// sums of its own.
type DepthwiseFilterGrad struct {
	window.Window
	n, parts int
	k        *Kernels

	rows    window.Axis
	columns []window.Run
}

// maxParts is the most parts: each takes the memory of the filters.
const maxParts = 32

// NewDepthwiseFilterGrad plans the gradient for n images and w.C filters.
func NewDepthwiseFilterGrad(k *Kernels, w window.Window, n int) *DepthwiseFilterGrad {
	w = w.WithDefaults()
	g := &DepthwiseFilterGrad{Window: w, n: n, parts: min(n*w.OH, maxParts), k: k}
	g.rows, g.columns = w.Vertical(), nil
	columns := w.Horizontal()
	g.columns = columns.Runs()
	return g
}

func (g *DepthwiseFilterGrad) filters() int { return g.KH * g.KW * g.C }

// Tasks is the number of tasks of Run, Work how often it multiplies, and SumsLen the number of elements
// that it fills.
func (g *DepthwiseFilterGrad) Tasks() int { return g.parts }

// Work is how often Run multiplies.
func (g *DepthwiseFilterGrad) Work() int { return g.n * g.Cols() * g.filters() }

// SumsLen is the number of elements that Run fills.
func (g *DepthwiseFilterGrad) SumsLen() int { return g.parts * g.filters() }

// Run does tasks lo to hi of making sums of x and dy.
func (g *DepthwiseFilterGrad) Run(sums, x, dy []float32, lo, hi int) {
	need("sums", len(sums), g.SumsLen())
	need("images", len(x), g.n*g.H*g.W*g.C)
	need("gradient", len(dy), g.n*g.Cols()*g.C)
	for part := lo; part < hi; part++ {
		of := sums[part*g.filters():][:g.filters()]
		clear(of)
		for i := g.n * g.OH * part / g.parts; i < g.n*g.OH*(part+1)/g.parts; i++ {
			for ky := range g.KH {
				if iy := g.rows.At(i%g.OH, ky); uint(iy) < uint(g.H) {
					g.row(of[ky*g.KW*g.C:], x[(i/g.OH*g.H+iy)*g.W*g.C:], dy[i*g.OW*g.C:])
				}
			}
		}
	}
}

// row adds the products of a row of dy and one of x to the sums of a row of taps.
func (g *DepthwiseFilterGrad) row(sums, x, dy []float32) {
	vectors := isa.Ceil(g.C, g.k.width)
	last := g.C - (vectors-1)*g.k.width
	for _, r := range g.columns {
		most := max(isa.CallWork/(len(g.k.depthwiseGrad)*g.C), 1)
		for t := 0; t < r.Taps; t += len(g.k.depthwiseGrad) - 1 {
			taps := min(len(g.k.depthwiseGrad)-1, r.Taps-t)
			for at := 0; at < r.N; at += most {
				g.k.depthwiseGrad[taps](min(most, r.N-at), vectors, last, &x[(r.In+t*r.InTap+at*r.InStep)*g.C], 4*r.InStep*g.C, 4*r.InTap*g.C,
					&dy[(r.Out+at*r.Step)*g.C], 4*r.Step*g.C, &sums[(r.Tap+t*r.TapStep)*g.C], 4*r.TapStep*g.C)
			}
		}
	}
}

// Total sets dw (C,1,KH,KW) to the totals of sums, which it adds up in sums.
func (g *DepthwiseFilterGrad) Total(dw, sums []float32) {
	if g.parts == 0 {
		clear(dw[:g.filters()])
		return
	}
	total := sums[:g.filters()]
	for part := 1; part < g.parts; part++ {
		for i, v := range sums[part*g.filters():][:g.filters()] {
			total[i] += v
		}
	}
	gemm.Transpose(g.k.gemm, dw, g.KH*g.KW, total, g.C, g.KH*g.KW, g.C)
}
