package simd

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// randomWindow has places that reach over the image on all sides.
func randomWindow(rng *rand.Rand) Window {
	w := Window{C: 1 + rng.IntN(3), H: 1 + rng.IntN(12), W: 1 + rng.IntN(20), KH: 1 + rng.IntN(4), KW: 1 + rng.IntN(5),
		OH: rng.IntN(9), OW: rng.IntN(14), SH: rng.IntN(4), SW: rng.IntN(4), DH: rng.IntN(3), DW: rng.IntN(3),
		Top: rng.IntN(4), Left: rng.IntN(6)}
	return w
}

// source is the index in the image that row r, place (y,x) comes from, or -1.
func source(w Window, r, y, x int) int {
	w = w.withDefaults()
	c, i, j := r/(w.KH*w.KW), r/w.KW%w.KH, r%w.KW
	row, col := y*w.SH+i*w.DH-w.Top, x*w.SW+j*w.DW-w.Left
	if row < 0 || row >= w.H || col < 0 || col >= w.W {
		return -1
	}
	return (c*w.H+row)*w.W + col
}

func TestIm2ColAndCol2ImFollowDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for range 500 {
		w := randomWindow(rng)
		ld := w.Cols() + rng.IntN(3)
		image, matrix := randoms[float64](rng, w.C*w.H*w.W), randoms[float64](rng, w.Rows()*ld)
		wantMatrix, wantImage := append([]float64{}, matrix...), append([]float64{}, image...)
		for r := range w.Rows() {
			for y := range w.OH {
				for x := range w.OW {
					from, cell := source(w, r, y, x), r*ld+y*w.OW+x
					wantMatrix[cell] = 0
					if from >= 0 {
						wantMatrix[cell] = image[from]
						wantImage[from] += matrix[cell]
					}
				}
			}
		}
		got := append([]float64{}, image...)
		Col2Im(got, matrix, ld, w, 0, 1)
		Col2Im(got, matrix, ld, w, 1, w.C)
		require.InDeltaSlice(t, wantImage, got, 1e-12, "%+v", w)
		half := w.Rows() / 2
		Im2Col(matrix, ld, image, w, half, w.Rows())
		Im2Col(matrix, ld, image, w, 0, half)
		require.Equal(t, wantMatrix, matrix, "%+v", w)
	}
}

// BenchmarkIm2Col is LeNet's second convolution, one image.
func BenchmarkIm2Col(b *testing.B) {
	w := Window{C: 6, H: 14, W: 14, KH: 5, KW: 5, OH: 10, OW: 10}
	src, dst := make([]float32, 6*14*14), make([]float32, w.Rows()*w.Cols())
	b.Run("im2col", func(b *testing.B) {
		for b.Loop() {
			Im2Col(dst, 0, src, w, 0, w.Rows())
		}
	})
	b.Run("col2im", func(b *testing.B) {
		for b.Loop() {
			Col2Im(src, dst, 0, w, 0, w.C)
		}
	})
}
