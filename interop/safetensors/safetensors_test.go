package safetensors_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/plexaura/plexaura/interop/safetensors"
	"github.com/plexaura/plexaura/shape"
	"github.com/stretchr/testify/require"
)

// encoded returns the bytes of f.
func encoded(t testing.TB, f safetensors.File) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, safetensors.Write(&b, f))
	return b.Bytes()
}

// raw returns a file with any header and data.
func raw(header, data string) string {
	return string(binary.LittleEndian.AppendUint64(nil, uint64(len(header)))) + header + data
}

func requireValues[T shape.Elem](t *testing.T, f safetensors.File, name string, s shape.Shape, want ...T) {
	t.Helper()
	tensor, ok := f.Tensor(name)
	require.True(t, ok, name)
	require.Equal(t, s, tensor.Type.Shape, name)
	got, err := safetensors.View[T](tensor)
	require.NoError(t, err, name)
	require.Equal(t, want, append([]T(nil), got...), name)
}

// The fixture was written by the reference implementation; see testdata/make_fixture.py.
func TestReadsWhatPythonWrote(t *testing.T) {
	f, err := safetensors.ReadFile("testdata/python.safetensors")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"model": `le"net`, "classes": "<0>"}, f.Metadata)
	require.Len(t, f.Tensors, 9)
	requireValues(t, f, "conv1.weight", shape.Of(2, 1, 2, 3),
		[]float32{0, .125, .25, .375, .5, .625, .75, .875, 1, 1.125, 1.25, 1.375}...)
	requireValues(t, f, "conv1.bias", shape.Of(2), float32(math.Copysign(0, -1)), math.SmallestNonzeroFloat32)
	requireValues(t, f, "mean", shape.Of(2), math.Pi, math.Inf(-1))
	requireValues(t, f, "labels", shape.Of(3), int32(-1), math.MaxInt32, 7)
	requireValues(t, f, "step", shape.Of(), int64(-1<<62))
	requireValues(t, f, "pixels", shape.Of(1, 3), uint8(0), 128, 255)
	requireValues(t, f, "mask", shape.Of(3), true, false, true)
	requireValues[float32](t, f, "empty", shape.Of(0, 5))
	requireValues(t, f, "größe", shape.Of(1, 1), float32(1))
}

// The order of metadata is the only freedom: Python keeps no order of it either.
func TestWritesTheBytesThatPythonWrote(t *testing.T) {
	want, err := os.ReadFile("testdata/python.safetensors")
	require.NoError(t, err)
	f, err := safetensors.Read(bytes.NewReader(want))
	require.NoError(t, err)
	a, b := `{"classes":"<0>","model":"le\"net"}`, `{"model":"le\"net","classes":"<0>"}`
	got := strings.Replace(string(encoded(t, f)), a, b, 1)
	require.Equal(t, strings.Replace(string(want), a, b, 1), got)
}

func TestRoundTrip(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		f := randomFile(random)
		b := encoded(t, f)
		got, err := safetensors.Read(iotest.OneByteReader(bytes.NewReader(b)))
		require.NoError(t, err)
		require.Equal(t, f, got)

		random.Shuffle(len(f.Tensors), func(i, j int) { f.Tensors[i], f.Tensors[j] = f.Tensors[j], f.Tensors[i] })
		require.Equal(t, b, encoded(t, f), "the order given must not show")
		length := binary.LittleEndian.Uint64(b)
		require.Zero(t, length%8, "data begin at a multiple of 8")
	}
}

// randomFile returns up to ten tensors in the order of their names.
func randomFile(random *rand.Rand) safetensors.File {
	f := safetensors.File{Tensors: []safetensors.Tensor{}}
	for i := range random.IntN(3) {
		if f.Metadata == nil {
			f.Metadata = map[string]string{}
		}
		f.Metadata[fmt.Sprint("key", i)] = strings.Repeat("\"\n\u2028ä", random.IntN(3))
	}
	for i := range random.IntN(10) {
		dims := make([]shape.Dim, random.IntN(4))
		for j := range dims {
			dims[j] = shape.Dim(random.IntN(4))
		}
		typ := shape.Make(shape.DType(1+random.IntN(6)), dims...)
		data := make([]byte, typ.Bytes())
		for j := range data {
			data[j] = byte(random.IntN(256))
			if typ.DType == shape.Bool {
				data[j] %= 2
			}
		}
		f.Tensors = append(f.Tensors, safetensors.Tensor{Name: fmt.Sprintf("%d.<wéight>", i), Type: typ, Data: data})
	}
	return f
}

