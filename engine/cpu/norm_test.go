package cpu

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/shape"
)

// TestMomentsOfLargeNumbersAreStable: where the mean is a thousand times the deviation, the mean of
// squares less the square of the mean has no digit left in float32. Along runs and across them, in
// rows and in layouts.
func TestMomentsOfLargeNumbersAreStable(t *testing.T) {
	for _, l := range isa.Levels() {
		e := New(AtLevel(l))
		for _, c := range []struct {
			x    shape.Type
			axes engine.Axes
		}{
			{shape.F32(16, 3, 40, 40), engine.AxesOf(0, 2, 3)},
			{shape.F32(20_000, 5), engine.AxesOf(0)},
			{shape.F32(3, 50_000), engine.AxesOf(1)},
			{shape.F32(900, 600), engine.AxesOf(0)},
		} {
			requireStableMoments(t, e, c.axes, engine.InRow(c.x))
			if c.x.Rank() == 4 && e.lastable(c.x) {
				requireStableMoments(t, e, c.axes, engine.Operand{Type: c.x, Layout: channelsLast})
				requireStableMoments(t, e, c.axes, engine.Operand{Type: c.x, Layout: byImages})
			}
		}
	}
}

func requireStableMoments(t *testing.T, e Engine, axes engine.Axes, x engine.Operand) {
	t.Helper()
	groups := 1
	for i := range x.Rank() {
		if !axes.Has(i) {
			groups *= x.Int(i)
		}
	}
	out := shape.F32(2, shape.Dim(groups))
	b, err := e.BindMoments(axes, []engine.Operand{x}, engine.InRow(out))
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(48, 1))
	v := make([]float32, x.Len())
	for i := range v {
		v[i] = 4096 + 2*float32(rng.NormFloat64())
	}
	m := make([]float32, 2*groups)
	c := &engine.Call{In: []engine.Buffer{engine.BufferOf(v)}, Out: []engine.Buffer{engine.BufferOf(m)}, Scratch: engine.BufferOf(engine.Aligned(b.Scratch))}
	require.NoError(t, b.Kernel(c))
	for g := range groups {
		require.InDelta(t, 4096, m[g], 0.5, "%v over %b at %v", x, axes, e.simd.Level)
		require.InEpsilon(t, 4, m[groups+g], 0.2, "%v over %b at %v", x, axes, e.simd.Level)
	}
}
