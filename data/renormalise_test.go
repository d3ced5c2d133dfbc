package data_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/shape"
)

func TestWithPreprocessIsAsIfReadSo(t *testing.T) {
	info := data.Info{Input: shape.F32(2, 1, 2), Target: shape.I32(), Classes: []string{"a", "b"}}
	info.Preprocess = data.Preprocess{Mean: []float32{.5, .25}, Std: []float32{2, 4}}
	other := data.Preprocess{Image: "other", Mean: []float32{.1}, Std: []float32{.3}}
	pixels, labels := []uint8{0, 255, 128, 7, 9, 11, 13, 200}, []int{0, 1}
	read := func(ds data.Dataset) []float32 {
		e := data.Example{X: make([]float32, 4), Labels: make([]int32, 1)}
		require.NoError(t, ds.Read(1, e))
		return e.X
	}
	ds, err := data.New(pixels, labels, info)
	require.NoError(t, err)
	changed, err := data.WithPreprocess(ds, other)
	require.NoError(t, err)
	require.Equal(t, other, changed.Info().Preprocess)
	info.Preprocess = other
	direct, err := data.New(pixels, labels, info)
	require.NoError(t, err)
	require.InDeltaSlice(t, read(direct), read(changed), 1e-6)

	_, err = data.WithPreprocess(ds, data.Preprocess{Mean: []float32{0, 0, 0}, Std: []float32{1, 1, 1}})
	require.ErrorContains(t, err, "3 channels")
}
