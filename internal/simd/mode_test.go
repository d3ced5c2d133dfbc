package simd

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/vec"
)

// TestKernelsRestoreTheFloatingPointMode checks that Go code after a kernel still has denormals.
func TestKernelsRestoreTheFloatingPointMode(t *testing.T) {
	for _, l := range isa.Levels() {
		k := With(l)
		x := []float32{0x1p-100}
		k.Vec.Map(vec.MulC, make([]float32, 1), x, nil, 0x1p-40)
		k.Vec.Sum(x)
		gemm.Mul(k.Gemm, nil, gemm.Op{M: 1, N: 1, K: 1}, x, x, make([]float32, 1), nil, make([]float32, 64))
		require.NotZero(t, x[0]*0x1p-40)
	}
}
