package train

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

func TestWeightsThatAreNotFiniteAreFoundInEveryType(t *testing.T) {
	inf := math.Inf(1)
	s := vm.NewStore(1)
	for name, v := range map[string]any{
		"a": []float32{1, float32(inf)}, "b": []float64{math.NaN()}, "c": []shape.Brain{0x3f80, 0xff80}, "d": []shape.Half{0x7e00, 0},
		"fine": []float32{1}, "finer": []shape.Half{0x7bff}, "finest": []shape.Brain{0x7f7f}, "whole": []int8{-128}, "flags": []bool{true},
	} {
		require.NoError(t, s.Set(name, tensor.New(tensor.WithBacking(v))))
	}
	names, err := notFiniteValues(s)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "c", "d"}, names)
	v, err := s.Value("c")
	require.NoError(t, err)
	require.Equal(t, []int{1}, flawOf(v).at)
}
