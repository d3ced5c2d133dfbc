package metrics_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train/metrics"
)

// Of equal outputs the first counts; a label that is no class is left out.
func TestClassesCompare(t *testing.T) {
	c, ok := metrics.ClassesOf(shape.F64(shape.N, 3), shape.I32(shape.N))
	require.True(t, ok)
	y := tensor.New(tensor.WithShape(5, 3), tensor.WithBacking([]float64{
		2, 2, 1,
		1, 2, 2,
		0, 0, 3,
		9, 0, 0,
		9, 0, 0,
	}))
	confusion := [][]int{make([]int, 3), make([]int, 3), make([]int, 3)}
	c.Each(y, []int32{0, 2, 2, -1, 3}, func(label, predicted int) { confusion[label][predicted]++ })
	require.Equal(t, [][]int{{1, 0, 0}, {0, 0, 0}, {0, 1, 1}}, confusion)
}

// Only an output with at least two numbers for each label chooses among classes.
func TestClassesOf(t *testing.T) {
	for _, c := range []struct {
		output, target shape.Type
		want           metrics.Classes
		ok             bool
	}{
		{shape.F32(shape.N, 10), shape.I32(shape.N), metrics.Classes{10, 1}, true},
		{shape.F32(shape.N, 3, 4, 5), shape.I32(shape.N, 4, 5), metrics.Classes{3, 20}, true},
		{shape.F32(shape.N, 1), shape.I32(shape.N), metrics.Classes{}, false},
		{shape.F32(shape.N), shape.I32(shape.N), metrics.Classes{}, false},
		{shape.F32(shape.N, 3, 4, 5), shape.I32(shape.N, 5, 4), metrics.Classes{}, false},
		{shape.F32(shape.N, 10), shape.F32(shape.N, 10), metrics.Classes{}, false},
		{shape.I32(shape.N, 10), shape.I32(shape.N), metrics.Classes{}, false},
		{shape.F32(2, shape.N), shape.I32(shape.N), metrics.Classes{}, false},
	} {
		got, ok := metrics.ClassesOf(c.output, c.target)
		require.Equal(t, c.want, got, "%v for %v", c.output, c.target)
		require.Equal(t, c.ok, ok)
	}
}
