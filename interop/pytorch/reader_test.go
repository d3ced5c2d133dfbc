package pytorch_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/python"
	"github.com/plexaura/plexaura/interop/pytorch"
	"github.com/plexaura/plexaura/interop/safetensors"
	"github.com/plexaura/plexaura/shape"
)

// told is what PyTorch says of a tensor: its element type, its extents and its elements.
type told struct {
	dtype   string
	extents []int
	values  []float64
}

func (t *told) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&t.dtype, &t.extents, &t.values})
}

// requireTold compares the files of a folder with what PyTorch told of them.
func requireTold(t *testing.T, folder string) {
	b, err := os.ReadFile(filepath.Join(folder, "told.json"))
	require.NoError(t, err)
	files := map[string]map[string]told{}
	require.NoError(t, json.Unmarshal(b, &files))
	require.NotEmpty(t, files)
	for file, want := range files {
		t.Run(file, func(t *testing.T) {
			r, err := pytorch.Open(filepath.Join(folder, file+".pth"))
			require.NoError(t, err)
			defer r.Close()
			var names []string
			for tensor := range r.Tensors() {
				names = append(names, tensor.Name)
				w, ok := want[tensor.Name]
				require.True(t, ok, tensor.Name)
				require.Equal(t, w.dtype, tensor.Type.DType.String(), tensor.Name)
				require.Equal(t, shape.OfInts(w.extents...), tensor.Type.Shape, tensor.Name)
				require.Equal(t, w.values, floats(t, r, tensor, tensor.Type.DType), tensor.Name)
				if tensor.ReadsAs(shape.Float32) {
					require.Equal(t, w.values, floats(t, r, tensor, shape.Float32), tensor.Name)
				}
			}
			require.True(t, slices.IsSorted(names))
			require.Len(t, names, len(want))
		})
	}
}

// floats are the elements of a tensor, read as a type.
func floats(t *testing.T, r *pytorch.Reader, tensor safetensors.Tensor, as shape.DType) []float64 {
	b := make([]byte, tensor.Type.As(as).Bytes())
	require.NoError(t, r.ValuesAs(tensor.Name, as, b))
	read := safetensors.OfBytes(tensor.Name, tensor.Type.As(as), b)
	values := []float64{}
	switch as {
	case shape.Float32:
		values = widened[float32](t, read)
	case shape.Float64:
		values = widened[float64](t, read)
	case shape.Int64:
		values = widened[int64](t, read)
	case shape.Int32:
		values = widened[int32](t, read)
	case shape.Int8:
		values = widened[int8](t, read)
	case shape.Uint8:
		values = widened[uint8](t, read)
	case shape.Bool:
		for _, v := range b {
			values = append(values, float64(v))
		}
	default: // float16 and bfloat16
		return floats(t, r, tensor, shape.Float32)
	}
	return values
}

func widened[T float32 | float64 | int64 | int32 | int8 | uint8](t *testing.T, tensor safetensors.Tensor) []float64 {
	v, err := safetensors.View[T](tensor)
	require.NoError(t, err)
	out := []float64{}
	for _, x := range v {
		out = append(out, float64(x))
	}
	return out
}

func TestCommittedFilesAreReadAsPyTorchReadsThem(t *testing.T) { requireTold(t, "testdata") }

func TestFilesOfPyTorchAreReadAsItReadsThem(t *testing.T) {
	interpreter, err := python.Find("torch")
	if err != nil {
		t.Skip(err)
	}
	folder := t.TempDir()
	out, err := exec.Command(interpreter, "testdata/make.py", folder).CombinedOutput()
	require.NoError(t, err, string(out))
	requireTold(t, folder)

	r, err := pytorch.Open(filepath.Join(folder, "checkpoint.pth"))
	require.NoError(t, err)
	defer r.Close()
	require.Equal(t, "state_dict", r.Dict())

	typed, err := pytorch.Open(filepath.Join(folder, "typed.pth"))
	require.NoError(t, err)
	defer typed.Close()
	var all []string
	for tensor := range typed.Tensors() {
		require.ErrorContains(t, tensor.Err(), "supported", "%s", tensor.Name)
		all = append(all, tensor.Name+" "+tensor.String())
	}
	require.Equal(t, []string{"complex C64[2 3]", "float8 F8_E4M3[2 3]", "int16 I16[2 3]", "uint16 U16[2 3]"}, all)
	for file, want := range map[string]string{
		"module": "it wants to call torch.nn.modules.linear.Linear, which state dicts do not need and which is not done; save model.state_dict() instead of the model",
		"sparse": "it has a tensor of a kind that is not supported: torch._utils._rebuild_sparse_tensor",
		"script": "it is a TorchScript archive, a program; save model.state_dict() by torch.save",
	} {
		_, err := pytorch.Open(filepath.Join(folder, file+".pth"))
		require.ErrorContains(t, err, want)
	}
}

