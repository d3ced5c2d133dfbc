package ir_test

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/plexaura/plexaura/interop/onnx/ir"
)

// everything is a model that has every field.
func everything() *ir.Model {
	tensors := []*ir.Tensor{
		{Name: "floats", Dims: []int64{2}, Type: ir.Float, Floats: []float32{1, float32(math.Inf(-1))}},
		{Name: "raw", Dims: []int64{1, 2}, Type: ir.Int16, Raw: []byte{1, 2, 3, 255}, HasRaw: true},
		{Name: "ints", Dims: []int64{3}, Type: ir.Int8, Int32s: []int32{-1, 0, 127}},
		{Name: "longs", Dims: []int64{2}, Type: ir.Int64, Int64s: []int64{math.MinInt64, 7}},
		{Name: "doubles", Type: ir.Double, Doubles: []float64{math.Pi}},
		{Name: "unsigned", Dims: []int64{1}, Type: ir.Uint64, Uint64s: []uint64{math.MaxUint64}},
		{Name: "strings", Dims: []int64{2}, Type: ir.String, Strings: []string{"", "\xff\x00"}},
		{Name: "outside", Dims: []int64{0}, Type: ir.Float, External: []ir.Entry{{"location", "w.bin"}}, Outside: true},
	}
	dims := &ir.Shape{Dims: []ir.Dim{{Value: 0, HasValue: true}, {Param: "N"}, {}}}
	tensor := &ir.Type{Kind: ir.TensorKind, Elem: ir.Float, Shape: dims}
	inner := &ir.Graph{Name: "inner", Outputs: []ir.ValueInfo{{Name: "y"}}}
	attributes := []ir.Attribute{
		{Name: "f", Type: ir.AttributeFloat, Float: float32(math.Copysign(0, -1))},
		{Name: "i", Type: ir.AttributeInt, Int: -5},
		{Name: "s", Type: ir.AttributeString, String: "\xfe"},
		{Name: "t", Type: ir.AttributeTensor, Tensor: tensors[0]},
		{Name: "g", Type: ir.AttributeGraph, Graph: inner},
		{Name: "fs", Type: ir.AttributeFloats, Floats: []float32{0, 1}},
		{Name: "is", Type: ir.AttributeInts, Ints: []int64{0, -1}},
		{Name: "ss", Type: ir.AttributeStrings, Strings: []string{"a", ""}},
		{Name: "ts", Type: ir.AttributeTensors, Tensors: tensors[1:3]},
		{Name: "gs", Type: ir.AttributeGraphs, Graphs: []*ir.Graph{inner, inner}},
		{Name: "tp", Type: ir.AttributeTypeOf, Of: tensor},
		{Name: "sp", Type: ir.AttributeSparse, Sparse: &ir.SparseTensor{Values: tensors[0], Indices: tensors[3], Dims: []int64{4, 4}}},
		{Name: "r", Type: ir.AttributeInt, Ref: "outer"},
	}
	node := &ir.Node{Name: "n", Op: "Op", Domain: "d", Overload: "o", Inputs: []string{"a", "", "b"}, Outputs: []string{"", "y"}, Attributes: attributes}
	return &ir.Model{
		IRVersion: 10, Opsets: []ir.Opset{{"", 27}, {"d", 1}}, Producer: "p", ProducerVersion: "1", Domain: "dom", Version: 3, Doc: "doc",
		Metadata: []ir.Entry{{"k", "v"}, {"", ""}},
		Functions: []*ir.Function{{Name: "Op", Domain: "d", Overload: "o", Inputs: []string{"a"}, Outputs: []string{"y"}, Attributes: []string{"x"},
			Defaults: attributes[:1], Nodes: []*ir.Node{node}, Opsets: []ir.Opset{{"", 18}}}},
		Graph: &ir.Graph{
			Name: "g", Nodes: []*ir.Node{node}, Initializers: tensors, Sparse: []*ir.SparseTensor{{Values: tensors[0], Indices: tensors[3]}},
			Inputs: []ir.ValueInfo{{"a", tensor}, {"b", &ir.Type{Kind: ir.SequenceKind, Of: tensor}}, {"c", &ir.Type{Kind: ir.OptionalKind, Of: tensor}},
				{"d", &ir.Type{Kind: ir.MapKind, Elem: ir.String, Of: tensor}}, {"e", &ir.Type{Kind: ir.SparseKind, Elem: ir.Double}}, {"f", nil}},
			Outputs: []ir.ValueInfo{{"y", &ir.Type{Kind: ir.TensorKind, Elem: ir.Bool, Shape: &ir.Shape{}}}},
			Values:  []ir.ValueInfo{{"z", tensor}},
		},
	}
}

