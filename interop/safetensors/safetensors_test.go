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
		"metadata nested":       {raw(`{"__metadata__":{"a":{}}}`, ""), "want a string"},
		"tensor null":           {entry(`null`), `tensor "w": found <nil>; want {`},
		"missing key":           {entry(`{"dtype":"F32","shape":[1]}`), `tensor "w": want dtype, shape and data_offsets`},
		"dtype number":          {entry(`{"dtype":1,"shape":[1],"data_offsets":[0,4]}`), `tensor "w": dtype: found 1; want a string`},
		"negative extent":       {entry(`{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}`), `tensor "w": shape: -1 is not a number`},
		"the batch size":        {entry(`{"dtype":"F32","shape":[-4294967296],"data_offsets":[0,4]}`), `shape: -4294967296 is not a number`},
		"fraction":              {entry(`{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}`), `shape: 1.0 is not a number`},
		"exponent":              {entry(`{"dtype":"F32","shape":[1e0],"data_offsets":[0,4]}`), `shape: 1e0 is not a number`},
		"extent a string":       {entry(`{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}`), `shape: "1" is not a number`},
		"size overflows":        {entry(`{"dtype":"F32","shape":[2147483647,2147483647,4],"data_offsets":[0,4]}`), `too large`},
		"size wraps to 4":       {entry(`{"dtype":"U8","shape":[2147483647,2147483647,2147483647,2147483647],"data_offsets":[0,4]}`), `too large`},
		"rank 65":               {entry(`{"dtype":"F32","shape":[` + strings.Repeat("1,", 64) + `1],"data_offsets":[0,4]}`), `tensor "w": shape: more than 64 numbers`},
		"one offset":            {entry(`{"dtype":"F32","shape":[1],"data_offsets":[4]}`), `want a begin and an end`},
		"three offsets":         {entry(`{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}`), `data_offsets are 3 numbers; want a begin and an end`},
		"offsets reversed":      {entry(`{"dtype":"F32","shape":[1],"data_offsets":[4,0]}`), `want a begin and an end`},
		"offset negative":       {entry(`{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}`), `data_offsets: -4 is not a number`},
		"offset beyond int64":   {entry(`{"dtype":"F32","shape":[1],"data_offsets":[0,9223372036854775808]}`), `data_offsets: 9223372036854775808 is not a number`},
		"size too small":        {entry(`{"dtype":"F32","shape":[2],"data_offsets":[0,4]}`), `tensor "w": data_offsets span 4 bytes; F32[2] has 8`},
		"data truncated":        {raw(`{"w":`+good+`}`, "000"), "data of 4 bytes: the file is truncated"},
		"data absurd":           {raw(`{"w":{"dtype":"U8","shape":[1073741824],"data_offsets":[0,1073741824]}}`, ""), "the file is truncated"},
		"data too long":         {raw(`{"w":`+good+`}`, "00000"), "bytes follow the data of the last tensor"},
		"gap at the start":      {raw(`{"w":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, "00"), `tensor "w": no tensor has the bytes 0 to 1`},
		"gap": {raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}`, "000"),
			`tensor "b": no tensor has the bytes 1 to 2`},
		"overlap": {raw(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, "000"),
			`tensor "b": its data, from 1, overlap`},
		"minus zero":          {entry(`{"dtype":"F32","shape":[1],"data_offsets":[-0,4]}`), `data_offsets: -0 is not a number`},
		"surrogate in a name": {raw(`{"\ud800":`+good+`}`, "0000"), `is half of a surrogate pair`},
		"byte order mark":     {raw("\uFEFF{}", ""), "want a JSON object"},
		"metadata twice":      {raw(`{"__metadata__":null,"__metadata__":{}}`, ""), `key "__metadata__" is given twice`},
		"metadata a list":     {raw(`{"__metadata__":[]}`, ""), `__metadata__: found [; want an object of strings`},
		"unknown key alone":   {entry(`{"x":[{"a":`), `header: `},
		"size of unsupported": {entry(`{"dtype":"F8_E4M3","shape":[5],"data_offsets":[0,4]}`), `tensor "w": data_offsets span 4 bytes; F8_E4M3[5] has 5`},
		"half a byte":         {entry(`{"dtype":"F4","shape":[7],"data_offsets":[0,4]}`), `F4[7] does not end with a whole byte`},
		"empty inside": {raw(`{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"z":{"dtype":"U8","shape":[0],"data_offsets":[2,2]}}`, "0000"),
			`tensor "z": its data, from 2, overlap`},
		"empty beyond": {raw(`{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"z":{"dtype":"U8","shape":[0],"data_offsets":[5,5]}}`, "0000"),
			`tensor "z": no tensor has the bytes 4 to 5`},
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