// archived writes an archive as torch.save does.
func archived(t testing.TB, files ...string) string {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		w, err := z.CreateHeader(&zip.FileHeader{Name: "a/" + files[i], Method: zip.Store})
		require.NoError(t, err)
		_, err = w.Write([]byte(files[i+1]))
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return write(t, b.Bytes())
}

func write(t testing.TB, b []byte) string {
	path := filepath.Join(t.TempDir(), "f.pth")
	require.NoError(t, os.WriteFile(path, b, 0o666))
	return path
}

func number(n int64) string {
	return "\x8a\x08" + string(binary.LittleEndian.AppendUint64(nil, uint64(n)))
}
func text(s string) string {
	return "X" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(s)))) + s
}

// dictOf is a pickle of {"w": tensor} with float32 numbers in storage 0.
func dictOf(claimed, offset, extent, stride int64) string {
	return "\x80\x02}" + text("w") + tensorOf(claimed, offset, extent, stride) + "s."
}

func tensorOf(claimed, offset, extent, stride int64) string {
	return "ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") + "ctorch\nFloatStorage\n" + text("0") + text("cpu") + number(claimed) + "tQ" +
		number(offset) + number(extent) + "\x85" + number(stride) + "\x85\x89}tR"
}

const eight = "01234567"

func TestWhatClaimsTooMuchIsOneLine(t *testing.T) {
	const huge = 1 << 30
	for want, files := range map[string][]string{
		"storage 0 claims 1073741824 elements of 4 bytes, and has 8 bytes": {"data.pkl", dictOf(huge, 0, huge, 1), "data/0", eight},
		"a tensor of [1073741824] claims 1073741824 elements, and its":     {"data.pkl", dictOf(2, 0, huge, 0), "data/0", eight},
		"is not within its storage, of 2 elements":                         {"data.pkl", dictOf(2, 1, 2, 1), "data/0", eight},
		"with strides [4611686018427387904]":                               {"data.pkl", dictOf(2, 0, 9, 1<<62), "data/0", eight},
		"begins at element -1":                                             {"data.pkl", dictOf(2, -1, 2, 1), "data/0", eight},
		"the extents [-2]":                                                 {"data.pkl", dictOf(2, 0, -2, 1), "data/0", eight},
		"the strides [-1]":                                                 {"data.pkl", dictOf(2, 1, 2, -1), "data/0", eight},
		"the archive has no data/0":                                        {"data.pkl", dictOf(2, 0, 2, 1)},
		"has no data.pkl":                                                  {"data/0", eight},
		"byteorder is \"middle\"":                                          {"data.pkl", dictOf(2, 0, 2, 1), "data/0", eight, "byteorder", "middle"},
		"the pickle is cut off":                                            {"data.pkl", "\x80\x02X\xff\xff\xff\xffabc"},
		"it has no tensors in a dict":                                      {"data.pkl", "\x80\x02}."},
		"the object in it is a list":                                       {"data.pkl", "\x80\x02]."},
		"it takes a value that is not there":                               {"data.pkl", "\x80\x02t."},
		"protocol 9; at most 5 is known":                                   {"data.pkl", "\x80\x09}."},
		"opcode '?' is not one of state dicts":                             {"data.pkl", "?"},
		"two tensors are called \"a.b\"": {"data.pkl", "}(" + text("a.b") + tensorOf(2, 0, 2, 1) + text("a") + "}" + text("b") + tensorOf(2, 0, 2, 1) + "su.",
			"data/0", eight},
	} {
		_, err := pytorch.Open(archived(t, files...))
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "\n")
	}
}

