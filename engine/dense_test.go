package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

func TestEveryElementTypeCrossesTheBridgeToTensors(t *testing.T) {
	for _, dt := range []shape.DType{shape.Float32, shape.Float64, shape.Int32, shape.Int64, shape.Uint8, shape.Bool} {
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

func TestIsRowMajorGoesByStrides(t *testing.T) {
	d := tensor.New(tensor.WithShape(2, 3), tensor.WithBacking([]float32{1, 2, 3, 4, 5, 6}))
	require.True(t, engine.IsRowMajor(d))
	require.True(t, engine.IsRowMajor(tensor.New(tensor.FromScalar(float32(1)))))
	require.NoError(t, d.T())
	require.False(t, engine.IsRowMajor(d))
}
