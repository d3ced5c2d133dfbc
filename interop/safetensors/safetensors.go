package safetensors

import (
	"fmt"

	"github.com/plexaura/plexaura/shape"
)

// File is the content of a file.
type File struct {
	Metadata map[string]string
	Tensors  []Tensor // read in the order of their names; written from any order
}

// Tensor is a named array. Its type has known extents.
type Tensor struct {
	Name string
	Type shape.Type
	Data []byte // row-major, little-endian; a Bool is one byte, 0 or 1
}

// Tensor returns the tensor of the given name, or false.
func (f File) Tensor(name string) (Tensor, bool) {
	for _, t := range f.Tensors {
		if t.Name == name {
			return t, true
		}
	}
	return Tensor{}, false
}

// dtypes are the element types and their names in a file. Their order is that of the data,
// as the reference implementation writes it: wide ones first, so that all are aligned.
var dtypes = []struct {
	name  string
	dtype shape.DType
}{
	{"I64", shape.Int64},
	{"F64", shape.Float64},
	{"F32", shape.Float32},
	{"I32", shape.Int32},
	{"U8", shape.Uint8},
	{"BOOL", shape.Bool},
}

// foreign are the element types that the format has and we have not.
var foreign = []string{
	"F16", "BF16", "I8", "I16", "U16", "U32", "U64", "C64",
	"F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "F6_E2M3", "F6_E3M2", "F4",
}

// metadataKey is the one name of the header that is not a tensor's.
const metadataKey = "__metadata__"

// maxHeader bounds the header's length as the reference implementation does.
const maxHeader = 100_000_000

// check says what is wrong with t, without its name.
func (t Tensor) check() error {
	if !t.Type.Valid() || !t.Type.Concrete() {
		return fmt.Errorf("type %v: want a known element type and numbers as extents", t.Type)
	}
	size, err := t.Type.Size()
	if err != nil {
		return err
	}
	if want := int64(size) * int64(t.Type.Width()); want != int64(len(t.Data)) {
		return fmt.Errorf("%d bytes of data; %v has %d", len(t.Data), t.Type, want)
	}
	if t.Type.DType != shape.Bool {
		return nil
	}
	for i, b := range t.Data {
		if b > 1 {
			return fmt.Errorf("BOOL element %d is %d; want 0 or 1", i, b)
		}
	}
	return nil
}