// An archive whose directory claims more than there is, or whose entries are compressed, is refused before anything is read.
func TestEntriesAreWhatTheyClaim(t *testing.T) {
	for want, header := range map[string]*zip.FileHeader{
		"a/data/0 claims 4294967296 bytes, and the file has": {Name: "a/data/0", Method: zip.Store, UncompressedSize64: 4 << 30, CompressedSize64: 8},
		"a/data/0 is compressed":                             {Name: "a/data/0", Method: zip.Deflate, UncompressedSize64: 4 << 30, CompressedSize64: 8},
	} {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		w, err := z.CreateHeader(&zip.FileHeader{Name: "a/data.pkl", Method: zip.Store})
		require.NoError(t, err)
		_, err = w.Write([]byte(dictOf(1<<30, 0, 1<<30, 1)))
		require.NoError(t, err)
		w, err = z.CreateRaw(header)
		require.NoError(t, err)
		_, err = w.Write([]byte(eight))
		require.NoError(t, err)
		require.NoError(t, z.Close())
		require.Less(t, b.Len(), 1<<10)
		_, err = pytorch.Open(write(t, b.Bytes()))
		require.ErrorContains(t, err, want)
	}
}

// A file from before PyTorch 1.6 is held to its size too.
func TestOldFilesAreWhatTheyClaim(t *testing.T) {
	const start = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}."
	eightBytes := func(n uint64) string { return string(binary.LittleEndian.AppendUint64(nil, n)) }
	old := func(claimed int64, keys, storages string) string {
		return start + strings.Replace(dictOf(claimed, 0, claimed, 1), "tQ", "NtQ", 1) + "\x80\x02](" + keys + "e." + storages
	}
	r, err := pytorch.Open(write(t, []byte(old(2, text("0"), eightBytes(2)+eight))))
	require.NoError(t, err)
	require.NoError(t, r.Values("w", make([]byte, 8)))
	require.NoError(t, r.Close())
	for want, file := range map[string]string{
		"storage 0 claims 1073741824 elements of 4 bytes, and the file": old(1<<30, text("0"), eightBytes(1<<30)+eight),
		"storage 0 has 3 elements in one place and 2 in another":        old(2, text("0"), eightBytes(3)+eight),
		"storage 0: the file is truncated":                              old(2, text("0"), eightBytes(2)+eight[:7]),
		"the file has no storage 0":                                     old(2, "", ""),
		"not used, or there twice":                                      old(2, text("0")+text("0"), eightBytes(2)+eight),
		"it is no file of torch.save, or of an unknown version":         strings.Replace(old(2, text("0"), eightBytes(2)+eight), "M\xe9\x03", "M\xe8\x03", 1),
		"which is not supported":                                        strings.Replace(old(2, text("0"), eightBytes(2)+eight), "NtQ", "(ttQ", 1),
	} {
		_, err := pytorch.Open(write(t, []byte(file)))
		require.ErrorContains(t, err, want)
	}
}

// Nothing that a pickle names is called: each is an error that has its name.
func TestNothingIsExecuted(t *testing.T) {
	for want, pickle := range map[string]string{
		"os.system":             "cos\nsystem\n(" + text("touch /tmp/x") + "tR.",
		"posix.system":          "\x80\x04\x8c\x05posix\x8c\x06system\x93" + text("id") + "\x85R.",
		"builtins.eval":         "(" + text("1") + "ibuiltins\neval\n.",
		"torch.load":            "ctorch\nload\n(tR.",
		"builtins.getattr":      "cbuiltins\ngetattr\n(tR.",
		`a\nb.c`:                "\x80\x04\x8c\x03a\nb\x8c\x01c\x93.",
		"collections.Ordered":   "ccollections\nOrdered\n)R.",
		"subprocess.Popen":      "csubprocess\nPopen\n)\x81.",
		"argparse.Namespace":    "cargparse\nNamespace\n)\x81}b.",
		"torch.nn.modules.Conv": "ctorch.nn.modules\nConv\n)\x81}b.",
	} {
		_, err := pytorch.Open(archived(t, "data.pkl", pickle))
		require.ErrorContains(t, err, "wants to call "+want+",")
		require.NotContains(t, err.Error(), "\n")
	}
}

