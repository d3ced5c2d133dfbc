package interleaved

import (
	"github.com/plexaura/plexaura/internal/simd/abi"
	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/vec"
	"github.com/plexaura/plexaura/internal/simd/window"
)

// Images is how many images a block interleaves.
const Images = abi.Images

// Op describes a convolution of interleaved batches of float32: x (Blocks, Groups*C, H, W, Images),
// filters (Groups*M, C, KH, KW), and y = act(conv(x, w) + bias) of (Blocks, Groups*M, OH, OW,
// Images).
type Op struct {
	window.Window
	Blocks, Groups, M int // M is the filters of a group, as C is its channels

	// Bias, of Groups*M values, is RowBias or NoBias.
	Bias isa.Bias
	Act  isa.Act
}

func (o *Op) taps() int   { return o.KH * o.KW }
func (o *Op) xPlane() int { return o.H * o.W * Images }
func (o *Op) yPlane() int { return o.OH * o.OW * Images }

// tileFunc computes n tiles side by side. s points at TileSteps.
type tileFunc func(n, channels int, s *int, x, w, y, bias *float32, flags int) (csr uint32)

// gradFunc adds to sums the products of dy and x over rows and cols of pixels. taps points at
// GradTaps, s at GradSteps.
type gradFunc func(rows, cols int, s *int, dy, x *float32, taps *int, sums *float32) (csr uint32)

// Kernels are the kernels of one level.
type Kernels struct {
	vector bool         // instructions rather than plain Go
	width  int          // images that a call works on
	tile   [][]tileFunc // by filters and pixels
	grad   [][]gradFunc // by filters and taps

	// total sets sums[i], for n of them, to the total of pixel i and those that follow stride bytes
	// apart.
	total func(n, parts, stride int, sums *float32) (csr uint32)

	max, maxSquare         maxFunc
	scatter, scatterSquare scatterFunc
	mean, meanGrad         meanFunc

	winogradIn  winogradInFunc
	winogradDy  winogradDyFunc
	winogradOut winogradOutFunc

	gemm *gemm.Kernels
	vec  *vec.Kernels
}

// At returns the kernels for a level, whose products and functions of vectors are g and v, or nil
// where there are none.
func At(l isa.Level, g *gemm.Kernels, v *vec.Kernels) *Kernels {
	k, ok := tables[l]
	if !ok {
		return nil
	}
	k.gemm, k.vec = g, v
	return &k
}

// Vector reports whether a pixel of 16 images goes through vector instructions, which is what the
// layout is for.
func (k *Kernels) Vector() bool { return k.vector }