// Each of these the reference implementation reads; see testdata/make_fixture.py.
func TestWhatTheFormatAllowsIsRead(t *testing.T) {
	const good = `{"dtype":"F32","shape":[1],"data_offsets":[0,4]}`
	for name, header := range map[string]string{
		"metadata null":      `{"__metadata__":null,"w":` + good + `}`,
		"metadata last":      `{"w":` + good + `,"__metadata__":{"format":"pt"}}`,
		"unknown keys":       `{"w":{"x":[[{"y":1}]],"dtype":"F32","shape":[1],"z":null,"data_offsets":[0,4],"x":"again"}}`,
		"escaped keys":       `{"\u0077":{"d\u0074ype":"F32","shape":[1],"data_offsets":[0,4]}}`,
		"white space":        "{ \"w\" :\n" + good + "\t}\r\n  ",
		"empty ones around":  `{"a":{"dtype":"F64","shape":[0],"data_offsets":[0,0]},"w":` + good + `,"z":{"dtype":"U8","shape":[2,0],"data_offsets":[4,4]},"b":{"dtype":"BOOL","shape":[0],"data_offsets":[0,0]}}`,
		"without a name":     `{"":{"dtype":"U8","shape":[0],"data_offsets":[4,4]},"w":` + good + `}`,
		"a pair":             `{"\ud83d\ude00":{"dtype":"U8","shape":[0],"data_offsets":[4,4]},"w":` + good + `}`,
		"a replacement":      `{"\ufffd":{"dtype":"U8","shape":[0],"data_offsets":[4,4]},"w":` + good + `}`,
		"empty and enormous": `{"e":{"dtype":"F32","shape":[0,4294967296,4294967296],"data_offsets":[4,4]},"w":` + good + `}`,
	} {
		f, err := safetensors.Read(strings.NewReader(raw(header, "\x00\x00\x80?")))
		require.NoError(t, err, name)
		requireValues(t, f, "w", shape.Of(1), float32(1))
	}
	f, err := safetensors.Read(strings.NewReader(raw(`{"__metadata__":null}`, "")))
	require.NoError(t, err)
	require.Nil(t, f.Metadata)
}

// The fixture has 0, 1 and so on as every type that the reference implementation knows.
func TestWhatIsUnsupportedIsRefusedWhereItIsAskedFor(t *testing.T) {
	const path = "testdata/types.safetensors"
	supported := map[string]shape.DType{
		"F64": shape.Float64, "F32": shape.Float32, "F16": shape.Float16, "BF16": shape.BFloat16,
		"I64": shape.Int64, "I32": shape.Int32, "I8": shape.Int8, "U8": shape.Uint8, "BOOL": shape.Bool,
	}
	f, err := safetensors.ReadFile(path)
	require.NoError(t, err)
	require.Len(t, f.Tensors, 22)
	for _, tensor := range f.Tensors {
		d := tensor.DType()
		require.Equal(t, d, tensor.Name)
		require.Equal(t, supported[d], tensor.Type.DType, d)
		if supported[d] != shape.Invalid {
			require.NoError(t, tensor.Err())
			continue
		}
		require.EqualError(t, tensor.Err(), "element type "+d+" is not supported")
		_, err := safetensors.View[float32](tensor)
		require.EqualError(t, err, fmt.Sprintf("safetensors: tensor %q: element type %s is not supported", d, d))
	}
	var again bytes.Buffer
	require.NoError(t, safetensors.Write(&again, f))
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want, again.Bytes(), "what is not understood is passed on as it was")
}

func TestWhatHasNoTypeHere(t *testing.T) {
	for entry, want := range map[string]string{
		`"dtype":"F9","shape":[7],"data_offsets":[0,4]`:                          `element type "F9" is unknown`,
		`"dtype":"f32","shape":[1],"data_offsets":[0,4]`:                         `element type "f32" is unknown`,
		`"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]`:         `9 axes; at most 8 are supported`,
		`"dtype":"F32","shape":[4294967296,0],"data_offsets":[0,0]`:              `extents [4294967296 0] are too large`,
		`"dtype":"F8_E5M2","shape":[1,1,1,1,1,1,1,1,4],"data_offsets":[0,4]`:     `element type F8_E5M2 is not supported`,
		`"dtype":"C64","shape":[0],"data_offsets":[0,0],"note":"a later format"`: `element type C64 is not supported`,
	} {
		data := "0000"
		if strings.Contains(entry, "[0,0]") {
			data = ""
		}
		f, err := safetensors.Read(strings.NewReader(raw(`{"w":{`+entry+`}}`, data)))
		require.NoError(t, err, entry)
		require.False(t, f.Tensors[0].Type.Valid())
		require.EqualError(t, f.Tensors[0].Err(), want)
		_, err = safetensors.View[float32](f.Tensors[0])
		require.EqualError(t, err, `safetensors: tensor "w": `+want)
		again, err := safetensors.Read(bytes.NewReader(encoded(t, f)))
		require.NoError(t, err)
		require.Equal(t, f, again)
	}
}

