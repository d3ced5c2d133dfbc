package gemm

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/simdtest"
)

// Each panel is computed on its own, of operands between guard pages. Rows have the same bits whichever
// others are computed with them, unless it is planned for one.
func TestStepsAreProducts(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		stepsAreProducts[float32](t, k)
		stepsAreProducts[float64](t, k)
	})
}

func stepsAreProducts[T isa.Float](t *testing.T, k *Kernels) {
	rng := rand.New(rand.NewPCG(51, 51))
	ms, sizes := []int{0, 1, 2, 5, 7, 13, 16, 25}, []int{1, 3, 4, 8, 15, 16, 33, 64, 68, 130}
	for range 150 {
		op := StepsOp{M: ms[rng.IntN(len(ms))], Groups: 1 + rng.IntN(4), Units: sizes[rng.IntN(len(sizes))], K: sizes[rng.IntN(len(sizes))], TransB: rng.IntN(2) == 0}
		if rng.IntN(8) == 0 {
			op.K, op.Groups = 1024+sizes[rng.IntN(len(sizes))], 1
		}
		behind := rng.IntN(2) == 0
		whole := Op{M: op.M, N: op.Groups * op.Units, K: op.K, TransB: op.TransB, Bias: isa.Bias(rng.IntN(2))}
		o := newOperands[T](rng, k, whole)
		want, size := product(whole, o.a, o.b, o.c, o.bias)

		s := StepsOf[T](k, op)
		b, bias := simdtest.GuardedCopy(t, o.b, behind), o.bias
		if whole.Bias == isa.NoBias {
			bias = nil
		}
		if n, _ := s.Packing(); n > 0 {
			packed := simdtest.Guarded[T](t, n, behind)
			for i := range s.Panels() {
				s.Pack(s.Panel(i), b, packed)
			}
			b = packed
		}
		if bias != nil {
			packed := simdtest.Guarded[T](t, s.Columns(), behind)
			s.PackBias(bias, packed)
			bias = packed
		}
		a, c := simdtest.GuardedCopy(t, o.a, behind), simdtest.Guarded[T](t, op.M*s.Columns(), behind)
		for i := range s.Panels() {
			p := s.Panel(i)
			s.Mul(p, op.M, a, op.K, b, c[s.In(p, op.M, 0):s.In(p, op.M, op.M)], bias)
			for row := range op.M {
				have := c[s.In(p, op.M, row):]
				for g := range op.Groups {
					for j := p.First; j < p.End; j++ {
						at := row*whole.N + g*op.Units + j
						simdtest.RequireWithin(t, want[at], float64(have[g*p.Width+j-p.First]), 0x1p-24*float64(op.K+3)*size[at], at, op)
					}
				}
				alone := make([]T, op.Groups*p.Width)
				s.Mul(p, 1, a[row*op.K:], op.K, b, alone, bias)
				require.Equal(t, have[:len(alone)], alone)
			}
		}
	}
	s := StepsOf[T](k, StepsOp{M: 2, Groups: 1, Units: 3, K: 3})
	n, _ := s.Packing()
	require.Panics(t, func() { s.Pack(s.Panel(0), make([]T, 9), make([]T, n-1)) })
	require.Panics(t, func() { s.Mul(s.Panel(0), 2, make([]T, 5), 3, make([]T, n), make([]T, 2*s.Columns()), nil) })
}
