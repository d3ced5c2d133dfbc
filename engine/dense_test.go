package engine_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

func TestEveryElementTypeCrossesTheBridgeToTensors(t *testing.T) {
	for _, dt := range shape.DTypes() {
		b := engine.BufferAt(engine.Aligned(6*dt.Width()), dt, 6)
		engine.Load(b, []float64{1, 0, 1, 1, 0, 0})
		d := engine.DenseOf(shape.Of(2, 3), b)
		require.Equal(t, dt, engine.DTypeOf(d))
		require.Equal(t, engine.DenseDType(dt), d.Dtype())
		require.Equal(t, tensor.Shape{2, 3}, d.Shape())
		back := engine.BufferOfDense(d)
		require.Equal(t, engine.Floats(b), engine.Floats(back))
		require.True(t, back.Overlaps(b.Bytes()), "%v is copied", dt)
	}
	require.Equal(t, shape.Invalid, engine.DTypeOf(tensor.New(tensor.WithShape(1), tensor.WithBacking([]complex64{1}))))
	require.Zero(t, engine.DenseDType(shape.Invalid))
}

// Tensors of bfloat16 and float16 are those of a Go type of their own, which the library holds as
// it does any: whole, cut, transposed and copied.
func TestTensorsOfStorageTypesAreExact(t *testing.T) {
	bits := []shape.Half{0x3c00, 0x8000, 0x7c00, 0x7d01, 1, 0xfbff}
	d := tensor.New(tensor.WithShape(2, 3), tensor.WithBacking(bits))
	require.Equal(t, shape.Float16, engine.DTypeOf(d))
	require.Equal(t, bits, engine.Slice[shape.Half](engine.BufferOfDense(d)))
	require.NoError(t, d.T())
	turned := d.Materialize().(*tensor.Dense)
	require.Equal(t, []shape.Half{0x3c00, 0x7d01, 0x8000, 1, 0x7c00, 0xfbff}, engine.Slice[shape.Half](engine.BufferOfDense(turned)))
	scalar := engine.DenseOf(shape.Of(), engine.BufferOf([]shape.Brain{0x3f80}))
	require.Equal(t, []float64{1}, engine.Floats(engine.BufferOfDense(scalar)))
}

func TestConvertedRoundsToTheType(t *testing.T) {
	third := 1. / 3
	d := tensor.New(tensor.WithShape(1, 3), tensor.WithBacking([]float64{third, 70000, -2}))
	for to, want := range map[shape.DType][]float64{
		shape.Float32:  {float64(float32(third)), 70000, -2},
		shape.BFloat16: {float64(shape.BrainOf(third).Float32()), 70144, -2},
		shape.Float16:  {float64(shape.HalfOf(third).Float32()), math.Inf(1), -2},
		shape.Bool:     nil, shape.Int8: nil, shape.Invalid: nil,
	} {
		got, err := engine.Converted(d, to)
		if want == nil {
			require.ErrorContains(t, err, "engine: ", to)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, to, engine.DTypeOf(got))
		require.Equal(t, d.Shape(), got.Shape())
		require.Equal(t, want, engine.Floats(engine.BufferOfDense(got)), to)
	}
	whole := tensor.New(tensor.WithBacking([]float32{-128, 127}))
	got, err := engine.Converted(whole, shape.Int8)
	require.NoError(t, err)
	require.Equal(t, []int8{-128, 127}, got.Data())
	_, err = engine.Converted(tensor.New(tensor.WithBacking([]float32{0, 128})), shape.Int8)
	require.EqualError(t, err, "engine: element 1 is 128, which is no int8")
	require.NoError(t, d.T())
	_, err = engine.Converted(d, shape.BFloat16)
	require.NoError(t, err, "one row is the same turned")
	square := tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]float32{1, 2, 3, 4}))
	require.NoError(t, square.T())
	_, err = engine.Converted(square, shape.BFloat16)
	require.ErrorContains(t, err, "convert its Materialize")
}

func TestIsRowMajorGoesByStrides(t *testing.T) {
	d := tensor.New(tensor.WithShape(2, 3), tensor.WithBacking([]float32{1, 2, 3, 4, 5, 6}))
	require.True(t, engine.IsRowMajor(d))
	require.True(t, engine.IsRowMajor(tensor.New(tensor.FromScalar(float32(1)))))
	require.NoError(t, d.T())
	require.False(t, engine.IsRowMajor(d))
}
