package gemm

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/simdtest"
)

func TestTransposeMovesEveryElement(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(5, 5))
		for range 200 {
			checkTranspose[float32](t, k, rng)
			checkTranspose[float64](t, k, rng)
		}
	})
}

func checkTranspose[T isa.Float](t *testing.T, k *Kernels, rng *rand.Rand) {
	rows, cols := rng.IntN(70), rng.IntN(70)
	if rng.IntN(10) == 0 {
		cols += 300
	}
	lds, ldd := cols+rng.IntN(4), rows+rng.IntN(4)
	src, dst := simdtest.Randoms[T](rng, rows*lds), simdtest.Randoms[T](rng, cols*ldd)
	want := slices.Clone(dst)
	for i := range rows {
		for j := range cols {
			want[j*ldd+i] = src[i*lds+j]
		}
	}
	Transpose(k, dst, ldd, src, lds, rows, cols)
	require.Equal(t, want, dst)
}

func BenchmarkTranspose(b *testing.B) {
	for _, n := range []int{64, 512, 2048} {
		src, dst := make([]float32, n*n), make([]float32, n*n)
		for _, l := range isa.Levels() {
			b.Run(fmt.Sprintf("%d/%v", n, l), func(b *testing.B) {
				for b.Loop() {
					Transpose(with(l), dst, 0, src, 0, n, n)
				}
				b.ReportMetric(float64(n*n)*float64(b.N)/b.Elapsed().Seconds()/1e9, "Gelem/s")
			})
		}
	}
}