// A tensor of the fixture stands there beside what NumPy makes of it as float32.
func TestHalfPrecisionIsWidened(t *testing.T) {
	f, err := safetensors.ReadFile("testdata/half.safetensors")
	require.NoError(t, err)
	for _, name := range []string{"float16", "bfloat16"} {
		narrow, _ := f.Tensor(name)
		wide, _ := f.Tensor(name + ".wide")
		got, err := safetensors.View[float32](narrow)
		require.NoError(t, err)
		want, err := safetensors.View[float32](wide)
		require.NoError(t, err)
		require.Equal(t, bitsOf(want), bitsOf(got), name)
		require.Equal(t, name, narrow.Type.DType.String())
	}
}

func bitsOf(values []float32) []uint32 {
	b := make([]uint32, len(values))
	for i, v := range values {
		b[i] = math.Float32bits(v)
	}
	return b
}

// Every float16 by its definition.
func TestEveryFloat16(t *testing.T) {
	data := make([]byte, 0, 2<<16)
	for i := range 1 << 16 {
		data = binary.LittleEndian.AppendUint16(data, uint16(i))
	}
	got, err := safetensors.View[float32](safetensors.Tensor{Name: "all", Type: shape.F16(1 << 16), Data: data})
	require.NoError(t, err)
	for i, v := range got {
		sign, exponent, fraction := 1-2*float64(i>>15), i>>10&31, float64(i&1023)
		want := sign * math.Ldexp(1+fraction/1024, exponent-15)
		switch {
		case exponent == 0:
			want = sign * math.Ldexp(fraction, -24)
			require.Equal(t, i>>15 == 1, math.Signbit(float64(v)))
		case exponent == 31 && fraction == 0:
			want = math.Inf(int(sign))
		case exponent == 31:
			require.True(t, math.IsNaN(float64(v)), i)
			continue
		}
		require.Equal(t, want, float64(v), i)
	}
}

// A file of a few bytes that promises gigabytes must not make the reader allocate them.
func TestPromisesAreNotAllocated(t *testing.T) {
	for _, file := range []string{
		"\x00\xe1\xf5\x05\x00\x00\x00\x00{",
		raw(`{"w":{"dtype":"U8","shape":[1073741824],"data_offsets":[0,1073741824]}}`, "0"),
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
		`type float64(1) cannot be stored as F32`:     {Tensors: []safetensors.Tensor{{Name: "w", Type: shape.F64(1), Stored: "F32", Data: make([]byte, 8)}}},
		`type float32(1) cannot be stored as F16`:     {Tensors: []safetensors.Tensor{{Name: "w", Type: shape.F32(1), Stored: "F16", Data: make([]byte, 4)}}},
		`4 bytes of data; float16(1) has 2`:           {Tensors: []safetensors.Tensor{{Name: "w", Type: shape.F16(1), Data: make([]byte, 4)}}},
		`4 bytes of data; F8_E4M3[5] has 5`:           {Tensors: []safetensors.Tensor{{Name: "w", Stored: "F8_E4M3", Extents: []int64{5}, Data: make([]byte, 4)}}},
		`F4[3] does not end with a whole byte`:        {Tensors: []safetensors.Tensor{{Name: "w", Stored: "F4", Extents: []int64{3}, Data: make([]byte, 2)}}},
		`U8[-1] is too large`:                         {Tensors: []safetensors.Tensor{{Name: "w", Stored: "U8", Extents: []int64{-1}}}},
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
	_, err = safetensors.View[int32](w)
	require.ErrorContains(t, err, `tensor "w" is float32(2); want int32`, "a type of the same width is another one")
	_, err = safetensors.View[bool](safetensors.Of("b", shape.Of(1), []uint8{1}))
	require.ErrorContains(t, err, `tensor "b" is uint8(1); want bool`)
	_, err = safetensors.View[float64](safetensors.Of("i", shape.Of(1), []int64{1}))
	require.ErrorContains(t, err, `tensor "i" is int64(1); want float64`)
	w.Data = w.Data[:7]
	_, err = safetensors.View[float32](w)
	require.ErrorContains(t, err, "7 bytes of data; float32(2) has 8")
	_, err = safetensors.View[bool](safetensors.Tensor{Type: shape.Mask(1), Data: []byte{2}})
	require.ErrorContains(t, err, "BOOL element 0 is 2")
}

// What is appended to a tensor's data goes elsewhere, not into the next tensor.
func TestTensorsOfAFileAreApart(t *testing.T) {
	f, err := safetensors.ReadFile("testdata/python.safetensors")
	require.NoError(t, err)
	for _, tensor := range f.Tensors {
		require.Equal(t, len(tensor.Data), cap(tensor.Data), tensor.Name)
	}
	before := encoded(t, f)
	for _, tensor := range f.Tensors {
		_ = append(tensor.Data, 0xff)
	}
	require.Equal(t, before, encoded(t, f))
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
