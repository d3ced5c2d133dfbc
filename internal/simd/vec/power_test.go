package vec

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/simdtest"
)

// TestPowersAreAccurate: of numbers of all magnitudes, to powers that give all magnitudes, and near 1.
func TestPowersAreAccurate(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(9, 64))
		x, y, got := make([]float32, 4099), make([]float32, 4099), make([]float32, 4099)
		worst := 0.0
		for round := range 30 {
			for i := range x {
				x[i] = float32(math.Exp2(252*rng.Float64() - 126))
				if round%2 == 0 {
					x[i] = float32(math.Exp(rng.NormFloat64() / 8))
				}
				most := 127 / max(math.Abs(math.Log2(float64(x[i]))), 1e-3)
				y[i] = float32((2*rng.Float64() - 1) * most)
			}
			k.Map(Pow, got, x, y, 0)
			for i := range x {
				want := math.Pow(float64(x[i]), float64(y[i]))
				if math.Abs(want) < 0x1p-126 {
					continue // flushed before rounding or after
				}
				worst = max(worst, ulps(got[i], want))
			}
		}
		t.Logf("%.4f ulp", worst)
		require.LessOrEqual(t, worst, .51)
	})
}

// TestPowersOfSpecialNumbersAreThoseOfMath, and do not change what is beside them.
func TestPowersOfSpecialNumbersAreThoseOfMath(t *testing.T) {
	special := []float32{0, float32(math.Copysign(0, -1)), 1, -1, 2, -2, .5, 3, -3, 2.5, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), 1e-40, 3e38, 1e-38}
	eachLevel(t, func(t *testing.T, k *Kernels) {
		var x, y []float32
		for _, a := range special {
			for _, b := range special {
				x, y = append(x, a, 1.5), append(y, b, 2)
			}
		}
		got := make([]float32, len(x))
		k.Map(Pow, got, x, y, 0)
		for i := range x {
			want := float32(math.Pow(float64(x[i]), float64(y[i])))
			if isa.Flush(want) == 0 && isa.Flush(got[i]) == 0 {
				continue
			}
			require.LessOrEqual(t, ulps(got[i], float64(want)), 1., "%v to the %v: %v, want %v", x[i], y[i], got[i], want)
		}
	})
}

// TestOneNumberThatIsNotOrdinary, anywhere in a vector, is found.
func TestOneNumberThatIsNotOrdinary(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	odd := [][2]float32{{0, 2}, {-1, 2}, {1e-40, .5}, {inf, -1}, {nan, 1}, {2, inf}, {2, -inf}, {2, nan}}
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(10, 64))
		for range 300 {
			n := 1 + rng.IntN(2*powerLen+40)
			at, of := rng.IntN(n), odd[rng.IntN(len(odd))]
			x, y, got := simdtest.Repeat(2, n), simdtest.Repeat(3, n), make([]float32, n)
			x[at], y[at] = of[0], of[1]
			want := simdtest.Repeat(8, n)
			want[at] = float32(math.Pow(float64(of[0]), float64(of[1])))
			k.Map(Pow, got, x, y, 0)
			simdtest.RequireBits(t, want, got)
			_, count := k.ordinary(n, &x[0], &y[0])
			require.EqualValues(t, n-1, count)
		}
	})
}