// Dicts that are in each other many times take neither memory nor time without bound.
func TestDictsInEachOtherAreBounded(t *testing.T) {
	pickle := "\x80\x02}q\x00" + text("w") + tensorOf(2, 0, 2, 1) + "s"
	for range 12 { // each has the one before eight times
		pickle += "q\x000}("
		for i := range 8 {
			pickle += text(fmt.Sprint(i)) + "h\x00"
		}
		pickle += "u"
	}
	_, err := pytorch.Open(archived(t, "data.pkl", pickle+".", "data/0", eight))
	require.ErrorContains(t, err, "too many values")
	itself := "}q\x00" + text("model") + "h\x00s."
	_, err = pytorch.Open(archived(t, "data.pkl", itself))
	require.ErrorContains(t, err, "too deep")
	long := text(strings.Repeat("a", 1<<20))
	_, err = pytorch.Open(archived(t, "data.pkl", "}"+long+"}("+strings.Repeat(text("w")+"N", 3)+text("x")+tensorOf(2, 0, 2, 1)+"us.", "data/0", eight))
	require.NoError(t, err)
}

func TestBigEndianFilesAreTurned(t *testing.T) {
	r, err := pytorch.Open(archived(t, "data.pkl", dictOf(2, 0, 2, 1), "data/0", "\x3f\x80\x00\x00\x40\x00\x00\x00", "byteorder", "big"))
	require.NoError(t, err)
	defer r.Close()
	for tensor := range r.Tensors() {
		require.Equal(t, []float64{1, 2}, floats(t, r, tensor, shape.Float32))
	}
}

// Of any half of a file, Open says that it is not whole.
func TestHalfAFileIsAnError(t *testing.T) {
	for _, name := range []string{"net", "legacy"} {
		b, err := os.ReadFile("testdata/" + name + ".pth")
		require.NoError(t, err)
		for n := range len(b) {
			if n > 64 && n%17 != 0 {
				continue
			}
			_, err := pytorch.Open(write(t, b[:n]))
			require.Error(t, err, "%s, %d of %d bytes", name, n, len(b))
			require.NotContains(t, err.Error(), "\n")
		}
	}
}

func TestNamesAndRoomAreChecked(t *testing.T) {
	r, err := pytorch.Open("testdata/types.pth")
	require.NoError(t, err)
	defer r.Close()
	require.ErrorContains(t, r.Values("absent", nil), `there is no tensor "absent"`)
	require.ErrorContains(t, r.Values("float32", make([]byte, 3)), "room for 3 bytes; float32(4,6) has 96")
	require.ErrorContains(t, r.ValuesAs("int64", shape.Float32, make([]byte, 96)), "it is int64(4,6); want float32")
	_, err = pytorch.Open(t.TempDir())
	require.ErrorContains(t, err, "not a regular file")
	_, err = pytorch.Open(write(t, []byte("hello")))
	require.ErrorContains(t, err, "it is no file of torch.save")
}

// FuzzRead holds that no file makes Open panic, and that values are read of what it accepts.
func FuzzRead(f *testing.F) {
	for _, name := range []string{"net", "types", "views", "legacy"} {
		b, err := os.ReadFile("testdata/" + name + ".pth")
		require.NoError(f, err)
		f.Add(b)
	}
	path := filepath.Join(f.TempDir(), "f.pth")
	f.Fuzz(func(t *testing.T, b []byte) {
		require.NoError(t, os.WriteFile(path, b, 0o666))
		requireReadable(t, path)
	})
}

// FuzzPickle is FuzzRead for the pickle in an archive.
func FuzzPickle(f *testing.F) {
	f.Add([]byte(dictOf(2, 0, 2, 1)))
	f.Add([]byte("\x80\x04}\x94(\x8c\x01a" + tensorOf(2, 0, 1, 1) + "\x94I5\nF1.5\nu0h\x00."))
	f.Add([]byte("(lp0\n(dp1\nV\\u1\np2\nL7L\nsg0\na."))
	f.Add([]byte("ccollections\nOrderedDict\n]](" + text("w") + tensorOf(2, 0, 2, 1) + "ea\x85R}b."))
	f.Fuzz(func(t *testing.T, b []byte) {
		requireReadable(t, archived(t, "data.pkl", string(b), "data/0", eight))
	})
}

func requireReadable(t *testing.T, path string) {
	r, err := pytorch.Open(path)
	if err != nil {
		require.NotContains(t, err.Error(), "\n")
		return
	}
	defer r.Close()
	for tensor := range r.Tensors() {
		if tensor.Err() != nil {
			require.Error(t, r.Values(tensor.Name, nil))
			continue
		}
		b := make([]byte, tensor.Type.Bytes())
		if err := r.Values(tensor.Name, b); err != nil {
			require.ErrorContains(t, err, "BOOL element")
		}
	}
}
