package simd

import (
	"fmt"
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

// Im2Col sets rows lo to hi of the matrix whose row (c,i,j) holds, for each place of the window, the
// element at row i and column j of the window on channel c of src, and 0 outside of the image.
// A convolution is the product of the filters, one a row, and this matrix. ld is the distance
// between rows of dst, 0 for none between them, so that the images of a batch can stand side by side.
func Im2Col[T Float](dst []T, ld int, src []T, w Window, lo, hi int) {
	w = w.withDefaults()
	ld = stride(ld, w.Cols())
	w.check("Im2Col", len(dst), ld, len(src), lo, hi)
	for r := lo; r < hi; r++ {
		t := w.tap(r)
		for y := range w.OH {
			out := dst[r*ld+y*w.OW:][:w.OW]
			at, ok := t.start(y)
			if !ok {
				clear(out)
				continue
			}
			clear(out[:t.from])
			clear(out[t.to:])
			out = out[t.from:t.to]
			if w.SW == 1 {
				copy(out, src[at:])
				continue
			}
			for i := range out {
				out[i] = src[at]
				at += w.SW
			}
		}
	}
}

// Col2Im adds to dst, an image, channels lo to hi of a matrix as Im2Col makes it: its adjoint.
func Col2Im[T Float](dst []T, src []T, ld int, w Window, lo, hi int) {
	w = w.withDefaults()
	ld = stride(ld, w.Cols())
	taps := w.KH * w.KW
	w.check("Col2Im", len(src), ld, len(dst), lo*taps, hi*taps)
	for r := lo * taps; r < hi*taps; r++ {
		t := w.tap(r)
		for y := range w.OH {
			at, ok := t.start(y)
			if !ok {
				continue
			}
			in := src[r*ld+y*w.OW:][t.from:t.to]
			if w.SW == 1 {
				out := dst[at:][:len(in)]
				for i, v := range in {
					out[i] += v
				}
				continue
			}
			for _, v := range in {
				dst[at] += v
				at += w.SW
			}
		}
	}
}

func (w Window) check(kernel string, matrix, ld, image, lo, hi int) {
	if lo < 0 || hi > w.Rows() || lo < hi && (ld < w.Cols() || matrix < (hi-1)*ld+w.Cols() || image < w.C*w.H*w.W) {
		panic(fmt.Sprintf("simd: %s of rows %d to %d of %+v with %d elements in the matrix, rows of %d, %d in the image",
			kernel, lo, hi, w, matrix, ld, image))
	}
}

// tap is one element of the window: what a row of the matrix is made from.
type tap struct {
	Window
	plane, i, j int // channel, row and column
	from, to    int // the columns of places at which it lies on the image
}

func (w Window) tap(row int) tap {
	t := tap{Window: w, plane: row / (w.KH * w.KW), i: row / w.KW % w.KH, j: row % w.KW}
	left := t.j*w.DW - w.Left // at the first place
	t.from = min(max(ceil(-left, w.SW), 0), w.OW)
	t.to = max(min(ceil(w.W-left, w.SW), w.OW), t.from)
	return t
}

// start is the index in the image of the tap at place (y, from), or false where none of places
// (y, ...) has it on the image.
func (t tap) start(y int) (int, bool) {
	row := y*t.SH + t.i*t.DH - t.Top
	if row < 0 || row >= t.H || t.from == t.to {
		return 0, false
	}
	return (t.plane*t.H+row)*t.W + t.from*t.SW + t.j*t.DW - t.Left, true
}

// FlipFilters sets dst, of c×m filters, to the filters w, of m×c, turned round and with their axes
// changed: convolving with them gives the gradient of a convolution's images, for stride 1 and padding
// (KH-1)*DH-Top and (KW-1)*DW-Left. taps is KH*KW.
func FlipFilters[T Float](dst, w []T, m, c, taps int) {
	for i := range m {
		for j := range c {
			src, out := w[(i*c+j)*taps:][:taps], dst[(j*m+i)*taps:][:taps]
			for k, v := range src {
				out[taps-1-k] = v
			}
		}
	}
}
