package engine_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// Numbers worked out by hand.
func TestRangesAreMappedToBytes(t *testing.T) {
	for _, c := range []struct {
		lo, hi float32
		want   engine.Quant
	}{
		{0, 255, engine.Quant{Scale: 1}},
		{-128, 127, engine.Quant{Scale: 1, Zero: 128}},
		{-510, -100, engine.Quant{Scale: 2, Zero: 255}}, // extended to 0
		{3, 510, engine.Quant{Scale: 2}},
		{0, 0, engine.Quant{Scale: 1}},
		{0, 1e-38, engine.Quant{Scale: 1}},
		{-math.MaxFloat32, math.MaxFloat32, engine.Quant{Scale: math.MaxFloat32 / 255 * 2, Zero: 128}},
	} {
		got := engine.QuantOf(c.lo, c.hi)
		require.Equal(t, c.want.Zero, got.Zero, "%v to %v", c.lo, c.hi)
		require.InEpsilon(t, c.want.Scale, got.Scale, 1e-6, "%v to %v", c.lo, c.hi)
	}
}

func TestNumbersBecomeTheNearestBytes(t *testing.T) {
	q := engine.Quant{Scale: 2, Zero: 10}
	inf := float32(math.Inf(1))
	for x, want := range map[float32]uint8{0: 10, 2: 11, 1: 10, 3: 12, 5: 12, -20: 0, -500: 0, 490: 255, 500: 255, inf: 255, -inf: 0, 1e-42: 10} {
		require.Equal(t, want, q.Of(x), "%v", x)
	}
	require.Zero(t, q.Of(float32(math.NaN())))
	require.Equal(t, float32(-20), q.Number(0))
}

func TestWhatIsInTheRangeIsOffByHalfAStep(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for range 1000 {
		lo, hi := float32(rng.NormFloat64()), float32(rng.NormFloat64())
		lo, hi = min(lo, hi), max(lo, hi)
		q := engine.QuantOf(lo, hi)
		require.Zero(t, q.Number(q.Zero))
		for range 20 {
			x := lo + (hi-lo)*rng.Float32()
			require.InDelta(t, x, q.Number(q.Of(x)), float64(q.Scale)*1.01) // half a step, and as much where Zero was rounded
		}
	}
}

// The weights are those of Round.
func TestQuantisedWeightsAreTheRoundedOnes(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	typ := shape.F32(3, 4, 5)
	w, rounded := make([]float32, 60), make([]float32, 60)
	for i := range w {
		w[i] = float32(rng.NormFloat64())
	}
	w[9] = float32(math.NaN())
	for axis := range 3 {
		q, scales := make([]int8, 60), make([]float32, typ.Int(axis))
		engine.QuantWeights(q, scales, w, typ, axis)
		engine.Round(rounded, w, typ, axis, shape.Int8)
		for i, v := range q {
			got := float32(v) * scales[[]int{i / 20, i / 5 % 4, i % 5}[axis]]
			require.True(t, got == rounded[i] || got != got && rounded[i] != rounded[i], "axis %d, element %d", axis, i)
		}
	}
}

func TestSumsAreScaledShiftedAddedAndClamped(t *testing.T) {
	inf := float32(math.Inf(1))
	q := engine.Quantised{In: engine.Quant{Scale: .5}, Lo: -inf, Hi: inf}
	of := func(sum int32, scale, bias, addend float32) float32 {
		a := q.Affine()
		return a.Of(sum, scale, a.Shift(bias), addend)
	}
	require.Equal(t, float32(4), of(6, 1, 1, 0))
	q.Adds = true
	require.Equal(t, float32(6), of(6, 1, 1, 2))
	q.Addend = engine.Quant{Scale: 2, Zero: 10}
	require.Equal(t, float32(-12), of(6, 1, 1, 2), "2*(2-10)")
	q.Lo, q.Hi = -10, 10
	require.Equal(t, float32(-10), of(6, 1, 1, 2))
	require.Equal(t, float32(10), of(60, 9, 1, 12))
	require.True(t, math.IsNaN(float64(of(6, float32(math.NaN()), 1, 2))))

	q.Out = engine.Quant{Scale: .25, Zero: 100}
	require.Equal(t, float32(60), of(6, 1, 1, 2))
	require.Equal(t, float32(140), of(60, 9, 1, 12))
	require.Equal(t, float32(132), of(6, 1, 5, 10), "100+8/.25")
	rectified := q.WithReLU(true).Affine()
	require.Equal(t, float32(100), rectified.Lo)
	q.Hi = -2
	require.Equal(t, float32(92), q.WithReLU(true).Affine().Lo, "a clamp below what the rectifier leaves")
	require.Equal(t, q, q.WithReLU(false))

	require.Equal(t, uint8(2), engine.Byte(2.5))
	require.Equal(t, uint8(255), engine.Byte(255))
	require.Zero(t, engine.Byte(float32(math.NaN())))
}
