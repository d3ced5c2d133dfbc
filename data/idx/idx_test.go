package idx_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/plexaura/plexaura/data/idx"
	"github.com/stretchr/testify/require"
)

func zipped(t testing.TB, s string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte(s))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.String()
}

const matrix = "\x00\x00\x08\x02\x00\x00\x00\x02\x00\x00\x00\x03abcdef"

func TestRead(t *testing.T) {
	for name, file := range map[string]string{"raw": matrix, "gzip": zipped(t, matrix)} {
		a, err := idx.Read(iotest.OneByteReader(strings.NewReader(file)))
		require.NoError(t, err, name)
		require.Equal(t, idx.Array{Type: idx.Uint8, Dims: []int{2, 3}, Data: []byte("abcdef")}, a, name)
		require.Equal(t, matrix, string(a.Header())+string(a.Data), name)
	}
}

func TestElementTypes(t *testing.T) {
	for _, c := range []struct {
		t    idx.Type
		name string
		data string
		want float64
	}{
		{idx.Uint8, "uint8", "\xff", 255},
		{idx.Int8, "int8", "\xff", -1},
		{idx.Int16, "int16", "\xff\xfe", -2},
		{idx.Int32, "int32", "\xff\xff\xff\xfd", -3},
		{idx.Float32, "float32", "\x3f\xc0\x00\x00", 1.5},
		{idx.Float64, "float64", "\xbf\xf8\x00\x00\x00\x00\x00\x00", -1.5},
	} {
		a, err := idx.Read(strings.NewReader("\x00\x00" + string([]byte{byte(c.t)}) + "\x01\x00\x00\x00\x02" + c.data + c.data))
		require.NoError(t, err, c.name)
		require.Equal(t, c.name, a.Type.String())
		require.Equal(t, len(c.data), a.Type.Width())
		require.Equal(t, []float64{c.want, c.want}, a.Float64s())
	}
	require.Equal(t, "Type(0x0a)", idx.Type(10).String())
	require.Empty(t, idx.Array{Type: 10, Data: []byte("x")}.Float64s())
}

func TestMalformedFilesAreErrors(t *testing.T) {
	damaged := []byte(zipped(t, matrix))
	damaged[len(damaged)-8] ^= 1 // the checksum
	for name, c := range map[string]struct{ file, want string }{
		"empty":            {"", "idx header: the file is truncated"},
		"short":            {"\x00\x00\x08", "idx header: the file is truncated"},
		"bad magic":        {"\x89PNG\r\n", "not an idx file: it begins with 89 50 4e 47"},
		"unknown type":     {"\x00\x00\x0a\x01\x00\x00\x00\x00", "not an idx file: it begins with 00 00 0a 01"},
		"no axes":          {"\x00\x00\x08\x00", "0 axes; want 1 to 8"},
		"255 axes":         {"\x00\x00\x08\xff", "255 axes; want 1 to 8"},
		"extents missing":  {"\x00\x00\x08\x02\x00\x00\x00\x02\x00", "idx header: the file is truncated"},
		"data missing":     {matrix[:12], "idx data, [2 3] uint8: the file is truncated: 0 of 6 bytes"},
		"data truncated":   {matrix[:15], "the file is truncated: 3 of 6 bytes"},
		"trailing byte":    {matrix + "g", "idx data, [2 3] uint8: more bytes follow"},
		"absurd size":      {"\x00\x00\x0e\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "too large extents: [] and 4294967295"},
		"large size":       {"\x00\x00\x08\x01\xff\xff\xff\xffx", "the file is truncated: 1 of 4294967295 bytes"},
		"gzip header":      {"\x1f\x8b\x08", "gzip: the file is truncated"},
		"not gzip":         {"\x1f\x8b" + strings.Repeat("x", 20), "gzip: invalid header"},
		"gzip truncated":   {zipped(t, matrix)[:20], "the file is truncated"},
		"gzip end missing": {zipped(t, matrix)[:len(zipped(t, matrix))-1], "the file is truncated"},
		"gzip damaged":     {string(damaged), "gzip: invalid checksum"},
		"gzip of nothing":  {zipped(t, ""), "idx header: the file is truncated"},
		"gzip trailing":    {zipped(t, matrix) + "x", "truncated"},
		"gzip twice":       {zipped(t, matrix) + zipped(t, "g"), "more bytes follow"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := idx.Read(strings.NewReader(c.file))
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestReadErrorsComeThrough(t *testing.T) {
	for n := range len(matrix) + 1 {
		r := io.MultiReader(strings.NewReader(matrix[:n]), iotest.ErrReader(io.ErrClosedPipe))
		_, err := idx.Read(r)
		require.ErrorIs(t, err, io.ErrClosedPipe, "after %d bytes", n)
	}
}

func TestPromisesAreNotAllocated(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := idx.Read(strings.NewReader("\x00\x00\x08\x01\xff\xff\xff\xffx"))
	runtime.ReadMemStats(&after)
	require.Error(t, err)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20))
}

// What gzip makes of nothing but zeros is a thousandth.
func TestCompressedFilesExpandWithinABound(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := io.WriteString(z, "\x00\x00\x08\x01\x10\x00\x00\x00")
	require.NoError(t, err)
	zeros := make([]byte, 1<<20)
	for range 256 {
		_, err = z.Write(zeros)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = idx.Read(bytes.NewReader(b.Bytes()))
	runtime.ReadMemStats(&after)
	require.ErrorContains(t, err, "gzip: more than 128 times as large as it is compressed")
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(512<<20))

	path := filepath.Join(t.TempDir(), "zeros.gz") // of a file it is known before
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o666))
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	runtime.ReadMemStats(&before)
	_, err = idx.Read(f)
	runtime.ReadMemStats(&after)
	require.ErrorContains(t, err, "the file is truncated")
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
}