func TestMalformedFilesAreErrors(t *testing.T) {
	entry := func(s string) string { return raw(`{"w":`+s+`}`, "\x00\x00\x80?") }
	const good = `{"dtype":"F32","shape":[1],"data_offsets":[0,4]}`
	_, err := safetensors.Read(strings.NewReader(entry(good)))
	require.NoError(t, err)

	for name, c := range map[string]struct{ file, want string }{
		"empty":                 {"", "no header: the file is truncated"},
		"short prefix":          {"\x08\x00\x00", "no header: the file is truncated"},
		"header too large":      {"\x01\xe1\xf5\x05\x00\x00\x00\x00", "header would have 100000001 bytes"},
		"header absurd":         {strings.Repeat("\xff", 16), "not a safetensors file"},
		"header truncated":      {"\x00\xe1\xf5\x05\x00\x00\x00\x00{", "header of 100000000 bytes: the file is truncated"},
		"no header":             {raw("", ""), "want a JSON object"},
		"leading space":         {raw(` {}`, ""), "want a JSON object"},
		"array":                 {raw(`[]`, ""), "want a JSON object"},
		"not UTF-8":             {raw("{\"\xff\":1}", ""), "want a JSON object in UTF-8"},
		"broken JSON":           {raw(`{"w":`, ""), "header: "},
		"trailing comma":        {raw(`{"__metadata__":{},}`, ""), "header: "},
		"two objects":           {raw(`{}{}`, ""), "something follows the JSON object"},
		"zero padded":           {raw("{}\x00", ""), "something follows the JSON object"},
		"duplicate tensor":      {raw(`{"w":`+good+`,"w":`+good+`}`, "0000"), `key "w" is given twice`},
		"duplicate in tensor":   {entry(`{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}`), `tensor "w": key "dtype" is given twice`},
		"duplicate in metadata": {raw(`{"__metadata__":{"a":"","a":""}}`, ""), `__metadata__: key "a" is given twice`},
		"metadata number":       {raw(`{"__metadata__":{"a":1}}`, ""), "__metadata__: found 1; want a string"},
		"metadata null":         {raw(`{"__metadata__":null}`, ""), "__metadata__: found <nil>; want {"},
		"metadata nested":       {raw(`{"__metadata__":{"a":{}}}`, ""), "want a string"},
		"tensor null":           {entry(`null`), `tensor "w": found <nil>; want {`},
		"unknown key":           {entry(`{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":[[[[]]]]}`), `unknown key "x"`},
		"missing key":           {entry(`{"dtype":"F32","shape":[1]}`), `tensor "w": want dtype, shape and data_offsets`},
		"unknown dtype":         {entry(`{"dtype":"float","shape":[1],"data_offsets":[0,4]}`), `tensor "w": unknown dtype "float"`},
		"unsupported dtype":     {entry(`{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}`), `unsupported element types: tensor "w" is BF16`},
		"dtype number":          {entry(`{"dtype":1,"shape":[1],"data_offsets":[0,4]}`), `tensor "w": dtype: found 1; want a string`},
		"negative extent":       {entry(`{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}`), `tensor "w": shape: -1 is not a number`},
		"the batch size":        {entry(`{"dtype":"F32","shape":[-4294967296],"data_offsets":[0,4]}`), `shape: -4294967296 is not a number`},
		"fraction":              {entry(`{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}`), `shape: 1.0 is not a number`},
		"exponent":              {entry(`{"dtype":"F32","shape":[1e0],"data_offsets":[0,4]}`), `shape: 1e0 is not a number`},
		"extent a string":       {entry(`{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}`), `shape: 1 is not a number`},
		"extent too large":      {entry(`{"dtype":"F32","shape":[2147483648],"data_offsets":[0,4]}`), `tensor "w": shape: axis 0: extent 2147483648`},
		"size overflows":        {entry(`{"dtype":"F32","shape":[2147483647,2147483647,4],"data_offsets":[0,4]}`), `too large`},
		"size wraps to 4":       {entry(`{"dtype":"U8","shape":[2147483647,2147483647,2147483647,2147483647],"data_offsets":[0,4]}`), `too large`},
		"rank 9":                {entry(`{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}`), `tensor "w": shape: more than 8 numbers`},
		"one offset":            {entry(`{"dtype":"F32","shape":[1],"data_offsets":[4]}`), `want a begin and an end`},
		"three offsets":         {entry(`{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}`), `more than 2 numbers`},
		"offsets reversed":      {entry(`{"dtype":"F32","shape":[1],"data_offsets":[4,0]}`), `want a begin and an end`},
		"offset negative":       {entry(`{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}`), `data_offsets: -4 is not a number`},
		"offset beyond int64":   {entry(`{"dtype":"F32","shape":[1],"data_offsets":[0,9223372036854775808]}`), `data_offsets: 9223372036854775808 is not a number`},
		"size too small":        {entry(`{"dtype":"F32","shape":[2],"data_offsets":[0,4]}`), `tensor "w": data_offsets span 4 bytes; float32(2) has 8`},
		"bool out of range":     {raw(`{"w":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}}`, "\x01\x02"), `tensor "w": BOOL element 1 is 2`},
		"data truncated":        {raw(`{"w":`+good+`}`, "000"), "data of 4 bytes: the file is truncated"},
		"data absurd":           {raw(`{"w":{"dtype":"U8","shape":[1073741824,1024],"data_offsets":[0,1099511627776]}}`, ""), "the file is truncated"},
		"data too long":         {raw(`{"w":`+good+`}`, "00000"), "bytes follow the data of the last tensor"},
		"gap at the start":      {raw(`{"w":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, "00"), `tensor "w": no tensor has the bytes 0 to 1`},
		"gap": {raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}`, "000"),
			`tensor "b": no tensor has the bytes 1 to 2`},
		"overlap": {raw(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, "000"),
			`tensor "b": its data, from 1, overlap`},
		"same place": {raw(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, "00"),
			`tensor "b": its data, from 0, overlap`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := safetensors.Read(strings.NewReader(c.file))
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "\n")

			path := filepath.Join(t.TempDir(), "weights.safetensors")
			require.NoError(t, os.WriteFile(path, []byte(c.file), 0o666))
			_, err = safetensors.ReadFile(path)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, path)
		})
	}
}

