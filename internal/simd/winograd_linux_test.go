package simd

import (
	"math/rand/v2"
	"testing"
)

func TestWinogradStaysInsideItsOperands(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(22, 22))
		for i := range 40 {
			op := ConvOp{Window: winoWindow(rng), N: 1 + rng.IntN(3), M: 1 + rng.IntN(9), Bias: RowBias, Add: i%3 == 0}.withDefaultStrides()
			p := planWinograd(k, op, i%2 == 0)
			for _, behind := range []bool{false, true} {
				make := func(n int) []float32 { return guarded[float32](t, n, behind) }
				p.Run(nil, make(op.N*op.M*op.Cols()), make(op.N*op.C*op.H*op.W), make(op.M*op.Rows()), make(op.M), make(p.Scratch()))
				if !p.flip {
					p.RunGrad(nil, make(op.M*op.Rows()), make(op.N*op.C*op.H*op.W), make(op.N*op.M*op.Cols()), make(p.GradScratch()))
				}
			}
		}
	})
}

func TestGradientsOfManyFiltersStayInsideTheirOperands(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(23, 23))
		for range 40 {
			op := ConvOp{Window: randomWindow(rng), N: 1 + rng.IntN(3), M: 8 + rng.IntN(90)}
			p, _ := NewConv(k, op)
			for _, behind := range []bool{false, true} {
				make := func(n int) []float32 { return guarded[float32](t, n, behind) }
				p.RunGrad(nil, make(op.M*op.Rows()), make(op.N*op.C*op.H*op.W), make(op.N*op.M*op.Cols()), make(p.GradScratch()))
			}
		}
	})
}
