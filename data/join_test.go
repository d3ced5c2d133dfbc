package data_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/shape"
)

func TestPartsAreJoined(t *testing.T) {
	a := numbered(t, 4, 0, 1)
	b, err := data.New([]float32{10, 11, 12, 13, 14, 15, 16, 17}, []float32{.5, 1.5, 2.5, 3.5}, data.Info{Input: shape.F32(2)})
	require.NoError(t, err)
	ds, err := data.JoinInputs(a, b)
	require.NoError(t, err)
	require.Equal(t, data.Info{Input: shape.F32(3), Target: shape.I32()}, ds.Info())
	labels, err := data.Labels(ds)
	require.NoError(t, err)
	require.Equal(t, []int32{0, 1, 0, 1}, labels)
	e := data.Example{X: make([]float32, 3), Labels: make([]int32, 1)}
	require.NoError(t, ds.Read(3, e))
	require.Equal(t, []float32{3, 16, 17, 1}, append(e.X, float32(e.Labels[0])))
	require.ErrorContains(t, ds.Read(3, data.Example{X: make([]float32, 2), Labels: e.Labels}), "room for 2 elements; want float32(3)")

	both, err := data.JoinTargets(b, a)
	require.NoError(t, err)
	require.Equal(t, data.Info{Input: shape.F32(2), Target: shape.F32(2)}, both.Info())
	e = data.Example{X: make([]float32, 2), Targets: make([]float32, 2)}
	require.NoError(t, both.Read(1, e))
	require.Equal(t, []float32{12, 13, 1.5, 1}, append(e.X, e.Targets...))
	classes, err := data.JoinTargets(a, a)
	require.NoError(t, err)
	require.Equal(t, shape.I32(2), classes.Info().Target)
	e = data.Example{X: make([]float32, 1), Labels: make([]int32, 2)}
	require.NoError(t, classes.Read(1, e))
	require.Equal(t, []int32{1, 1}, e.Labels)

	_, err = data.JoinInputs(a, numbered(t, 5, 0))
	require.ErrorContains(t, err, "data: part 1 has 5 examples, the first 4")
	_, err = data.JoinTargets()
	require.ErrorContains(t, err, "no datasets to join")
	_, err = data.JoinInputs(a, nil)
	require.ErrorContains(t, err, "part 1: no dataset: it is nil")
}
