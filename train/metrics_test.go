package train

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/shape"
)

// Of equal outputs the first counts; a label that is no class is left out.
func TestClassesCompare(t *testing.T) {
	c, ok := classesOf(shape.F64(shape.N, 3), shape.I32())
	require.True(t, ok)
	y := tensor.New(tensor.WithShape(5, 3), tensor.WithBacking([]float64{
		2, 2, 1,
		1, 2, 2,
		0, 0, 3,
		9, 0, 0,
		9, 0, 0,
	}))
	confusion := [][]int{make([]int, 3), make([]int, 3), make([]int, 3)}
	correct, seen := c.compare(y, []int32{0, 2, 2, -1, 3}, confusion)
	require.Equal(t, 2, correct)
	require.Equal(t, 3, seen)
	require.Equal(t, [][]int{{1, 0, 0}, {0, 0, 0}, {0, 1, 1}}, confusion)
}

// Only an output with at least two numbers for each label chooses among classes.
func TestClassesOf(t *testing.T) {
	for _, c := range []struct {
		output, target shape.Type
		want           classes
		ok             bool
	}{
		{shape.F32(shape.N, 10), shape.I32(), classes{10, 1}, true},
		{shape.F32(shape.N, 3, 4, 5), shape.I32(4, 5), classes{3, 20}, true},
		{shape.F32(shape.N, 1), shape.I32(), classes{}, false},
		{shape.F32(shape.N), shape.I32(), classes{}, false},
		{shape.F32(shape.N, 3, 4, 5), shape.I32(5, 4), classes{}, false},
		{shape.F32(shape.N, 10), shape.F32(10), classes{}, false},
		{shape.I32(shape.N, 10), shape.I32(), classes{}, false},
		{shape.F32(2, shape.N), shape.I32(), classes{}, false},
	} {
		got, ok := classesOf(c.output, c.target)
		require.Equal(t, c.want, got, "%v for %v", c.output, c.target)
		require.Equal(t, c.ok, ok)
	}
}
