package vec

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOneIDThatIsNoIndex, anywhere, is found.
func TestOneIDThatIsNoIndex(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(3, 1))
		for range 400 {
			n, extent := 1+rng.IntN(300), 1+rng.IntN(1000)
			if rng.IntN(4) == 0 {
				n += 8192
			}
			ids := make([]int32, n)
			for i := range ids {
				ids[i] = int32(rng.IntN(extent))
			}
			require.True(t, k.Indices(ids, extent))
			for _, bad := range []int32{-1, int32(extent), math.MinInt32, math.MaxInt32} {
				at := rng.IntN(n)
				good := ids[at]
				ids[at] = bad
				require.False(t, k.Indices(ids, extent), "%d at %d of %d, of %d", bad, at, n, extent)
				ids[at] = good
			}
		}
		require.True(t, k.Indices([]int32{math.MaxInt32}, 1<<40))
		require.False(t, k.Indices([]int32{-1}, 1<<40))
		require.False(t, k.Indices([]int32{0}, 0))
		require.True(t, k.Indices(nil, 0))
	})
}
