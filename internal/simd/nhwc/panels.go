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
	return p.of(p.tiles.PanelVecs(rows, m))
}

// of returns panels of so many vectors.
func (p panels) of(vecs int) panels {
	p.vecs, p.nr = vecs, vecs*p.tiles.Width
	p.count = isa.Ceil(p.m, p.nr)
	return p
}

// rows is product for packed panels, which are pitch elements apart, and a row-major a.
func (p *panels) rows(c []float32, ldc int, a []float32, lda int, b []float32, pitch int, bias []float32, n, k, from, to, flags int) {
	p.product(c, ldc, a, lda, 1, b, p.nr, pitch, bias, n, k, from, to, flags)
}

// product multiplies n > 0 rows of a, in tiles of nearly equal height, by k rows of panels from to to. In a, rows are ars elements
// apart and columns acs, in b rows are ldb elements apart and panels pitch, in c rows ldc. b, c and bias
// begin with column 0.
func (p *panels) product(c []float32, ldc int, a []float32, ars, acs int, b []float32, ldb, pitch int, bias []float32, n, k, from, to, flags int) {
	tiles := isa.Ceil(n, p.tiles.Tallest(p.vecs))
	tall := isa.Ceil(n, tiles)
	most := n - (tall-1)*tiles // tiles that are so tall; others have a row less
	p.below(c, ldc, a, ars, acs, b, ldb, pitch, bias, most, tall, k, from, to, flags)
	if done := most * tall; most < tiles {
		p.below(c[done*ldc:], ldc, isa.Behind(a, done*ars), ars, acs, b, ldb, pitch, bias, tiles-most, tall-1, k, from, to, flags)
	}
}

// below is product for tiles of so many rows below each other.
func (p *panels) below(c []float32, ldc int, a []float32, ars, acs int, b []float32, ldb, pitch int, bias []float32, tiles, rows, k, from, to, flags int) {
	p.each(from, to, k*rows, func(j, n, vecs, last int) {
		next := pitch
		if n == 1 { // the panel of another task, while kernels fetch ahead: what follows is needed sooner
			next = k * ldb
		}
		most := max(isa.CallWork/(max(k, 1)*rows*p.nr*n), 1)
		for i := 0; i < tiles; i += most {
			p.tiles.Kernel[vecs][rows](min(most, tiles-i), n, k, isa.Elem(a, i*rows*ars), 4*ars, 4*acs, isa.Elem(b, j*pitch), 4*ldb, 4*next,
				&c[i*rows*ldc+j*p.nr], 4*ldc, isa.Elem(bias, j*p.nr), flags, last)
		}
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
