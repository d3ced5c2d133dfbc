package conv

import (
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/allocs"
	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/simdtest"
	"github.com/plexaura/plexaura/internal/simd/window"
)

// TestGradientsOfManyFilters takes shapes whose filters fill lanes.
func TestGradientsOfManyFilters(t *testing.T) {
	old := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(old)
	pool := par.NewPool(8)
	defer pool.Close()
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(26, 26))
		for i := range 60 {
			op := window.Conv{Window: simdtest.RandomWindow(rng), N: 1 + rng.IntN(4), M: 8 + rng.IntN(120), Add: i%2 == 0}
			checkConvGrad(t, k, pool, rng, op)
		}
		// More pixels than panelPixels, so that some lines come after others.
		checkConvGrad(t, k, pool, rng, window.Conv{Window: window.Window{C: 2, H: 44, W: 41, KH: 3, KW: 2, OH: 42, OW: 40}, N: 2, M: 70})
		// Images that all tiles go through one after the other, in frames and as they are.
		for left := range 2 {
			op := window.Conv{Window: window.Window{C: 2, H: 46, W: 46, KH: 3, KW: 3, OH: 44, OW: 44, Left: left}, N: 3, M: 2 + isa.CacheSizes().L2/4/44/44, Add: left == 0}
			p, _ := New(k, op)
			require.Equal(t, 1, p.panelImages())
			checkConvGrad(t, k, pool, rng, op)
		}
		op := window.Conv{Window: window.Window{C: 7, H: 20, W: 33, KH: 3, KW: 5, SW: 2, OH: 18, OW: 15, Left: 1}, N: 5, M: 70}
		p, _ := New(k, op)
		x, dy, dw := simdtest.Randoms[float32](rng, op.N*op.C*op.H*op.W), simdtest.Randoms[float32](rng, op.N*op.M*op.Cols()), make([]float32, op.M*op.Rows())
		again, scratch := make([]float32, len(dw)), make([]float32, p.GradScratch())
		p.RunGrad(nil, dw, x, dy, scratch)
		for _, procs := range []int{1, 2, 8} {
			runtime.GOMAXPROCS(procs)
			p.RunGrad(pool, again, x, dy, scratch)
			simdtest.RequireBits(t, dw, again)
		}
		require.Zero(t, allocs.PerRun(3, func() { p.RunGrad(pool, again, x, dy, scratch) }))
	})
}