// Files without a block on the disk, such as tools for filling disks leave behind.
func TestSparseFilesAreNotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sparse")
	for header, want := range map[string]string{
		"\x00\x00\x08\x02\x00\x10\x00\x00\x00\x10\x00\x00": "too large extents: [1048576] and 1048576; want at most 8589934592 bytes",
		"\x00\x00\x08\x01\xff\xff\xff\xff":                 "the file is truncated: 1048568 of 4294967295 bytes",
	} {
		require.NoError(t, os.WriteFile(path, []byte(header), 0o666))
		require.NoError(t, os.Truncate(path, 1<<20))
		f, err := os.Open(path)
		require.NoError(t, err)
		_, err = idx.Read(f)
		require.ErrorContains(t, err, want)
		require.NoError(t, f.Close())
	}
}

func TestReadIfAsksBeforeTheData(t *testing.T) {
	refused := io.ErrNoProgress
	r := strings.NewReader(matrix[:12]) // without data
	_, err := idx.ReadIf(r, func(header idx.Array) error {
		require.Equal(t, idx.Array{Type: idx.Uint8, Dims: []int{2, 3}}, header)
		return refused
	})
	require.ErrorIs(t, err, refused)
}

func TestLargeArraysComeWhole(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 300_000) // beyond two steps of growth
	a, err := idx.Read(io.MultiReader(strings.NewReader("\x00\x00\x08\x02\x00\x04\x93\xe0\x00\x00\x00\x10"), bytes.NewReader(data)))
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, a.Data))
}

// FuzzRead holds that no file makes Read panic, and that what it accepts is consistent.
func FuzzRead(f *testing.F) {
	f.Add([]byte(matrix))
	f.Add([]byte(zipped(f, matrix)))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := idx.Read(bytes.NewReader(b))
		if err != nil {
			return
		}
		n := 1
		for _, d := range a.Dims {
			n *= d
		}
		require.Len(t, a.Data, n*a.Type.Width())
		require.Len(t, a.Float64s(), n)
	})
}

func ExampleRead() {
	a, err := idx.Read(strings.NewReader("\x00\x00\x0b\x02\x00\x00\x00\x01\x00\x00\x00\x02\x00\x07\xff\xff"))
	fmt.Println(a.Type, a.Dims, a.Float64s(), err)
	// Output: int16 [1 2] [7 -1] <nil>
}
