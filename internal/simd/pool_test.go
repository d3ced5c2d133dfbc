package simd

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMaxPool2x2AndItsGradientFollowDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(16, 16))
		for range 300 {
			rows, cols := rng.IntN(6), rng.IntN(45)
			ld := 2*cols + rng.IntN(3)
			x, dx := make([]float32, 2*rows*ld), randoms[float32](rng, 2*rows*ld)
			for i := range x {
				x[i] = float32(rng.IntN(4)) // ties are frequent
				if rng.IntN(40) == 0 {
					x[i] = specials[rng.IntN(len(specials))]
				}
			}
			y, dy := make([]float32, rows*cols), randoms[float32](rng, rows*cols)
			want, wantY := append([]float32{}, dx...), make([]float32, rows*cols)
			for r := range rows {
				for c := range cols {
					cells := [4]int{2*r*ld + 2*c, 2*r*ld + 2*c + 1, (2*r+1)*ld + 2*c, (2*r+1)*ld + 2*c + 1}
					best, at := float32(math.Inf(-1)), 0
					for _, i := range cells {
						want[i] = 0
						if v := flush(x[i]); v > best || v != v {
							best, at = v, i
						}
					}
					switch {
					case best != best:
						at = cells[0]
					case math.IsInf(float64(best), -1):
						at = cells[0]
					}
					wantY[r*cols+c], want[at] = best, dy[r*cols+c]
				}
			}
			k.MaxPool2x2(y, x, rows, cols, ld)
			for i := range y {
				require.True(t, y[i] == wantY[i] || y[i] != y[i] && wantY[i] != wantY[i], "%v, want %v", y[i], wantY[i])
			}
			k.MaxPool2x2Grad(dx, x, y, dy, rows, cols, ld)
			require.Equal(t, want, dx)
		}
	})
}

// BenchmarkMaxPool2x2 is LeNet's first pooling of 64 images.
func BenchmarkMaxPool2x2(b *testing.B) {
	const rows, cols = 64 * 6 * 14, 14
	x, dx, y := make([]float32, 4*rows*cols), make([]float32, 4*rows*cols), make([]float32, rows*cols)
	for _, l := range Levels() {
		b.Run("forward/"+l.String(), func(b *testing.B) {
			for b.Loop() {
				With(l).MaxPool2x2(y, x, rows, cols, 2*cols)
			}
		})
		b.Run("gradient/"+l.String(), func(b *testing.B) {
			for b.Loop() {
				With(l).MaxPool2x2Grad(dx, x, y, y, rows, cols, 2*cols)
			}
		})
	}
}
