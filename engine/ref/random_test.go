package ref

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/philox"
	"github.com/plexaura/plexaura/shape"
)

func randomizer(d engine.Distribution, stream uint64) func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
		return Engine{}.BindRandom(d, stream, in, out)
	}
}

func TestElementsAreThoseOfTheStream(t *testing.T) {
	s := philox.Stream{Seed: 7, ID: 99, Step: 3}
	rng := tensorOf{shape.I64(2), []float64{7, 3}}
	for _, d := range dtypes[:2] {
		out := shape.Make(d, 3, 5)
		u, err := compute(t, out, randomizer(engine.Uniform, 99), rng)
		require.NoError(t, err)
		z, err := compute(t, out, randomizer(engine.Normal, 99), rng)
		require.NoError(t, err)
		for i := range u {
			require.InDelta(t, s.Uniform(uint64(i)), u[i], map[shape.DType]float64{shape.Float32: 0x1p-24, shape.Float64: 0}[d])
			require.LessOrEqual(t, u[i], s.Uniform(uint64(i)))
			require.InDelta(t, s.Normal(uint64(i)), z[i], 1e-6)
		}
	}
}

func TestUniformFloat32StaysBelowOne(t *testing.T) {
	require.Less(t, unit32(math.MaxUint32), float32(1))
	require.Equal(t, float32(0), unit32(0))
}

func TestMomentsOfTheDistributions(t *testing.T) {
	const n = 1 << 16
	for d, want := range map[engine.Distribution][2]float64{engine.Uniform: {.5, 1. / 12}, engine.Normal: {0, 1}} {
		v, err := compute(t, shape.F32(n), randomizer(d, 5), tensorOf{shape.I64(2), []float64{1, 0}})
		require.NoError(t, err)
		mean, square := 0.0, 0.0
		for _, x := range v {
			mean += x / n
			square += x * x / n
		}
		require.InDelta(t, want[0], mean, 5*math.Sqrt(want[1]/n))
		require.InDelta(t, want[1], square-mean*mean, .02*(1+want[1]))
	}
}

func TestRandomWantsTheGeneratorsState(t *testing.T) {
	_, err := Engine{}.BindRandom(engine.Uniform, 1, engine.InRows(shape.I64(3)), engine.InRow(shape.F32(2)))
	require.ErrorContains(t, err, "engine ref has no random kernel")
	_, err = Engine{}.BindRandom(engine.Uniform, 1, engine.InRows(shape.I64(2)), engine.InRow(shape.I32(2)))
	require.Error(t, err)
}
