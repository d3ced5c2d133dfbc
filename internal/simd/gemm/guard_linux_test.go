package gemm

import (
	"math/rand/v2"
	"testing"

	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/simdtest"
)

func TestGemmStaysInsideItsOperands(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		guardGemm[float32](t, k)
		guardGemm[float64](t, k)
	})
}

func guardGemm[T isa.Float](t *testing.T, k *Kernels) {
	rng := rand.New(rand.NewPCG(3, 3))
	sizes := []int{1, 2, 4, 5, 7, 9, 15, 16, 17, 33, 65, 70}
	pick := func() int { return sizes[rng.IntN(len(sizes))] }
	flip := func() bool { return rng.IntN(2) == 0 }
	for range 150 {
		op := Op{M: pick(), N: pick(), K: pick() * (1 + 3*rng.IntN(2)), TransA: flip(), TransB: flip(),
			Add: flip(), Bias: isa.Bias(rng.IntN(3)), Act: isa.Act(rng.IntN(3))}
		behind := flip()
		o := newOperands[T](rng, k, op)
		want, size := product(op, o.a, o.b, o.c, o.bias)
		c := simdtest.GuardedCopy(t, o.c, behind)
		Mul(k, nil, op, simdtest.GuardedCopy(t, o.a, behind), simdtest.GuardedCopy(t, o.b, behind), c,
			simdtest.GuardedCopy(t, o.bias, behind), simdtest.GuardedCopy(t, o.scratch, behind))
		for i, x := range c {
			simdtest.RequireWithin(t, want[i], float64(x), 0x1p-24*float64(op.K+3)*size[i], i, op)
		}
	}
}

func TestTransposeStaysInsideItsOperands(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		for _, rows := range []int{1, 3, 4, 8, 15, 16, 17, 40} {
			for _, cols := range []int{1, 2, 5, 8, 16, 31, 33} {
				for _, behind := range []bool{false, true} {
					Transpose(k, simdtest.Guarded[float32](t, rows*cols, behind), 0, simdtest.Guarded[float32](t, rows*cols, behind), 0, rows, cols)
					Transpose(k, simdtest.Guarded[float64](t, rows*cols, behind), 0, simdtest.Guarded[float64](t, rows*cols, behind), 0, rows, cols)
				}
			}
		}
	})
}
