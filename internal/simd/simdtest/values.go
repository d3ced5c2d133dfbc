package simdtest

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/simd/isa"
)

// Randoms returns n numbers that are uniform in [-1,1).
func Randoms[T isa.Float](rng *rand.Rand, n int) []T {
	s := make([]T, n)
	for i := range s {
		s[i] = T(rng.Float64()*2 - 1)
	}
	return s
}

// Activate returns a of x.
func Activate(a isa.Act, x float64) float64 {
	if a != isa.NoAct {
		x = max(x, 0)
	}
	if a == isa.ReLU6 {
		x = min(x, 6)
	}
	return x
}

// Fill sets all of s to x.
func Fill(s []float32, x float32) {
	for i := range s {
		s[i] = x
	}
}

// Mixed is n random values of many magnitudes, some special.
func Mixed(rng *rand.Rand, n int) []float32 {
	s := make([]float32, n)
	for i := range s {
		switch rng.IntN(8) {
		case 0:
			s[i] = Specials[rng.IntN(len(Specials))]
		case 1:
			s[i] = float32(math.Ldexp(rng.Float64()*2-1, rng.IntN(40)-20))
		default:
			s[i] = rng.Float32()*8 - 4
		}
	}
	return s
}

// Repeat returns x n times.
func Repeat(x float32, n int) []float32 {
	s := make([]float32, n)
	for i := range s {
		s[i] = x
	}
	return s
}

// RequireBits compares exactly, signs of zeros and NaN included.
func RequireBits(t *testing.T, want, got []float32) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		w, g := want[i], got[i]
		if math.Float32bits(w) != math.Float32bits(g) && (w == w || g == g) {
			require.Fail(t, "different", "element %d: %v, want %v", i, g, w)
		}
	}
}

// Specials are the values that kernels get wrong first.
var Specials = []float32{0, float32(math.Copysign(0, -1)), 1, -1, float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)),
	math.MaxFloat32, -math.MaxFloat32, 0x1p-126, -0x1p-126, math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32, 0x1p-127,
	88.7, 89, -87.3, -87.4, -104, -105, 128, 0.625, -0.625, 0.5, 2, 1e-10, -1e-10, 30, -30, 1e10}

// RequireWithin is require.InDelta without its cost where all is well.
func RequireWithin(t *testing.T, want, got, limit float64, i int, op any) {
	if !(math.Abs(got-want) <= limit) {
		t.Helper()
		require.InDelta(t, want, got, limit, "element %d of %+v", i, op)
	}
}

// RequireClose compares with what the largest result, or operands of about 1, allow.
func RequireClose(t *testing.T, want []float64, got []float32, limit float64, op any) {
	worst, most := 0.0, 0.0
	for i := range want {
		require.False(t, got[i] != got[i], "NaN at %d of %+v", i, op)
		worst, most = max(worst, math.Abs(want[i]-float64(got[i]))), max(most, math.Abs(want[i]))
	}
	require.LessOrEqual(t, worst, limit*max(most, 1), "%+v", op)
}
