package nhwc

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/simd/simdtest"
)

// Results that lie apart have the bits of those that follow each other, and what lies between them
// stays.
func TestResultsApart(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(91, 91))
		for i := range trials(40) {
			op := randomOp(rng)
			switch i % 3 {
			case 1:
				op = randomWinograd(rng)
			case 2:
				op = randomGrouped(rng)
			}
			apart := op
			apart.Pitch = op.filters() + 1 + rng.IntN(40)
			y, x, w, bias := operands(rng, op)
			between := simdtest.Randoms[float32](rng, reach(op.pixels(), apart.Pitch, op.filters()))
			want := slices.Clone(between)
			for p := range op.pixels() {
				copy(between[p*apart.Pitch:], y[p*op.filters():][:op.filters()])
			}
			tasks := 1 + rng.IntN(4)
			switch i % 3 {
			case 1:
				one, ok := NewWinograd(k, op)
				require.True(t, ok)
				two, _ := NewWinograd(k, apart)
				require.True(t, runWinograd(one, y, x, w, bias, tasks))
				require.True(t, runWinograd(two, between, x, w, bias, tasks))
			case 2:
				runGrouped(NewGrouped(k, op), y, x, w, bias, tasks)
				runGrouped(NewGrouped(k, apart), between, x, w, bias, tasks)
			default:
				convolve(NewConv(k, op), y, x, w, bias, tasks)
				convolve(NewConv(k, apart), between, x, w, bias, tasks)
			}
			for p := range op.pixels() {
				copy(want[p*apart.Pitch:], y[p*op.filters():][:op.filters()])
			}
			require.Equal(t, want, between, "%+v", apart)
		}
	})
}
