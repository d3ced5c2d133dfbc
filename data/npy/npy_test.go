package npy_test

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/npy"
	"github.com/plexaura/plexaura/internal/nothing"
	array "github.com/plexaura/plexaura/internal/npy"
	"github.com/plexaura/plexaura/shape"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{"Load": npy.Load},
		Good:  func() []any { return []any{"none.npy", data.Info{}} },
	})
}

func put(t testing.TB, v any, dims ...int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.npy")
	require.NoError(t, (&array.Array{Shape: dims, Data: v}).WriteFile(path))
	return path
}

func TestArraysBecomeExamples(t *testing.T) {
	ds, err := npy.Load(put(t, []uint8{0, 51, 255, 102}, 2, 1, 2), put(t, []int64{1, 0}, 2), data.Info{Classes: []string{"a", "b"}})
	require.NoError(t, err)
	require.Equal(t, data.Info{Input: shape.F32(1, 2), Target: shape.I32(), Classes: []string{"a", "b"}}, ds.Info())
	e := data.Example{X: make([]float32, 2), Labels: make([]int32, 1)}
	require.NoError(t, ds.Read(1, e))
	require.InDeltaSlice(t, []float32{1, .4}, e.X, 1e-6)
	require.Zero(t, e.Labels[0])

	ds, err = npy.Load(put(t, []float64{1, 2, 3, 4, 5, 6}, 3, 2), put(t, []float32{7, 8, 9}, 3, 1), data.Info{})
	require.NoError(t, err)
	require.Equal(t, data.Info{Input: shape.F32(2), Target: shape.F32(1)}, ds.Info())
	e = data.Example{X: make([]float32, 2), Targets: make([]float32, 1)}
	require.NoError(t, ds.Read(2, e))
	require.Equal(t, []float32{5, 6, 9}, append(e.X, e.Targets...))
}

func TestArraysThatAreNoDataset(t *testing.T) {
	x := put(t, []float32{1, 2}, 2)
	half := filepath.Join(t.TempDir(), "half.npy")
	whole, err := os.ReadFile(x)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(half, whole[:len(whole)-4], 0o644))
	for want, files := range map[string][2]string{
		"has 2 examples":                      {x, put(t, []int32{1}, 1)},
		"elements are []int16; want float32":  {put(t, []int16{1}, 1), put(t, []int32{1}, 1)},
		"elements are []bool; want float32":   {x, put(t, []bool{true, false}, 2)},
		"element 1 is NaN; want finite":       {put(t, []float32{1, float32(math.NaN())}, 2), put(t, []int32{1, 0}, 2)},
		"example 1 has class -1; want 0 to 1": {x, put(t, []int8{0, -1}, 2)},
		"which is no class number":            {x, put(t, []uint64{0, 1 << 40}, 2)},
		"no such file":                        {x, "none.npy"},
		"half.npy":                            {half, x},
	} {
		_, err := npy.Load(files[0], files[1], data.Info{Classes: []string{"a", "b"}})
		require.ErrorContains(t, err, want)
	}
}
