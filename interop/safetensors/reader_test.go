package safetensors_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/interop/safetensors"
	"github.com/plexaura/plexaura/shape"
)

// open opens a file of that content.
func open(t testing.TB, content string) (*safetensors.Reader, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "weights.safetensors")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o666))
	r, err := safetensors.Open(path)
	if err == nil {
		t.Cleanup(func() { r.Close() })
	}
	return r, err
}

// requireSame holds that r reads what f has.
func requireSame(t *testing.T, f safetensors.File, r *safetensors.Reader) {
	t.Helper()
	require.Equal(t, f.Metadata, r.Metadata())
	i := 0
	for info := range r.Tensors() {
		want := f.Tensors[i]
		got, err := r.Tensor(info.Name)
		require.NoError(t, err)
		require.Equal(t, want, got)
		want.Data = nil
		require.Equal(t, want, info)
		requireValuesAsViewed(t, got, r)
		i++
	}
	require.Equal(t, len(f.Tensors), i)
}

func requireValuesAsViewed(t *testing.T, tensor safetensors.Tensor, r *safetensors.Reader) {
	t.Helper()
	if err := tensor.Err(); err != nil {
		require.ErrorContains(t, r.Values(tensor.Name, nil), err.Error())
		return
	}
	got := make([]byte, tensor.Type.Bytes())
	err := r.Values(tensor.Name, got)
	want, unviewed := viewed(tensor)
	if unviewed != nil {
		require.ErrorContains(t, err, strings.TrimPrefix(unviewed.Error(), "safetensors: "))
		return
	}
	require.NoError(t, err)
	require.Equal(t, want, got, tensor.Name)
	if tensor.ReadsAs(shape.Float32) {
		got = make([]byte, tensor.Type.As(shape.Float32).Bytes())
		require.NoError(t, r.ValuesAs(tensor.Name, shape.Float32, got))
		want, err = memory[float32](tensor)
		require.NoError(t, err)
		require.Equal(t, want, got, tensor.Name)
		return
	}
	require.ErrorContains(t, r.ValuesAs(tensor.Name, shape.Float32, nil), "want float32")
}

// viewed is the memory of the values of a tensor.
func viewed(t safetensors.Tensor) ([]byte, error) {
	switch t.Type.DType {
	case shape.Float32:
		return memory[float32](t)
	case shape.Float64:
		return memory[float64](t)
	case shape.Int32:
		return memory[int32](t)
	case shape.Int64:
		return memory[int64](t)
	case shape.Uint8:
		return memory[uint8](t)
	case shape.BFloat16:
		return memory[shape.Brain](t)
	case shape.Float16:
		return memory[shape.Half](t)
	case shape.Int8:
		return memory[int8](t)
	}
	return memory[bool](t)
}

func memory[T shape.Elem](t safetensors.Tensor) ([]byte, error) {
	v, err := safetensors.View[T](t)
	return append([]byte{}, engine.BufferOf(v).Bytes()...), err
}

func TestAReaderReadsWhatAFileHas(t *testing.T) {
	for _, name := range []string{"python", "float16", "types", "half"} {
		path := "testdata/" + name + ".safetensors"
		f, err := safetensors.ReadFile(path)
		require.NoError(t, err)
		r, err := safetensors.Open(path)
		require.NoError(t, err)
		requireSame(t, f, r)
		_, err = r.Tensor("none")
		require.EqualError(t, err, path+`: there is no tensor "none"`)
		require.ErrorContains(t, r.Values("none", nil), `there is no tensor "none"`)
		require.NoError(t, r.Close())
	}
}

// Values come in parts, of which the last is smaller.
func TestLargeTensorsAreReadInParts(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, d := range []shape.DType{shape.Float32, shape.Float16, shape.BFloat16, shape.Int8} {
		tensor := safetensors.Tensor{Name: "w", Type: shape.Make(d, 3, 70_001)}
		tensor.Data = make([]byte, tensor.Type.Bytes())
		for i := range tensor.Data {
			tensor.Data[i] = byte(random.IntN(256))
		}
		f := safetensors.File{Tensors: []safetensors.Tensor{tensor}}
		r, err := open(t, string(encoded(t, f)))
		require.NoError(t, err)
		requireSame(t, f, r)
		require.ErrorContains(t, r.Values("w", make([]byte, 4)), fmt.Sprintf(`tensor "w": room for 4 bytes; %v has %d`, tensor.Type, tensor.Type.Bytes()))
	}
}

