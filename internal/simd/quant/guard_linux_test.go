package quant

import (
	"math/rand/v2"
	"testing"

	"github.com/plexaura/plexaura/internal/simd/simdtest"
)

func TestKernelsStayInsideTheirOperands(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(78, 78))
		for i := range 60 {
			behind := i%2 == 0
			memory := func(n int) []uint8 { return simdtest.Guarded[uint8](t, n, behind) }
			op := randomOp(rng)
			if i%3 == 0 {
				op = depthwiseOp(rng)
			}
			o := operandsOf(rng, op)
			o.x, o.addend = append(memory(len(o.x))[:0], o.x...), append(memory(len(o.addend))[:0], o.addend...)
			o.shifts, o.scales = simdtest.GuardedCopy(t, o.shifts, behind), simdtest.GuardedCopy(t, o.scales, behind)
			o.conv(k, op, memory)
			if op.C == 1 && op.M == 1 && op.Tail.Adds == addNothing {
				o.depthwise(k, op, memory)
			}
			n := op.N
			op.Window.C = 1 + rng.IntN(90)
			pooled(k, op.Window, n, memory(n*op.H*op.W*op.C), memory)
			NewBytes(k, Scale{1, op.Zero}).Run(memory(n), simdtest.Guarded[float32](t, n, behind))
		}
	})
}
