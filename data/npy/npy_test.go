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
		"element 0 is -Inf; want finite":      {put(t, []float64{math.Inf(-1), 1}, 2), put(t, []int32{1, 0}, 2)},
		"element 1 is +Inf; want finite":      {put(t, []float64{1, 1e300}, 2), put(t, []int32{1, 0}, 2)},
		"example 1 has class -1; want 0 to 1": {x, put(t, []int8{0, -1}, 2)},
		"which is no class number":            {x, put(t, []uint64{0, 1 << 40}, 2)},
		"no such file":                        {x, "none.npy"},
		"half.npy":                            {half, x},
	} {
		_, err := npy.Load(files[0], files[1], data.Info{Classes: []string{"a", "b"}})
		require.ErrorContains(t, err, want)
	}
}

// npyFile is a file of version 1.0 with that header and these elements.
func npyFile(header, elements string) []byte {
	return []byte("\x93NUMPY\x01\x00" + string([]byte{byte(len(header)), byte(len(header) >> 8)}) + header + elements)
}

// Two files of anything are a dataset, all of whose examples can be read, or one line that says why not. Memory is in
// proportion to the files.
func FuzzLoad(f *testing.F) {
	floats := "\x00\x00\x80\x3f\x00\x00\x00\x40\x00\x00\x40\x40\x00\x00\x80\x40"
	row := npyFile("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }", floats)
	labels := npyFile("{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }", "\x00\x01")
	f.Add(row, labels)
	f.Add(row[:len(row)-3], labels) // cut
	f.Add(npyFile("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }", floats), labels)
	f.Add(npyFile("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 1, 4), }", floats[:8]), row)
	f.Add(npyFile("{'descr': '>f4', 'fortran_order': False, 'shape': (2, 2), }", floats), labels)
	f.Add(npyFile("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 1), }", floats), npyFile("{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }", floats))
	f.Add(npyFile("{'descr': '|u1', 'fortran_order': False, 'shape': (9223372036854775807, 0), }", ""), labels)
	f.Add(npyFile("{'descr': '|u1', 'fortran_order': False, 'shape': (0, 9223372036854775807), }", ""), npyFile("{'descr': '|u1', 'fortran_order': False, 'shape': (0,), }", ""))
	f.Add(npyFile("{'descr': '|u1', 'fortran_order': False, 'shape': (9223372036854775807, 0), }", ""), npyFile("{'descr': '|b1', 'fortran_order': False, 'shape': (9223372036854775807, 0), }", ""))
	f.Add(npyFile("{'descr': '<f4', 'fortran_order': False, 'shape': (), }", floats[:4]), labels)
	f.Add(npyFile("{'descr': '<f2', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,1), }", "\x00\x3c"), labels)
	dir := f.TempDir()
	x, y := filepath.Join(dir, "x.npy"), filepath.Join(dir, "y.npy")
	f.Fuzz(func(t *testing.T, inputs, targets []byte) {
		require.NoError(t, os.WriteFile(x, inputs, 0o644))
		require.NoError(t, os.WriteFile(y, targets, 0o644))
		ds, err := npy.Load(x, y, data.Info{})
		if err != nil {
			require.Nil(t, ds)
			require.NotContains(t, err.Error(), "\n")
			return
		}
		info := ds.Info()
		e := data.Example{X: make([]float32, info.Input.Len())}
		if info.Target.IsFloat() {
			e.Targets = make([]float32, info.Target.Len())
		} else {
			e.Labels = make([]int32, info.Target.Len())
		}
		require.LessOrEqual(t, ds.Len(), len(inputs))
		for i := range ds.Len() {
			require.NoError(t, ds.Read(i, e))
			for _, v := range e.X {
				require.False(t, math.IsNaN(float64(v)) || math.IsInf(float64(v), 0))
			}
		}
	})
}
