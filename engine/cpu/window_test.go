package cpu

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// Images that no memory holds, which files may ask for, are not made tables of: ref's kernels are bound at once, and what they need
// is an error later.
func TestVastImagesHaveNoTables(t *testing.T) {
	const vast = 1<<31 - 2
	unit := [2]int{1, 1}
	for _, d := range []shape.DType{shape.Float32, shape.Float64} {
		x := shape.Type{DType: d, Shape: shape.OfInts(1, 1, vast, 1)}
		in, one := engine.InRows(x), engine.InRow(shape.Type{DType: d, Shape: shape.OfInts(1, 1, 1, 1)})
		whole := engine.Pool2D{Kernel: [2]int{vast, 1}, Stride: [2]int{vast, 1}, Dilation: unit}
		mean, err := New().BindAvgPool2D(whole, in, one)
		require.NoError(t, err)
		most, err := New().BindMaxPool2D(whole, in, one)
		require.NoError(t, err)
		w := shape.Type{DType: d, Shape: shape.OfInts(1, 1, 3, 3)}
		c := engine.Conv2D{Stride: unit, Dilation: unit, Pad: [2][2]int{{vast / 2, vast / 2}, {1, 1}}, Groups: 1}
		small := shape.Type{DType: d, Shape: shape.OfInts(1, 1, 3, 3)}
		y := shape.Type{DType: d, Shape: shape.OfInts(1, 1, vast+1, 3)}
		conv, err := New().BindConv2D(c, engine.InRows(small, w), engine.InRow(y))
		require.NoError(t, err)
		for _, b := range []engine.Bound{mean, most, conv} {
			require.Equal(t, "ref", b.By)
			require.Empty(t, b.Arrangements)
		}
		pair := engine.Pool2D{Kernel: [2]int{2, 2}, Stride: [2]int{2, 2}, Dilation: unit}
		require.False(t, New().FusesMaxPool(c, pair, []shape.Type{small, w}, y, shape.Type{DType: d, Shape: shape.OfInts(1, 1, vast/2, 1)}))
	}
}
