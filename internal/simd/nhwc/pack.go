package nhwc

import (
	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd/gemm"
)

// filters are how the filters of a convolution lie in memory, (Groups*O,I,KH,KW), for one that sums
// over inputs and gives columns: it sums over I and gives O, or if turned is set, as the gradient of
// the images does, sums over O and gives I.
type filters struct {
	inputs, columns int // of a group
	taps            int // of a filter in memory
	turned          bool
	use             []int // the taps that are used, in order
	planes          bool  // packed as they lie in memory: the taps of a channel follow each other, and all are used
}

// strip is room for the filters of a panel, those of some inputs: the taps of each input one after the
// other, of which a tap's columns stand together. cells are the memory of transforms.
type strip struct{ filters, cells []float32 }

// stripLen is about how many elements a strip has: more for filters that are larger.
const stripLen = 1 << 13

// strips returns the strips of packings under way, for panels of nr columns.
func (f *filters) strips(k *Kernels, nr int) par.Free[strip] {
	return par.NewFree(64, func() *strip {
		return &strip{make([]float32, f.perStrip(nr)*f.taps*nr), make([]float32, k.cellsLen())}
	})
}

// perStrip is how many inputs a strip has room for.
func (f *filters) perStrip(nr int) int { return max(min(stripLen/max(f.taps*nr, 1), f.inputs), 1) }

// fill sets dst, rows of nr elements, to n columns from first on of a group, for m inputs from in on.
func (f *filters) fill(k *gemm.Kernels, dst, w []float32, group, first, n, nr, in, m int) {
	w = w[group*f.inputs*f.columns*f.taps:]
	if !f.turned {
		gemm.Transpose(k, dst, nr, w[(first*f.inputs+in)*f.taps:], f.inputs*f.taps, n, m*f.taps)
	} else {
		for i := range m {
			gemm.Transpose(k, dst[i*f.taps*nr:], nr, w[((in+i)*f.columns+first)*f.taps:], f.taps, n, f.taps)
		}
	}
	if n == nr {
		return
	}
	for i := range m * f.taps {
		clear(dst[i*nr+n:][:nr-n])
	}
}

// pack sets panel, rows of nr elements, to n columns from first on of a group: those of the first
// tap that is used for all inputs, then those of the next one, or else by planes.
func (f *filters) pack(k *Kernels, s *strip, panel, w []float32, group, first, n, nr int) {
	per := f.perStrip(nr)
	for in := 0; in < f.inputs; in += per {
		m := min(per, f.inputs-in)
		if f.planes {
			f.fill(k.gemm, panel[in*f.taps*nr:], w, group, first, n, nr, in, m)
			continue
		}
		f.fill(k.gemm, s.filters, w, group, first, n, nr, in, m)
		for i, t := range f.use {
			k.copy(m, nr/k.width, 0, &s.filters[t*nr], 4*f.taps*nr, &panel[(i*f.inputs+in)*nr], 4*nr)
		}
	}
}

// packWinograd sets panel to the transformed filters of n columns from first on: of each of the 36 values,
// stride elements apart, the rows of all inputs.
func (f *filters) packWinograd(k *Kernels, form *winogradForm, s *strip, panel []float32, stride int, w []float32, first, n, nr int) {
	per := f.perStrip(nr)
	for in := 0; in < f.inputs; in += per {
		m := min(per, f.inputs-in)
		f.fill(k.gemm, s.filters, w, 0, first, n, nr, in, m)
		from, step := 0, 4*nr
		if f.turned { // as filters that are turned round
			from, step = (f.taps-1)*nr, -step
		}
		for v := 0; v < nr; v += k.width {
			form.filter(m, &s.filters[from+v], step, 4*f.taps*nr, &panel[in*nr+v], 4*stride, 4*nr, &s.cells[0])
		}
	}
}

// all lists the taps 0 to n-1.
func all(n int) (taps []int) {
	for i := range n {
		taps = append(taps, i)
	}
	return taps
}