func TestValuesThatAreNoBools(t *testing.T) {
	r, err := open(t, raw(`{"w":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]},"x":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}`, "\x01\x02\x03"))
	require.NoError(t, err)
	require.ErrorContains(t, r.Values("w", make([]byte, 2)), `tensor "w": BOOL element 1 is 2; want 0 or 1`)
	x := make([]byte, 1)
	require.NoError(t, r.Values("x", x), "the others can be read")
	require.Equal(t, []byte{3}, x)
}

// A file that has not what it says is an error before anything is read.
func TestWhatAFileHasIsCheckedWhenItIsOpened(t *testing.T) {
	header := `{"w":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}`
	_, err := open(t, raw(header, "000"))
	require.ErrorContains(t, err, "weights.safetensors: data of 4 bytes: the file is truncated")
	_, err = open(t, raw(header, "00000"))
	require.ErrorContains(t, err, "bytes follow the data of the last tensor")
	_, err = open(t, raw(`{"w":1}`, ""))
	require.ErrorContains(t, err, `header: tensor "w": found 1; want {`)
	_, err = safetensors.Open(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	for _, f := range []func(string) error{
		func(path string) error { _, err := safetensors.Open(path); return err },
		func(path string) error { _, err := safetensors.ReadFile(path); return err },
	} {
		require.ErrorContains(t, f(t.TempDir()), "a folder, not a regular file")
	}

	r, err := open(t, raw(header, "0000"))
	require.NoError(t, err)
	require.NoError(t, os.Truncate(r.Name(), 40))
	_, err = r.Tensor("w")
	require.ErrorContains(t, err, `tensor "w": the file is truncated`)
	require.ErrorContains(t, r.Values("w", make([]byte, 4)), `tensor "w": the file is truncated`)
}

// sparse is a file of that many bytes of data, which the disk does not hold.
func sparse(t *testing.T, bytes int64) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "sparse.safetensors")
	header := fmt.Sprintf(`{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"w":{"dtype":"U8","shape":[%d,1024],"data_offsets":[3,%d]}}`, bytes>>10, bytes+3)
	content := raw(header, "123")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o666))
	if err := os.Truncate(path, int64(len(content))+bytes); err != nil {
		t.Skip("no file of that size here: ", err)
	}
	return path
}

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestFilesLargerThanMemory(t *testing.T) {
	for _, size := range []int64{16 << 30, 1 << 40} {
		path := sparse(t, size)
		require.Less(t, allocated(func() {
			_, err := safetensors.ReadFile(path)
			require.ErrorContains(t, err, fmt.Sprintf("data of %d bytes, more than the 8589934592 that are read at once", size+3))
			require.NotContains(t, err.Error(), "\n")
			r, err := safetensors.Open(path)
			require.NoError(t, err)
			defer r.Close()
			a, err := r.Tensor("a")
			require.NoError(t, err)
			require.Equal(t, []byte("123"), a.Data)
		}), uint64(1<<20))
	}
}

// Many tensors take a small multiple of the memory of their header.
func TestAHeaderOfManyTensors(t *testing.T) {
	const n = 200_000
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, `,"%06d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`, i)
	}
	b.Bytes()[0] = '{'
	b.WriteByte('}')
	content := raw(b.String(), "")
	path := filepath.Join(t.TempDir(), "weights.safetensors")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o666))
	before := heap()
	r, err := safetensors.Open(path)
	require.NoError(t, err)
	defer r.Close()
	held := heap() - before
	t.Logf("a header of %d MB is held in %d MB", len(content)>>20, held>>20)
	require.Less(t, held, uint64(3*len(content)))
	found := 0
	for tensor := range r.Tensors() {
		require.Equal(t, fmt.Sprintf("%06d", found), tensor.Name)
		found++
	}
	require.Equal(t, n, found)
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
