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

	// copy copies n > 0 pieces, ss and ds bytes apart, of whole vectors and last more elements.
	copy func(n, whole, last int, src *float32, ss int, dst *float32, ds int)

	gemm *gemm.Kernels
}

// At returns the kernels for a level, whose products are g, or nil where there are none.
func At(l isa.Level, g *gemm.Kernels) *Kernels {
	k, ok := tables[l]
	if !ok {
		return nil
	}
	k.gemm = g
	return &k
}

// Vector reports whether channels go through vector instructions, which is what the layout is for.
func (k *Kernels) Vector() bool { return k.vector }
