package vec

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/simd/simdtest"
)

// maxULP64 is what the comment of Map64 promises.
var maxULP64 = map[Op]float64{Exp: 1, Log: 1, Tanh: 2, Sigmoid: 2, Erf: 1.5}

// ulps64 is the distance between a and b in units of b's last place. Package math, which b comes
// from, is itself off by less than one.
func ulps64(a, b float64) float64 {
	if a == b || a != a && b != b {
		return 0
	}
	if math.IsInf(a, 0) || math.IsInf(b, 0) || a != a || b != b {
		return math.Inf(1)
	}
	return math.Abs(a-b) / (math.Nextafter(math.Abs(b), math.Inf(1)) - math.Abs(b))
}

// TestDoubleFunctionsAreAccurate walks through all magnitudes, most densely where the functions
// change.
func TestDoubleFunctionsAreAccurate(t *testing.T) {
	const mathOff = 1 // of package math
	eachLevel(t, func(t *testing.T, k *Kernels) {
		if k.width == 1 {
			return // its functions are package math's
		}
		rng := rand.New(rand.NewPCG(3, 64))
		x, y := make([]float64, 4096), make([]float64, 4096)
		worst, at := map[Op]float64{}, map[Op]float64{}
		for round := range 60 {
			for i := range x {
				switch round % 4 {
				case 0:
					x[i] = math.Float64frombits(rng.Uint64())
				case 1:
					x[i] = rng.NormFloat64()
				case 2:
					x[i] = 1500 * (rng.Float64() - .5)
				default:
					x[i] = 12 * (rng.Float64() - .5)
				}
			}
			for op := range maxULP64 {
				k.Map64(op, y, x, nil, 0)
				for i, v := range x {
					if u := ulps64(y[i], formulas64[op](v, 0, 0)); u > worst[op] {
						worst[op], at[op] = u, v
					}
				}
			}
		}
		for op, limit := range maxULP64 {
			t.Logf("%v: %.2f ulp at %v", op, worst[op], at[op])
			require.LessOrEqual(t, worst[op], limit+mathOff, "%v at %v", op, at[op])
		}
	})
}

// doublesOf are values with zeros, infinities, NaN and denormals among them.
func doublesOf(rng *rand.Rand, n int) []float64 {
	v := make([]float64, n)
	special := []float64{0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN(), 5e-324, -1e-310, 1, -1, .625, 709.9, -745.3, math.MaxFloat64}
	for i := range v {
		v[i] = 4 * rng.NormFloat64()
		if rng.IntN(4) == 0 {
			v[i] = special[rng.IntN(len(special))]
		}
	}
	return v
}

func TestMap64AgreesWithFormulas(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(5, 64))
		for op := range GELU { // for which TestGELU64AgreesWithFormulas is
			if k.width == 1 {
				break // these are the formulas
			}
			for n := range 70 {
				x, y, dst := doublesOf(rng, n+1)[1:], doublesOf(rng, n+1)[1:], make([]float64, n+1)
				c := doublesOf(rng, 1)[0]
				dst[n] = 42
				k.Map64(op, dst[:n], x, y, c)
				require.EqualValues(t, 42, dst[n])
				for i := range n {
					want := formulas64[op](x[i], y[i], c)
					limit := 0.0
					if maxULP64[op] > 0 {
						limit = maxULP64[op] + 1
					}
					require.LessOrEqual(t, ulps64(dst[i], want), limit, "%v: x %v y %v c %v: got %v, want %v", op, x[i], y[i], c, dst[i], want)
					if want == 0 {
						require.Equal(t, math.Signbit(want), math.Signbit(dst[i]), "%v of %v, %v", op, x[i], y[i])
					}
				}
			}
		}
	})
}

func TestSum64(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(6, 64))
		for _, n := range []int{0, 1, 3, 7, 8, 9, 31, 32, 33, 100, 20011} {
			x, want := make([]float64, n), 0.0
			for i := range x {
				x[i] = rng.NormFloat64()
				want += x[i]
			}
			require.InDelta(t, want, k.Sum64(x), 1e-12*float64(n+1))
		}
		require.True(t, math.IsNaN(k.Sum64([]float64{1, math.NaN()})))
	})
}

// TestAnglesBeyondTheLimitAreTakenOneByOne, with the same results for those beside them.
func TestAnglesBeyondTheLimitAreTakenOneByOne(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(8, 64))
		x := make([]float32, 1300)
		for i := range x {
			x[i] = float32(rng.NormFloat64() * 100)
		}
		for op, f := range map[Op]func(float64) float64{Sin: math.Sin, Cos: math.Cos} {
			before, after := make([]float32, len(x)), make([]float32, len(x))
			k.Map(op, before, x, nil, 0)
			some := append([]float32(nil), x...)
			for i, v := range map[int]float64{0: 1e30, 7: math.Inf(1), 8: -1e6, 600: math.NaN(), 1299: 131073} {
				some[i] = float32(v)
			}
			k.Map(op, after, some, nil, 0)
			for i, v := range some {
				if v == x[i] {
					require.Equal(t, before[i], after[i])
					continue
				}
				require.LessOrEqual(t, ulps(after[i], f(float64(v))), .51, "%v", v)
			}
		}
	})
}

func TestDoubleKernelsStayInsideTheirOperands(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		for n := 1; n < 60; n = n*5/4 + 1 {
			for _, behind := range []bool{false, true} {
				dst, x, y := guarded64(t, n, behind), guarded64(t, n, behind), guarded64(t, n, behind)
				for op := range opCount64 {
					k.Map64(op, dst, x, y, 1)
				}
				k.Sum64(x)
			}
		}
	})
}

func guarded64(t *testing.T, n int, behind bool) []float64 {
	b := simdtest.Guarded[float64](t, n, behind)
	require.Zero(t, uintptr(unsafe.Pointer(&b[0]))%8)
	return b
}