func TestWhatIsWrittenIsReadAsTheSame(t *testing.T) {
	m, err := ir.Unmarshal(everything().Marshal())
	require.NoError(t, err)
	require.Equal(t, everything(), m)
	for _, want := range everything().Graph.Initializers {
		have, err := ir.UnmarshalTensor(want.Marshal())
		require.NoError(t, err)
		require.Equal(t, want, have)
	}
}

func TestUnknownFieldsAreSkipped(t *testing.T) {
	b := everything().Marshal()
	b = append(b, 0xa2, 0x1f, 3, 'a', 'b', 'c', 0xa8, 0x1f, 7, 0xad, 0x1f, 1, 2, 3, 4, 0xa1, 0x1f, 1, 2, 3, 4, 5, 6, 7, 8, 0xab, 0x1f, 0xac, 0x1f)
	m, err := ir.Unmarshal(b)
	require.NoError(t, err)
	require.Equal(t, everything(), m)
}

func TestATruncatedFileIsAnError(t *testing.T) {
	b := everything().Marshal()
	whole := 0
	for n := range len(b) { // fields of the model may be missing; a part of one may not
		m, err := ir.Unmarshal(b[:n])
		if err == nil {
			whole++
			continue
		}
		require.NotContains(t, err.Error(), "\n")
		require.NotNil(t, m)
	}
	require.Less(t, whole, 20)
}

func TestNestingIsBounded(t *testing.T) {
	of := &ir.Type{Kind: ir.TensorKind}
	for range 60 {
		of = &ir.Type{Kind: ir.SequenceKind, Of: of}
	}
	m := &ir.Model{Graph: &ir.Graph{Inputs: []ir.ValueInfo{{"x", of}}}}
	_, err := ir.Unmarshal(m.Marshal())
	require.ErrorContains(t, err, "nested more than 100 deep")
}

func TestEmptyMessagesDoNotFillTheMemory(t *testing.T) {
	var attributes []byte
	for range 1 << 20 {
		attributes = append(attributes, 5<<3|2, 0)
	}
	node := protowire.AppendBytes([]byte{1<<3 | 2}, attributes)
	graph := protowire.AppendBytes([]byte{7<<3 | 2}, node)
	_, err := ir.Unmarshal(graph)
	require.ErrorContains(t, err, "more messages than a network of its size")
}

func TestElementsMustBeAsManyAsTheExtentsSay(t *testing.T) {
	for _, tt := range []struct {
		t    ir.Tensor
		want string
	}{
		{ir.Tensor{Type: ir.Float, Dims: []int64{2}, Floats: []float32{1}}, "1 elements; float[2] has 2"},
		{ir.Tensor{Type: ir.Int32, Dims: []int64{2}, Raw: make([]byte, 7), HasRaw: true}, "7 bytes of data; int32[2] has 8"},
		{ir.Tensor{Type: ir.Int4, Dims: []int64{3}, Raw: make([]byte, 3), HasRaw: true}, "3 bytes of data; int4[3] has 2"},
		{ir.Tensor{Type: ir.Complex64, Dims: []int64{3}, Floats: make([]float32, 3)}, "3 elements; complex64[3] has 6"},
		{ir.Tensor{Type: ir.Float, Dims: []int64{-2}}, "extent -2 is negative"},
		{ir.Tensor{Type: ir.Float, Dims: []int64{1 << 40, 1 << 40}}, "too large"},
		{ir.Tensor{Type: 77}, "element type 77 is unknown"},
		{ir.Tensor{Type: ir.String, HasRaw: true}, "strings cannot be raw"},
		{ir.Tensor{Type: ir.Float, Dims: []int64{0, 1 << 40, 1 << 40}}, ""},
		{ir.Tensor{Type: ir.Float, Outside: true}, "another file"},
	} {
		if err := tt.t.Check(); tt.want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, tt.want)
		}
	}
}

