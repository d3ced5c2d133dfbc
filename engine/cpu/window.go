package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/window"
	"github.com/plexaura/plexaura/shape"
)

// windowOf is how windows of these attributes of an op look at the planes of x, of which each gives
// one of y. Rows and columns are axes 2 and 3 of both. Of pairs the first is the height.
func windowOf(kernel, stride, dilation [2]int, pad [2][2]int, x, y shape.Type) window.Window {
	return window.Window{
		H: x.Int(2), W: x.Int(3), KH: kernel[0], KW: kernel[1], OH: y.Int(2), OW: y.Int(3),
		SH: stride[0], SW: stride[1], DH: dilation[0], DW: dilation[1], Top: pad[0][0], Left: pad[1][0],
	}
}

// poolWindow is how the windows of a pooling look at the planes of x.
func poolWindow(p engine.Pool2D, x, y shape.Type) window.Window {
	w := windowOf(p.Kernel, p.Stride, p.Dilation, p.Pad, x, y)
	if p.Adaptive {
		w.Adaptive = true
		w.KH, w.KW = window.Adaptive(w.H, w.OH).Kernel, window.Adaptive(w.W, w.OW).Kernel
	}
	return w
}

// mostPlaces is the extent of an image up to which there are tables of its places.
const mostPlaces = 1 << 24

// vast reports whether images or filters are so long that ref's kernels, which have no tables, compute them: a file may ask for
// two thousand million places, for which there is no memory in the end.
func vast(in []engine.Operand, out engine.Operand) bool {
	for _, o := range append([]engine.Operand{out}, in...) {
		for i := 2; i < o.Rank(); i++ {
			if o.Int(i) > mostPlaces {
				return true
			}
		}
	}
	return false
}