func TestEveryTruncationIsAnError(t *testing.T) {
	b, err := os.ReadFile("testdata/python.safetensors")
	require.NoError(t, err)
	for n := range b {
		_, err := safetensors.Read(bytes.NewReader(b[:n]))
		require.Error(t, err, "%d bytes", n)
	}
}

func TestUnsupportedTypesAreNamed(t *testing.T) {
	_, err := safetensors.ReadFile("testdata/float16.safetensors")
	require.ErrorContains(t, err, `testdata/float16.safetensors: header: unsupported element types: tensor "a" is F16`)

	var entries []string
	for i := range 8 {
		entries = append(entries, fmt.Sprintf(`"t%d":{"dtype":"U16","shape":[0],"data_offsets":[0,0]}`, i))
	}
	_, err = safetensors.Read(strings.NewReader(raw("{"+strings.Join(entries, ",")+"}", "")))
	require.ErrorContains(t, err, `tensor "t4" is U16, and 3 more`)
}

// A file of a few bytes that promises gigabytes must not make the reader allocate them.
func TestPromisesAreNotAllocated(t *testing.T) {
	for _, file := range []string{
		"\x00\xe1\xf5\x05\x00\x00\x00\x00{",
		raw(`{"w":{"dtype":"U8","shape":[1073741824,1024],"data_offsets":[0,1099511627776]}}`, "0"),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := safetensors.Read(strings.NewReader(file))
		runtime.ReadMemStats(&after)
		require.ErrorContains(t, err, "truncated")
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
	}
}

