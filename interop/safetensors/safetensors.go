package safetensors

import (
	"fmt"
	"math/bits"
	"slices"

	"github.com/plexaura/plexaura/shape"
)

// File is the content of a file.
type File struct {
	Metadata map[string]string
	Tensors  []Tensor // read in the order of their names; written from any order
}

// Tensor is a named array.
type Tensor struct {
	Name string
	// Type is that of the values, with known extents. It is not Valid where we have no such type,
	// as for F8_E4M3 or an array of nine axes; [Tensor.Err] says why.
	Type shape.Type
	// Stored names the element type of Data where there is no Type.
	Stored string
	// Extents are those of an array that Type cannot describe, nil for others.
	Extents []int64
	Data    []byte // row-major, little-endian; a Bool is one byte, 0 or 1
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

// DType names the element type of t in a file, such as "F32".
func (t Tensor) DType() string {
	if t.Stored != "" {
		return t.Stored
	}
	for _, e := range elementTypes {
		if e.dtype == t.Type.DType && e.dtype != shape.Invalid {
			return e.name
		}
	}
	return ""
}

// Err says why we have no type for the values of t, or returns nil.
func (t Tensor) Err() error {
	e, known := elementTypeOf(t.Stored)
	switch {
	case t.Type.Valid() && t.Type.Concrete():
		return nil
	case t.Stored == "":
		return fmt.Errorf("type %v: want a known element type and numbers as extents", t.Type)
	case !known:
		return fmt.Errorf("element type %.20q is unknown", t.Stored)
	case e.dtype == shape.Invalid:
		return fmt.Errorf("element type %s is not supported", t.Stored)
	case len(t.Extents) > shape.MaxRank:
		return fmt.Errorf("%d axes; at most %d are supported", len(t.Extents), shape.MaxRank)
	}
	return fmt.Errorf("extents %v are too large", t.Extents)
}

// elementType is one of the format's.
type elementType struct {
	name  string
	bits  int         // of an element
	dtype shape.DType // of the values; Invalid where we have none
}

// elementTypes are those of the format. Their order is that of the data, as the reference
// implementation writes it: wide ones first, so that all are aligned.
var elementTypes = []elementType{
	{"U64", 64, shape.Invalid},
	{"I64", 64, shape.Int64},
	{"F64", 64, shape.Float64},
	{"C64", 64, shape.Invalid},
	{"F32", 32, shape.Float32},
	{"U32", 32, shape.Invalid},
	{"I32", 32, shape.Int32},
	{"BF16", 16, shape.BFloat16},
	{"F16", 16, shape.Float16},
	{"U16", 16, shape.Invalid},
	{"I16", 16, shape.Invalid},
	{"F8_E5M2FNUZ", 8, shape.Invalid},
	{"F8_E4M3FNUZ", 8, shape.Invalid},
	{"F8_E8M0", 8, shape.Invalid},
	{"F8_E4M3", 8, shape.Invalid},
	{"F8_E5M2", 8, shape.Invalid},
	{"I8", 8, shape.Int8},
	{"U8", 8, shape.Uint8},
	{"F6_E3M2", 6, shape.Invalid},
	{"F6_E2M3", 6, shape.Invalid},
	{"F4", 4, shape.Invalid},
	{"BOOL", 8, shape.Bool},
}

// ReadsAs reports whether the values of t can be read as elements of type d: that is its own
// type, or float32, which has all numbers of bfloat16 and float16.
func (t Tensor) ReadsAs(d shape.DType) bool {
	own := t.Type.DType
	return d == own || d == shape.Float32 && (own == shape.BFloat16 || own == shape.Float16)
}

// elementTypeOf returns the element type of that name, or false.
func elementTypeOf(name string) (elementType, bool) {
	i := row(name)
	if i == len(elementTypes) {
		return elementType{name: name}, false
	}
	return elementTypes[i], true
}

// row is the place of a name in elementTypes; what is unknown comes last.
func row(name string) int {
	i := slices.IndexFunc(elementTypes, func(e elementType) bool { return e.name == name })
	if i < 0 {
		return len(elementTypes)
	}
	return i
}

// metadataKey is the one name of the header that is not a tensor's.
const metadataKey = "__metadata__"

// maxHeader bounds the header's length as the reference implementation does.
const maxHeader = 100_000_000

// check says what is wrong with t, without its name.
func (t Tensor) check() error {
	e, known := elementTypeOf(t.DType())
	switch {
	case t.Stored == "" && t.Err() != nil:
		return t.Err()
	case !known:
		return nil // nobody knows the size of an element
	case t.Type.DType != shape.Invalid && e.dtype != t.Type.DType:
		return fmt.Errorf("type %v cannot be stored as %s", t.Type, t.Stored)
	}
	want, err := e.size(t.extents())
	if err == nil && want != int64(len(t.Data)) {
		err = fmt.Errorf("%d bytes of data; %s has %d", len(t.Data), t.String(), want)
	}
	return err
}

// String is t's type, and what it is stored as where that is another.
func (t Tensor) String() string {
	_, known := elementTypeOf(t.Stored)
	switch {
	case !t.Type.Valid() && !known:
		return fmt.Sprintf("%.20q%v", t.Stored, t.Extents)
	case !t.Type.Valid():
		return fmt.Sprint(t.Stored, t.Extents)
	case t.Stored != "":
		return fmt.Sprintf("%v as %s", t.Type, t.Stored)
	}
	return t.Type.String()
}

// extents are the extents of t, whatever its type.
func (t Tensor) extents() []int64 {
	if !t.Type.Valid() {
		return t.Extents
	}
	extents := make([]int64, t.Type.Rank())
	for i, n := range t.Type.Ints() {
		extents[i] = int64(n)
	}
	return extents
}

// size is how many bytes an array of such elements has.
func (e elementType) size(extents []int64) (int64, error) {
	n := uint64(e.bits)
	if slices.Contains(extents, 0) {
		n = 0
	}
	for _, extent := range extents {
		if n == 0 {
			break
		}
		high, low := bits.Mul64(n, uint64(extent))
		if extent < 0 || high > 0 || int64(low) < 0 {
			return 0, fmt.Errorf("%s%v is too large", e.name, extents)
		}
		n = low
	}
	if n%8 != 0 {
		return 0, fmt.Errorf("%s%v does not end with a whole byte", e.name, extents)
	}
	return int64(n / 8), nil
}
