package nhwc

import (
	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/isa"
)

// panels are how the m columns of a product are cut.
type panels struct {
	tiles    *gemm.Tiles[float32]
	m        int
	vecs, nr int // vectors and columns of a panel
	count    int
}

// panelsOf returns the panels of m columns that many rows are multiplied by.
func panelsOf(k *Kernels, rows, m int) panels {
	p := panels{tiles: k.gemm.F32, m: m}
	if rows == 0 || m == 0 {
		return p
	}
	p.vecs = p.tiles.PanelVecs(rows, m)
	p.nr = p.vecs * p.tiles.Width
	p.count = isa.Ceil(m, p.nr)
	return p
}

// row is product for packed panels, which are pitch elements apart, and a row-major a.
func (p *panels) row(c []float32, ldc int, a []float32, lda int, b []float32, pitch int, bias []float32, rows, k, from, to, flags int) {
	p.product(c, ldc, a, lda, 1, b, p.nr, pitch, bias, rows, k, from, to, flags)
}

// product multiplies the rows of a tile by k rows of panels from to to. In a, rows are ars elements
// apart and columns acs, in b rows are ldb elements apart and panels pitch, in c rows ldc. b, c and bias
// begin with column 0.
func (p *panels) product(c []float32, ldc int, a []float32, ars, acs int, b []float32, ldb, pitch int, bias []float32, rows, k, from, to, flags int) {
	p.each(from, to, k*rows, func(j, n, vecs, last int) {
		next := pitch
		if n == 1 { // the panel of another task, while kernels fetch ahead: what follows is needed sooner
			next = k * ldb
		}
		p.tiles.Kernel[vecs][rows](n, k, isa.Elem(a, 0), 4*ars, 4*acs, isa.Elem(b, j*pitch), 4*ldb, 4*next,
			&c[j*p.nr], 4*ldc, isa.Elem(bias, j*p.nr), flags, last)
	})
}

// each calls f for panels from to to, each of whose columns takes so many multiplications: for as many as one call of a
// kernel multiplies by, n from j on, of so many vectors, the last one of which has last columns.
func (p *panels) each(from, to, work int, f func(j, n, vecs, last int)) {
	most := max(isa.CallWork/(max(work, 1)*p.nr), 1)
	for j := from; j < to; {
		n, vecs, last := min(to-j, most), p.vecs, p.tiles.Width
		if tail := p.m - (j+n-1)*p.nr; tail < p.nr {
			if n--; n == 0 { // only the partial panel is left
				n, vecs = 1, isa.Ceil(tail, p.tiles.Width)
				last = tail - (vecs-1)*p.tiles.Width
			}
		}
		f(j, n, vecs, last)
		j += n
	}
}
