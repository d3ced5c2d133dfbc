package augment

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/shape"
)

// plain describes images of intensities.
func plain(c, h, w int) data.Info {
	return data.Info{Input: shape.F32(shape.Dim(c), shape.Dim(h), shape.Dim(w)), Target: shape.I32()}
}

// normalised describes images whose channels are normalised each in its way.
func normalised(h, w int) data.Info {
	info := plain(3, h, w)
	info.Preprocess = data.Preprocess{Mean: []float32{.5, .25, .125}, Std: []float32{.5, .25, 2}}
	return info
}

// pattern is an image of pixels from 0 to below 1, that of testdata/pytorch.py.
func pattern(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(7919*i%1009) / 1009
	}
	return x
}

func bind(t testing.TB, a data.Augmentation, in data.Info) (data.Change, data.Info) {
	t.Helper()
	change, out, err := a.Bind(in)
	require.NoError(t, err)
	require.NoError(t, out.Err())
	return change, out
}

// changed is a copy of what a makes of the pattern.
func changed(t testing.TB, a data.Augmentation, in data.Info, example int) []float32 {
	t.Helper()
	change, out := bind(t, a, in)
	x := change(pattern(in.Input.Len()), data.NewRand(1, 0, example))
	require.Len(t, x, out.Input.Len())
	return append([]float32(nil), x...)
}
