package engine_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

func roundedAs(as shape.DType, axis int, t shape.Type, w ...float32) []float32 {
	dst := make([]float32, len(w))
	engine.Round(dst, w, t, axis, as)
	return dst
}

// Numbers worked out by hand: a scale of 1 and of 2, ties, and a channel that is 0.
func TestRoundedWeightsOfInt8(t *testing.T) {
	inf := float32(math.Inf(1))
	got := roundedAs(shape.Int8, 0, shape.F32(4, 3), 127, .5, -1.5, -254, 3, 5.1, 0, 0, 0, 1, inf, 2)
	require.Equal(t, []float32{127, 0, -2, -254, 4, 6, 0, 0, 0}, got[:9])
	for _, x := range got[9:] {
		require.True(t, x != x, "a channel with an infinity is NaN")
	}
}

// Along any axis, each channel on its own, as in a loop over indices.
func TestRoundedWeightsOfAnyAxis(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	dims := []int{3, 4, 5}
	w := make([]float32, 60)
	for i := range w {
		w[i] = float32(rng.NormFloat64())
	}
	w[7], w[8] = 1e-42, 1e30
	for axis := range dims {
		got := roundedAs(shape.Int8, axis, shape.F32(3, 4, 5), w...)
		channel := func(i int) int { return []int{i / 20, i / 5 % 4, i % 5}[axis] }
		for i := range w {
			most := float32(0)
			for j, x := range w {
				if channel(j) == channel(i) {
					most = max(most, x, -x)
				}
			}
			scale := most / 127
			require.Equal(t, float32(math.RoundToEven(float64(w[i]/scale)))*scale, got[i], "axis %d, element %d", axis, i)
		}
	}
}

func TestRoundedWeightsOfBFloat16(t *testing.T) {
	inf := float32(math.Inf(-1))
	got := roundedAs(shape.BFloat16, 0, shape.F32(6), 1, 1+0x1p-8, 1+0x3p-8, inf, 0x1p-133, float32(math.NaN()))
	require.Equal(t, []float32{1, 1, 1 + 0x1p-6, inf, 0x1p-133}, got[:5])
	require.True(t, got[5] != got[5])
}

// The scale of what is denormal is 0, and so are its numbers.
func TestScalesAreNormal(t *testing.T) {
	require.Equal(t, []float32{0, 0}, roundedAs(shape.Int8, 0, shape.F32(1, 2), 0x1p-126, -0x1p-130))
	require.Zero(t, engine.Int8Scale(126*0x1p-126))
	require.Equal(t, float32(0x1p-126), engine.Int8Scale(127*0x1p-126))
	require.EqualValues(t, 127, engine.Int8Of(math.MaxFloat32, engine.Int8Scale(math.MaxFloat32)))
}

func TestTypesOfSmallWeights(t *testing.T) {
	for _, d := range shape.DTypes() {
		require.Equal(t, d == shape.BFloat16 || d == shape.Int8, engine.SmallWeights(d), "%v", d)
	}
}
