package conv

import (
	"math/rand/v2"
	"testing"

	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/simdtest"
	"github.com/plexaura/plexaura/internal/simd/window"
)

func TestConvStaysInsideItsOperands(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(15, 15))
		for i := range 100 {
			op := window.Conv{Window: simdtest.RandomWindow(rng), N: 1 + rng.IntN(3), M: 1 + rng.IntN(9), Bias: isa.RowBias}
			op.SW = 1 + i%3
			if i%2 == 0 {
				inside(&op)
			}
			p, _ := New(k, op)
			for _, behind := range []bool{false, true} {
				make := func(n int) []float32 { return simdtest.Guarded[float32](t, n, behind) }
				y, x, w := make(op.N*op.M*op.Cols()), make(op.N*op.C*op.H*op.W), make(op.M*op.Rows())
				p.Run(nil, y, x, w, make(op.M), make(p.Scratch()))
				p.RunGrad(nil, w, x, y, make(p.GradScratch()))
			}
		}
	})
}

func TestGradientsOfManyFiltersStayInsideTheirOperands(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(23, 23))
		for range 40 {
			op := window.Conv{Window: simdtest.RandomWindow(rng), N: 1 + rng.IntN(3), M: 8 + rng.IntN(90)}
			p, _ := New(k, op)
			for _, behind := range []bool{false, true} {
				make := func(n int) []float32 { return simdtest.Guarded[float32](t, n, behind) }
				p.RunGrad(nil, make(op.M*op.Rows()), make(op.N*op.C*op.H*op.W), make(op.N*op.M*op.Cols()), make(p.GradScratch()))
			}
		}
	})
}
