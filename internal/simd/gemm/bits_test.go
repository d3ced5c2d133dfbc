package gemm

import (
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/allocs"
	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/simdtest"
)

// bitShapes take every path: tiles with and without packing, several blocks in each direction,
// vectors by columns and by rows.
var bitShapes = []Op{
	{M: 70, N: 333, K: 600}, {M: 64, N: 120, K: 400, TransB: true}, {M: 6, N: 5000, K: 25}, {M: 100, N: 150, K: 70, TransA: true},
	{M: 1, N: 3000, K: 300}, {M: 3, N: 3000, K: 200, TransB: true}, {M: 2000, N: 1, K: 100}, {M: 300, N: 300, K: 5},
}

func TestGemmHasTheSameBitsForAnyWorkers(t *testing.T) {
	old := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(old)
	pool := par.NewPool(8)
	defer pool.Close()
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(6, 6))
		for _, op := range bitShapes {
			op.Bias, op.Act = isa.ColBias, isa.ReLU
			o := newOperands[float32](rng, k, op)
			Mul(k, nil, op, o.a, o.b, o.c, o.bias, o.scratch)
			for _, procs := range []int{1, 2, 8} {
				runtime.GOMAXPROCS(procs)
				c := make([]float32, len(o.c))
				Mul(k, pool, op, o.a, o.b, c, o.bias, o.scratch)
				simdtest.RequireBits(t, o.c, c)
			}
		}
	})
}

func TestGemmAllocatesNothing(t *testing.T) {
	pool := par.NewPool(4)
	defer pool.Close()
	rng := rand.New(rand.NewPCG(6, 6))
	eachLevel(t, func(t *testing.T, k *Kernels) {
		for _, op := range bitShapes[1:6] {
			o := newOperands[float32](rng, k, op)
			require.Zero(t, allocs.PerRun(5, func() { Mul(k, pool, op, o.a, o.b, o.c, o.bias, o.scratch) }), "%+v", op)
		}
	})
}

// TestGemmKeepsNaN puts a NaN or an infinity against zeros, which must not hide it, in each
// operand.
func TestGemmKeepsNaN(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	eachLevel(t, func(t *testing.T, k *Kernels) {
		for _, op := range []Op{{M: 9, N: 37, K: 21}, {M: 1, N: 37, K: 21}, {M: 2, N: 37, K: 21, TransB: true}, {M: 40, N: 37, K: 21, TransA: true, TransB: true}} {
			op.Act = isa.ReLU
			for _, bad := range []float32{nan, inf} {
				a, b, c := make([]float32, op.M*op.K), make([]float32, op.K*op.N), make([]float32, op.M*op.N)
				scratch := make([]float32, Scratch[float32](k, op))
				a[len(a)-1] = bad // the last row's last element, stored either way
				Mul(k, nil, op, a, b, c, nil, scratch)
				for i, x := range c {
					require.Equal(t, i >= (op.M-1)*op.N, x != x, "element %d of %+v", i, op)
				}
				a[len(a)-1], b[len(b)-1] = 0, bad
				Mul(k, nil, op, a, b, c, nil, scratch)
				for i, x := range c {
					require.Equal(t, i%op.N == op.N-1, x != x, "element %d of %+v", i, op)
				}
			}
		}
	})
}

// TestGemmFlushesDenormals multiplies denormals by what would make them normal.
func TestGemmFlushesDenormals(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		for _, op := range bitShapes {
			o := newOperands[float32](rand.New(rand.NewPCG(6, 6)), k, op)
			simdtest.Fill(o.a, 0x1p-130)
			simdtest.Fill(o.b, 0x1p100)
			Mul(k, nil, op, o.a, o.b, o.c, nil, o.scratch)
			require.Equal(t, make([]float32, len(o.c)), o.c)
			simdtest.Fill(o.a, 0x1p-100)
			simdtest.Fill(o.b, 0x1p-40) // products, and sums of fewer than 2^10, are denormal
			Mul(k, nil, op, o.a, o.b, o.c, nil, o.scratch)
			require.Equal(t, make([]float32, len(o.c)), o.c)
		}
	})
}

func TestGemmRefusesShortOperands(t *testing.T) {
	op := Op{M: 3, N: 4, K: 5, Bias: isa.ColBias}
	full := func() [4][]float32 {
		return [4][]float32{make([]float32, 15), make([]float32, 20), make([]float32, 12), make([]float32, 4)}
	}
	for i := range 4 {
		s := full()
		s[i] = s[i][1:]
		require.Panics(t, func() { Mul(best(), nil, op, s[0], s[1], s[2], s[3], make([]float32, 4096)) })
	}
	s := full()
	require.Panics(t, func() { Mul(with(isa.Generic), nil, op, s[0], s[1], s[2], s[3], nil) })
	op.LDC = 3
	require.Panics(t, func() { Mul(best(), nil, op, s[0], s[1], s[2], s[3], make([]float32, 4096)) })
}
