package simdtest

import (
	"math"
	"math/rand/v2"

	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/window"
)

// RandomWindow has places that reach over the image on all sides.
func RandomWindow(rng *rand.Rand) window.Window {
	w := window.Window{C: 1 + rng.IntN(3), H: 1 + rng.IntN(12), W: 1 + rng.IntN(20), KH: 1 + rng.IntN(4), KW: 1 + rng.IntN(5),
		OH: rng.IntN(9), OW: rng.IntN(14), SH: rng.IntN(4), SW: rng.IntN(4), DH: rng.IntN(3), DW: rng.IntN(3),
		Top: rng.IntN(4), Left: rng.IntN(6)}
	return w
}

// Source is the index in the image that row r, place (y,x) comes from, or -1.
func Source(w window.Window, r, y, x int) int {
	w = w.WithDefaults()
	c, i, j := r/(w.KH*w.KW), r/w.KW%w.KH, r%w.KW
	row, col := y*w.SH+i*w.DH-w.Top, x*w.SW+j*w.DW-w.Left
	if row < 0 || row >= w.H || col < 0 || col >= w.W {
		return -1
	}
	return (c*w.H+row)*w.W + col
}

// Convolution is op in float64 the obvious way, and the sum of the terms' magnitudes.
func Convolution(op window.Conv, y, x, w, bias []float32) (want, size []float64) {
	for n := range op.N {
		for m := range op.M {
			for p := range op.Cols() {
				sum, abs := 0.0, 0.0
				term := func(v float64) { sum += v; abs += math.Abs(v) }
				if op.Add {
					term(float64(y[len(want)]))
				}
				for r := range op.Rows() {
					if from := Source(op.Window, r, p/op.OW, p%op.OW); from >= 0 {
						term(float64(w[m*op.Rows()+r]) * float64(x[n*op.C*op.H*op.W+from]))
					}
				}
				if op.Bias != isa.NoBias {
					term(float64(bias[m]))
				}
				want, size = append(want, Activate(op.Act, sum)), append(size, abs)
			}
		}
	}
	return want, size
}

// Gradient is that of the filters, in float64 the obvious way.
func Gradient(op window.Conv, dw, x, dy []float32) []float64 {
	want := make([]float64, len(dw))
	for m := range op.M {
		for r := range op.Rows() {
			at := m*op.Rows() + r
			if op.Add {
				want[at] = float64(dw[at])
			}
			for n := range op.N {
				for q := range op.Cols() {
					if from := Source(op.Window, r, q/op.OW, q%op.OW); from >= 0 {
						want[at] += float64(x[n*op.C*op.H*op.W+from]) * float64(dy[(n*op.M+m)*op.Cols()+q])
					}
				}
			}
		}
	}
	return want
}

// ImageGradient is the gradient of the images.
func ImageGradient(op window.Conv, dy, w []float32) []float64 {
	want := make([]float64, op.N*op.C*op.H*op.W)
	for n := range op.N {
		for m := range op.M {
			for r := range op.Rows() {
				for q := range op.Cols() {
					if to := Source(op.Window, r, q/op.OW, q%op.OW); to >= 0 {
						want[n*op.C*op.H*op.W+to] += float64(w[m*op.Rows()+r]) * float64(dy[(n*op.M+m)*op.Cols()+q])
					}
				}
			}
		}
	}
	return want
}

// FlipFilters sets dst, of c×m filters, to the filters w, of m×c, turned round and with their axes
// changed: convolving with them gives the gradient of a convolution's images, for stride 1 and
// padding (KH-1)*DH-Top and (KW-1)*DW-Left. taps is KH*KW.
func FlipFilters[T isa.Float](dst, w []T, m, c, taps int) {
	for i := range m {
		for j := range c {
			src, out := w[(i*c+j)*taps:][:taps], dst[(j*m+i)*taps:][:taps]
			for k, v := range src {
				out[taps-1-k] = v
			}
		}
	}
}

// ConvShapes are LeNet's convolutions and a layer of a large network.
var ConvShapes = map[string]window.Conv{
	"lenet1":   {Window: window.Window{C: 1, H: 28, W: 28, KH: 5, KW: 5, OH: 28, OW: 28, Top: 2, Left: 2}, N: 64, M: 6, Bias: isa.RowBias, Act: isa.ReLU},
	"lenet2":   {Window: window.Window{C: 6, H: 14, W: 14, KH: 5, KW: 5, OH: 10, OW: 10}, N: 64, M: 16, Bias: isa.RowBias, Act: isa.ReLU},
	"3x3/64":   {Window: window.Window{C: 64, H: 56, W: 56, KH: 3, KW: 3, OH: 56, OW: 56, Top: 1, Left: 1}, N: 32, M: 64},
	"alexnet1": {Window: window.Window{C: 3, H: 224, W: 224, KH: 11, KW: 11, SH: 4, SW: 4, OH: 55, OW: 55, Top: 2, Left: 2}, N: 8, M: 64},
	"alexnet2": {Window: window.Window{C: 64, H: 27, W: 27, KH: 5, KW: 5, OH: 27, OW: 27, Top: 2, Left: 2}, N: 8, M: 192},
	"3x3/128":  {Window: window.Window{C: 128, H: 28, W: 28, KH: 3, KW: 3, OH: 28, OW: 28, Top: 1, Left: 1}, N: 16, M: 128},
	"3x3/256":  {Window: window.Window{C: 256, H: 14, W: 14, KH: 3, KW: 3, OH: 14, OW: 14, Top: 1, Left: 1}, N: 16, M: 256},
	"3x3/384":  {Window: window.Window{C: 256, H: 13, W: 13, KH: 3, KW: 3, OH: 13, OW: 13, Top: 1, Left: 1}, N: 8, M: 384},
}
