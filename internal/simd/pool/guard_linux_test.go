package pool

import (
	"testing"

	"github.com/plexaura/plexaura/internal/simd/simdtest"
)

func TestMaxPoolStaysInsideItsOperands(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		for cols := 1; cols < 70; cols += 1 + cols/5 {
			for _, behind := range []bool{false, true} {
				make := func(n int) []float32 { return simdtest.Guarded[float32](t, n, behind) }
				x, y := make(12*cols), make(3*cols)
				pairs := Windows{Size: 2, Stride: 2, Rows: 3, Cols: cols, LD: 2 * cols, Step: 4 * cols, Out: cols}
				k.Max(pairs, y, x)
				k.Scatter(pairs, make(12*cols), x, y)
				wide := Windows{Size: 3, Stride: 2, Rows: 3, Cols: cols, LD: 2*cols + 1, Step: 2 * (2*cols + 1), Out: cols}
				x = make(7 * (2*cols + 1))
				k.Max(wide, y, x)
				k.Places(wide, simdtest.Guarded[int32](t, 3*cols, behind), x, 0)
				columns := Columns{Lines: 3, Rows: 2, Cols: cols, LD: cols, Step: 2 * cols}
				k.Best(columns, simdtest.Guarded[int64](t, 2*cols, behind), make(5*cols), 7)
				slide := Windows{Size: 4, Stride: 1, Rows: 2, Cols: cols, LD: cols + 3, Step: cols + 3, Out: cols}
				x = make(5 * (cols + 3))
				k.Max(slide, make(2*cols), x)
				k.Places(slide, simdtest.Guarded[int32](t, 2*cols, behind), x, 0)
			}
		}
	})
}
