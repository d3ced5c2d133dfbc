package npy

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/python"
	"github.com/plexaura/plexaura/shape"
)

func arrays() map[string]*Array {
	return map[string]*Array{
		"bool": {Shape: []int{2}, Data: []bool{true, false}}, "float16": {Shape: []int{1, 2}, Data: []shape.Half{shape.HalfOf32(1.5), shape.HalfOf32(-2)}},
		"float32": {Shape: []int{2, 3}, Data: []float32{1, 2, 3, 4, 5, 6.5}}, "float64": {Shape: []int{}, Data: []float64{3}},
		"int8": {Shape: []int{3}, Data: []int8{-1, 0, 1}}, "int16": {Shape: []int{1}, Data: []int16{-300}}, "int32": {Shape: []int{2, 0}, Data: []int32{}},
		"int64": {Shape: []int{2, 1, 2}, Data: []int64{1 << 40, 2, 3, -4}}, "uint8": {Shape: []int{1}, Data: []uint8{255}}, "uint16": {Shape: []int{1}, Data: []uint16{65535}},
		"uint32": {Shape: []int{1}, Data: []uint32{1 << 31}}, "uint64": {Shape: []int{1}, Data: []uint64{1 << 63}},
	}
}

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	for name, a := range arrays() {
		path := filepath.Join(t.TempDir(), name+".npy")
		require.NoError(t, a.WriteFile(path), name)
		got, err := ReadFile(path)
		require.NoError(t, err, name)
		require.Equal(t, a, got, name)
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Zero(t, (bytes.IndexByte(b, '\n')+1)%64, name)
	}
}

// NumPy reads our files, and we read its: both orders, all versions.
func TestNumPyReadsAndWritesTheSame(t *testing.T) {
	interpreter, err := python.Find("numpy")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	for name, a := range arrays() {
		require.NoError(t, a.WriteFile(filepath.Join(dir, name+".npy")))
	}
	const script = `
import glob, json, os, sys, numpy
read = {}
for path in glob.glob("*.npy"):
    a = numpy.load(path)
    read[path[:-4]] = [str(a.dtype), list(a.shape), float(a.sum())]
    for version in (1, 0), (2, 0), (3, 0):
        with open(path + ".%d" % version[0], "wb") as f:
            numpy.lib.format.write_array(f, numpy.asarray(a, order="F"), version)
a = numpy.arange(24, dtype="<i4").reshape(2, 3, 4)
numpy.save("order.npy", numpy.asfortranarray(a))
numpy.save("big.npy", a.astype(">i4"))
numpy.save("object.npy", numpy.array([None], dtype=object))
print(json.dumps(read))
`
	cmd := exec.Command(interpreter, "-c", script)
	cmd.Dir = dir
	out, err := cmd.Output()
	require.NoError(t, err)
	read := map[string][3]any{}
	require.NoError(t, json.Unmarshal(out, &read))
	for name, a := range arrays() {
		require.Equal(t, name, read[name][0])
		require.Len(t, read[name][1], len(a.Shape))
		for _, version := range []string{"1", "2", "3"} {
			got, err := ReadFile(filepath.Join(dir, name+".npy."+version))
			require.NoError(t, err, name)
			require.Equal(t, a, got, name)
		}
	}
	require.InDelta(t, 21.5, read["float32"][2], 0)
	got, err := ReadFile(filepath.Join(dir, "order.npy"))
	require.NoError(t, err)
	require.Equal(t, []int{2, 3, 4}, got.Shape)
	for i, v := range got.Data.([]int32) {
		require.EqualValues(t, i, v)
	}
	_, err = ReadFile(filepath.Join(dir, "big.npy"))
	require.ErrorContains(t, err, `save them as "<i4"`)
	_, err = ReadFile(filepath.Join(dir, "object.npy"))
	require.ErrorContains(t, err, `element type "|O" is not supported`)
}

// file is one of version 1.0.
func file(header, elements string) []byte {
	return []byte("\x93NUMPY\x01\x00" + string([]byte{byte(len(header)), byte(len(header) >> 8)}) + header + elements)
}

func TestABadFileIsOneError(t *testing.T) {
	for _, c := range []struct {
		file []byte
		want string
	}{
		{nil, "no .npy file"},
		{[]byte("PK\x03\x04 a zip file"), "no .npy file"},
		{[]byte("\x93NUMPY\x04\x00\x00\x00"), "version 4.0"},
		{[]byte("\x93NUMPY\x02\x00\xff\xff\xff\xff"), "at most 65536"},
		{[]byte("\x93NUMPY\x01\x00\xff\x00{}"), "ends in its header"},
		{file("[]", ""), "want a dictionary"},
		{file("{", ""), "want a key"},
		{file("{'descr': '<f4', 'descr': '<f4'}", ""), "each once"},
		{file("{'descr': '<f4', 'shape': (1,)}", "1234"), "want descr, fortran_order and shape"},
		{file("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x", "1234"), "stands behind"},
		{file(`{'descr': '<f\x34', 'fortran_order': False, 'shape': (1,)}`, "1234"), "descr is not valid"},
		{file("{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}", "1234"), "fortran_order is not valid"},
		{file("{'descr': '<f4', 'fortran_order': False, 'shape': (1)}", "1234"), "shape is not valid"},
		{file("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", "1234"), "shape is not valid"},
		{file("{'descr': '<f4', 'fortran_order': False, 'shape': ("+strings.Repeat("1,", 65)+")}", "1234"), "shape is not valid"},
		{file("{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 9)}", "1234"), "too large"},
		{file("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000,)}", "1234"), "4 bytes of elements"},
		{file("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", "12345"), "5 bytes of elements"},
		{file("{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}", "12345678"), "not supported"},
		{file("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "1234"), "descr is not valid"},
	} {
		_, err := unmarshal(c.file)
		require.ErrorContains(t, err, c.want, string(c.file))
	}
	_, err := ReadFile(t.TempDir())
	require.Error(t, err)
}

func TestMistakesInWritingAreErrors(t *testing.T) {
	for want, a := range map[string]*Array{
		"there is no array":          nil,
		"type <nil>":                 {},
		"type []string":              {Data: []string{"a"}},
		"do not fill the extents":    {Shape: []int{3}, Data: []float32{1}},
		"extents [-1] are not valid": {Shape: []int{-1}, Data: []float32{1}},
	} {
		path := filepath.Join(t.TempDir(), "a.npy")
		require.ErrorContains(t, a.WriteFile(path), want)
		require.NoFileExists(t, path)
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, a := range arrays() {
		b, err := a.Marshal()
		require.NoError(f, err)
		f.Add(b)
	}
	f.Add(file(`{"shape": (2L, 1), "fortran_order": True, "descr": "|b1"}`, "\x00\x07"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := unmarshal(b)
		if err != nil {
			return
		}
		again, err := a.Marshal()
		require.NoError(t, err)
		back, err := unmarshal(again)
		require.NoError(t, err)
		same, err := back.Marshal()
		require.NoError(t, err)
		require.Equal(t, again, same)
	})
}
