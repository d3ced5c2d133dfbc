package vec

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/simdtest"
)

// TestActivationsAgreeWithFormulas at odd lengths, at the kinks, and where nothing is finite. The
// errors of what is added up count, not those of a small difference.
func TestActivationsAgreeWithFormulas(t *testing.T) {
	kinks := []float32{-3, 3, -1000, 1000, 1001, -1001, 0, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), 1e-40, -6, 9}
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(11, 64))
		for op := GELU; op < opCount; op++ {
			for n := range 150 {
				x, y, got := simdtest.Mixed(rng, n), simdtest.Randoms[float32](rng, n), make([]float32, n+1)
				for i := range x {
					switch rng.IntN(3) {
					case 0:
						x[i] = kinks[rng.IntN(len(kinks))]
					case 1:
						x[i] = float32(rng.NormFloat64() * 3)
					}
				}
				got[n] = 42
				k.Map(op, got[:n], x, y, 0)
				require.EqualValues(t, 42, got[n])
				for i := range n {
					a, b := isa.Flush(x[i]), isa.Flush(y[i])
					want := formulas[op](a, b, 0)
					if want == got[i] || want != want && got[i] != got[i] {
						continue
					}
					size, most := math.Abs(float64(a)), 2e-7 // of which want is off by 6e-8
					switch op {
					case GELUGrad, GELUTanhGrad:
						size, most = math.Abs(float64(b)), 2.6e-7
					case SiLUGrad, HardSwishGrad:
						size, most = math.Abs(float64(b))*(1+min(size, 3)), 4e-7
					case HardSwish:
						most = 4e-7
					}
					require.InDelta(t, want, got[i], most*size+1e-37, "%v of %v, %v", op, x[i], y[i])
				}
			}
		}
	})
}

// TestGELU64AgreesWithFormulas, the same of float64.
func TestGELU64AgreesWithFormulas(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(12, 64))
		for _, op := range []Op{GELU, GELUGrad} {
			for n := range 150 {
				x, y, got := doublesOf(rng, n), doublesOf(rng, n), make([]float64, n+1)
				got[n] = 42
				k.Map64(op, got[:n], x, y, 0)
				require.EqualValues(t, 42, got[n])
				for i := range n {
					want := formulas64[op](x[i], y[i], 0)
					if want == got[i] || want != want && got[i] != got[i] {
						continue
					}
					size := math.Abs(x[i])
					if op == GELUGrad {
						size = math.Abs(y[i]) * (1 + min(size, 40))
					}
					require.InDelta(t, want, got[i], 4e-16*size+1e-300, "%v of %v, %v", op, x[i], y[i])
				}
			}
		}
	})
}
