package winograd

import (
	"math/rand/v2"
	"testing"

	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/simdtest"
	"github.com/plexaura/plexaura/internal/simd/window"
)

func TestWinogradStaysInsideItsOperands(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(22, 22))
		for i := range 40 {
			op := window.Conv{Window: randomWindow(rng), N: 1 + rng.IntN(3), M: 1 + rng.IntN(9), Bias: isa.RowBias, Add: i%3 == 0}
			p := planOf(k, withDefaultStrides(op), i%2 == 0)
			for _, behind := range []bool{false, true} {
				make := func(n int) []float32 { return simdtest.Guarded[float32](t, n, behind) }
				p.Run(nil, make(op.N*op.M*op.Cols()), make(op.N*op.C*op.H*op.W), make(op.M*op.Rows()), make(op.M), make(p.Scratch()))
				if !p.flip {
					p.RunGrad(nil, make(op.M*op.Rows()), make(op.N*op.C*op.H*op.W), make(op.N*op.M*op.Cols()), make(p.GradScratch()))
				}
			}
		}
	})
}