func TestReadErrorsComeThrough(t *testing.T) {
	b, err := os.ReadFile("testdata/python.safetensors")
	require.NoError(t, err)
	for _, n := range []int{0, 4, 20, len(b) - 1, len(b)} {
		r := io.MultiReader(bytes.NewReader(b[:n]), iotest.ErrReader(io.ErrClosedPipe))
		_, err := safetensors.Read(r)
		require.ErrorIs(t, err, io.ErrClosedPipe, "after %d bytes", n)
	}
	_, err = safetensors.ReadFile(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestWriteRefusesWhatCannotBeRead(t *testing.T) {
	one := func(name string, t shape.Type, data []byte) safetensors.File {
		return safetensors.File{Tensors: []safetensors.Tensor{{Name: name, Type: t, Data: data}}}
	}
	w := one("w", shape.U8(1), []byte{0}).Tensors[0]
	for want, f := range map[string]safetensors.File{
		`two tensors are named "w"`:                   {Tensors: []safetensors.Tensor{w, w}},
		`"__metadata__" cannot be the name`:           one("__metadata__", w.Type, w.Data),
		`"\xff" cannot be the name`:                   one("\xff", w.Type, w.Data),
		`tensor "w": 1 bytes of data; uint8(2) has 2`: one("w", shape.U8(2), w.Data),
		`tensor "w": type float32(N)`:                 one("w", shape.F32(shape.N), nil),
		`tensor "w": type invalid()`:                  one("w", shape.Type{}, nil),
		`tensor "w": BOOL element 0 is 3`:             one("w", shape.Mask(1), []byte{3}),
		`metadata "k" is not UTF-8`:                   {Metadata: map[string]string{"k": "\xff"}},
	} {
		require.ErrorContains(t, safetensors.Write(io.Discard, f), want)
	}
}

func TestFailedWriteKeepsTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "weights.safetensors")
	good := safetensors.File{Tensors: []safetensors.Tensor{safetensors.Of("w", shape.Of(2), []float32{1, 2})}}
	require.NoError(t, safetensors.WriteFile(path, good))
	bad := safetensors.File{Tensors: []safetensors.Tensor{safetensors.Of("w", shape.Of(3), []float32{1, 2})}}
	require.Error(t, safetensors.WriteFile(path, bad))
	got, err := safetensors.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, good, got)
}

func TestViewChecksTheType(t *testing.T) {
	w := safetensors.Of("w", shape.Of(2), []float32{1, 2})
	_, err := safetensors.View[float64](w)
	require.ErrorContains(t, err, `tensor "w" is float32(2); want float64`)
	w.Data = w.Data[:7]
	_, err = safetensors.View[float32](w)
	require.ErrorContains(t, err, "7 bytes of data; float32(2) has 8")
	_, err = safetensors.View[bool](safetensors.Tensor{Type: shape.Mask(1), Data: []byte{2}})
	require.ErrorContains(t, err, "BOOL element 0 is 2")
}

func TestViewOfUnalignedData(t *testing.T) {
	w := safetensors.Of("w", shape.Of(2), []float64{1, -2})
	w.Data = append(make([]byte, 1, 17), w.Data...)[1:]
	got, err := safetensors.View[float64](w)
	require.NoError(t, err)
	require.Equal(t, []float64{1, -2}, got)
}

func ExampleWrite() {
	weights := safetensors.File{
		Metadata: map[string]string{"model": "lenet"},
		Tensors:  []safetensors.Tensor{safetensors.Of("fc.bias", shape.Of(3), []float32{1, 2, 3})},
	}
	var b bytes.Buffer
	if err := safetensors.Write(&b, weights); err != nil {
		fmt.Println(err)
		return
	}
	f, err := safetensors.Read(&b)
	if err != nil {
		fmt.Println(err)
		return
	}
	bias, _ := f.Tensor("fc.bias")
	values, err := safetensors.View[float32](bias)
	fmt.Println(f.Metadata["model"], bias.Type, values, err)
	// Output: lenet float32(3) [1 2 3] <nil>
}
