package vec

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/simdtest"
)

// Lengths below, at and beyond a step, and beyond a call; operands off alignment.
func TestComparisonsAndChoiceFollowGo(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(21, 21))
		for _, n := range []int{0, 1, 15, 31, 32, 33, 63, 64, 65, 1213, isa.CallLen, isa.CallLen + 37} {
			off := rng.IntN(4)
			x, y := simdtest.Mixed(rng, n+off)[off:], simdtest.Mixed(rng, n+off)[off:]
			for i := range y {
				if rng.IntN(3) == 0 {
					y[i] = x[i]
				}
			}
			cond := make([]bool, n+off+1)[off:]
			dst := make([]float32, n+1)
			for name, c := range map[string]struct {
				run  func(dst []bool, x, y []float32)
				want func(a, b float32) bool
			}{
				"==": {k.Equal, func(a, b float32) bool { return a == b }},
				"!=": {k.NotEqual, func(a, b float32) bool { return a != b }},
				"<":  {k.Less, func(a, b float32) bool { return a < b }},
				"<=": {k.LessEqual, func(a, b float32) bool { return a <= b }},
			} {
				cond[n], dst[n] = true, 42
				c.run(cond[:n], x, y)
				k.Choose(dst[:n], cond, x, y)
				for i := range n {
					require.Equal(t, c.want(x[i], y[i]), cond[i], "%v %s %v", x[i], name, y[i])
					want := y[i]
					if cond[i] {
						want = x[i]
					}
					simdtest.RequireBits(t, []float32{want}, dst[i:i+1])
				}
				k.Ones(dst[:n], cond)
				for i := range n {
					require.Equal(t, cond[i], dst[i] == 1)
					require.Equal(t, !cond[i], dst[i] == 0)
				}
				require.True(t, cond[n])
				require.EqualValues(t, 42, dst[n])
			}
		}
		require.Panics(t, func() { k.Less(make([]bool, 40), make([]float32, 39), make([]float32, 40)) })
	})
}
