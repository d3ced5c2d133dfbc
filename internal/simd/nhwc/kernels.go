package nhwc

import (
	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/isa"
)

// slideFunc goes over the windows of pixels pixels side by side, xs and ys bytes apart in x and y,
// and over vectors of their channels, of which the last one has last channels. at points to
// abi.Taps, of which there are so many. Depthwise adds bias and rectifies as flags say; sum divides
// by count.
type slideFunc func(pixels, vectors, last, taps int, at *int, x *float32, xs int, w, y *float32, ys int, bias *float32, count float32, flags int) (csr uint32)

// Kernels are the kernels of one level.
type Kernels struct {
	width  int  // channels of a vector
	vector bool // instructions rather than plain Go

	depthwise, sum, max slideFunc
	depthwiseGrad       []depthwiseGradFunc // by taps

	// copy copies n > 0 pieces, ss and ds bytes apart, of whole vectors and last more elements.
	copy func(n, whole, last int, src *float32, ss int, dst *float32, ds int)

	maskWords int // words of a mask
	tileIn    tileInFunc
	forms     []winogradForm

	stem     [][]stemFunc     // by vectors and windows
	diagonal [][]diagonalFunc // by channels of a group and windows

	gemm *gemm.Kernels
}

// winogradForm has the kernels of Winograd's algorithm F(tile×tile, size×size). Since tile+size-1 is 6 in
// every form, all share the points and tileIn.
type winogradForm struct {
	tile, size int // results of a tile, and elements of a filter, each way

	dy  tileInFunc // of tile×tile pixels of the gradient of results
	out tileOutFunc

	// filter transforms n > 0 vectors of filters, cs bytes apart, whose elements are ws bytes apart, to 36
	// vectors us bytes apart; those of the next vector begin ucs bytes on.
	filter func(n int, w *float32, ws, cs int, u *float32, us, ucs int, cells *float32) (csr uint32)

	// thirds are those of filter, if there are any: values 0 and 5 of each six, 1 and 2, and 3 and 4.
	thirds []thirdFunc

	// filterGrad is the adjoint of filter.
	filterGrad func(n int, u *float32, us, ucs int, w *float32, ws, cs int, cells *float32) (csr uint32)
}

// stemFunc multiplies windows, ars bytes apart, of k > 0 elements each, of which the i-th is at[i] bytes behind a, by n
// panels of filters, bps bytes apart: rows of them are bks bytes apart. Results are cs bytes apart. It does so m times: the
// next windows are as bytes on, their results ys.
type stemFunc func(m, n, k int, at *int, a *float32, as, ars int, b *float32, bks, bps int, c *float32, ys, cs int, bias *float32, flags, last int) (csr uint32)

// depthwiseGradFunc adds to the sums of taps side by side, ss bytes apart, the products of dy and x over
// pixels, which are xs and ys bytes apart. In x, taps are tap bytes apart.
type depthwiseGradFunc func(pixels, vectors, last int, x *float32, xs, tap int, dy *float32, ys int, sums *float32, ss int) (csr uint32)

// tileInFunc transforms vectors of channels of the 6×6 pixels from at bytes behind x on, row and pixel
// bytes apart, to 36 vectors es bytes apart. masks are those of the pixels; abi.FlagWhole says that they leave
// nothing out. It adds all elements to the vector behind the 36 cells that it works in.
type tileInFunc func(vectors int, x *float32, at, row, pixel int, masks *uint32, v *float32, es int, cells *float32, flags int) (csr uint32)

// tileOutFunc transforms vectors of filters of 36 values es bytes apart to tile×tile pixels from y on. Behind
// the masks of pixels is that of the filters. It adds numbers that are finite only where all values are
// to the vector behind the cells.
type tileOutFunc func(vectors int, m *float32, es int, y *float32, row, pixel int, masks *uint32, bias, cells *float32, flags int) (csr uint32)

// thirdFunc transforms n > 0 vectors of filters, as filter does, to 12 vectors.
type thirdFunc func(n int, w *float32, ws, cs int, u *float32, us, ucs int) (csr uint32)

// At returns the kernels for a level, whose products are g, or nil where there are none whose vectors
// are as long as those of g.
func At(l isa.Level, g *gemm.Kernels) *Kernels {
	k, ok := tables[l]
	if !ok || k.width != g.F32.Width {
		return nil
	}
	k.gemm = g
	return &k
}

// Vector reports whether channels go through vector instructions, which is what the layout is for.
func (k *Kernels) Vector() bool { return k.vector }