// external writes a model whose only initialiser has its elements where the entries say.
func external(t *testing.T, entries ...ir.Entry) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "model"), 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret"), make([]byte, 64), 0o666))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "model", "w.bin"), []byte{0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0}, 0o666))
	require.NoError(t, os.Symlink(filepath.Join("..", "secret"), filepath.Join(dir, "model", "link")))
	w := &ir.Tensor{Name: "w", Type: ir.Int32, Dims: []int64{2}, Outside: true, External: entries}
	m := &ir.Model{Graph: &ir.Graph{Initializers: []*ir.Tensor{w}}}
	path := filepath.Join(dir, "model", "m.onnx")
	require.NoError(t, os.WriteFile(path, m.Marshal(), 0o666))
	return path
}

func TestElementsAreReadFromFilesBesideTheModel(t *testing.T) {
	m, err := ir.ReadFile(external(t, ir.Entry{"location", "w.bin"}, ir.Entry{"offset", "4"}, ir.Entry{"length", "8"}, ir.Entry{"checksum", "x"}))
	require.NoError(t, err)
	require.Equal(t, []byte{1, 0, 0, 0, 2, 0, 0, 0}, m.Graph.Initializers[0].Raw)
	m, err = ir.ReadFile(external(t, ir.Entry{"location", "w.bin"})) // as many bytes as it has
	require.NoError(t, err)
	require.Equal(t, []byte{0, 0, 0, 0, 1, 0, 0, 0}, m.Graph.Initializers[0].Raw)
}

func TestElementsOutsideOfTheModelsFolderAreRefused(t *testing.T) {
	for _, location := range []string{"../secret", "/etc/passwd", "link", "", "a/../../secret", "..", "."} {
		_, err := ir.ReadFile(external(t, ir.Entry{"location", location}))
		require.ErrorContains(t, err, `tensor "w": external data`, location)
		require.NotContains(t, err.Error(), "\n")
	}
}

func TestElementsBeyondTheFileAreRefused(t *testing.T) {
	for _, at := range [][2]string{{"8", "8"}, {"-4", "8"}, {"13", "0"}, {"0", "4"}, {strconv.Itoa(math.MaxInt64), "8"}, {"0", strconv.Itoa(math.MaxInt64)}, {"x", "8"}} {
		_, err := ir.ReadFile(external(t, ir.Entry{"location", "w.bin"}, ir.Entry{"offset", at[0]}, ir.Entry{"length", at[1]}))
		require.ErrorContains(t, err, `tensor "w": external data`, at)
	}
}

func TestErrorsBeginWithThePath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.onnx")
	_, err := ir.ReadFile(path)
	require.ErrorContains(t, err, path)
	require.NoError(t, os.WriteFile(path, []byte("no protocol buffer"), 0o666))
	_, err = ir.ReadFile(path)
	require.True(t, strings.HasPrefix(err.Error(), path+": "), err)
	_, err = ir.ReadFile(filepath.Dir(path))
	require.ErrorContains(t, err, "not a regular file")
}

// FuzzUnmarshal holds that no file makes the reader panic, and that what it accepts is written and
// read back as the same.
func FuzzUnmarshal(f *testing.F) {
	f.Add(everything().Marshal())
	f.Add([]byte{58, 4, 10, 2, 42, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ir.Unmarshal(b)
		if err != nil {
			require.NotContains(t, err.Error(), "\n")
			return
		}
		if m.Graph != nil {
			for _, tensor := range m.Graph.Initializers {
				_ = tensor.Check()
			}
		}
		again, err := ir.Unmarshal(m.Marshal())
		require.NoError(t, err)
		require.Equal(t, m.Marshal(), again.Marshal())
	})
}
