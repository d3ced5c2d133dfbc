package attention

import (
	"math/rand/v2"
	"testing"

	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/simdtest"
)

func TestKernelsStayInsideTheirOperands(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		guarded[float32](t, k)
		guarded[float64](t, k)
	})
}

func guarded[T isa.Float](t *testing.T, k *Kernels) {
	rng := rand.New(rand.NewPCG(52, 3))
	for i := range 60 {
		behind := i%2 == 0
		op, h := randomHead[T](rng)
		of := func(v []T) []T { return simdtest.GuardedCopy(t, v, behind) }
		vector := func(n int) []T { return simdtest.Guarded[T](t, n, behind) }
		h.Q, h.K, h.V, h.DY = of(h.Q), of(h.K), of(h.V), of(h.DY)
		Forward(k, op, 0, op.L, h, vector(op.L*op.V), vector(Scratch[T](k, op, false)))
		Backward(k, op, 0, op.L, h, Grads[T]{vector(op.L * op.E), vector(op.S * op.E), vector(op.S * op.V)}, vector(Scratch[T](k, op, true)))
	}
}
