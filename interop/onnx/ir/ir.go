package ir

import (
	"errors"
	"fmt"
	"math/bits"
)

// Model is a ModelProto.
type Model struct {
	IRVersion       int64
	Opsets          []Opset
	Producer        string
	ProducerVersion string
	Domain          string
	Version         int64
	Doc             string
	Graph           *Graph
	Metadata        []Entry
	Functions       []*Function
}

// Opset is an OperatorSetIdProto: the version of the operators of a domain. The empty domain is that
// of the standard.
type Opset struct {
	Domain  string
	Version int64
}

// Entry is a StringStringEntryProto.
type Entry struct{ Key, Value string }

// Graph is a GraphProto. Quantisation annotations and documentation are not kept.
type Graph struct {
	Name         string
	Nodes        []*Node
	Initializers []*Tensor
	Sparse       []*SparseTensor // sparse initialisers
	Inputs       []ValueInfo
	Outputs      []ValueInfo
	Values       []ValueInfo // types of some values in between
}

// Node is a NodeProto. An empty name among the inputs or outputs is one that is left out.
type Node struct {
	Name       string
	Op         string
	Domain     string
	Overload   string
	Inputs     []string
	Outputs    []string
	Attributes []Attribute
}

// AttributeType is the enumeration of that name in onnx.proto.
type AttributeType int32

// The types of attributes.
const (
	AttributeUndefined AttributeType = 0
	AttributeFloat     AttributeType = 1
	AttributeInt       AttributeType = 2
	AttributeString    AttributeType = 3
	AttributeTensor    AttributeType = 4
	AttributeGraph     AttributeType = 5
	AttributeFloats    AttributeType = 6
	AttributeInts      AttributeType = 7
	AttributeStrings   AttributeType = 8
	AttributeTensors   AttributeType = 9
	AttributeGraphs    AttributeType = 10
	AttributeSparse    AttributeType = 11
	AttributeTypeOf    AttributeType = 13
)

// attributeNames are the names of attribute types in errors.
var attributeNames = map[AttributeType]string{
	AttributeUndefined: "no type", AttributeFloat: "a float", AttributeInt: "an int", AttributeString: "a string",
	AttributeTensor: "a tensor", AttributeGraph: "a graph", AttributeFloats: "floats", AttributeInts: "ints",
	AttributeStrings: "strings", AttributeTensors: "tensors", AttributeGraphs: "graphs", AttributeSparse: "a sparse tensor",
	AttributeTypeOf: "a type",
}

// String describes a value of the type, such as "an int".
func (t AttributeType) String() string {
	if name, ok := attributeNames[t]; ok {
		return name
	}
	return fmt.Sprintf("attribute type %d", int32(t))
}

// Attribute is an AttributeProto. Type says which of the fields holds its value; in a function, Ref
// names the attribute of the calling node that it takes its value from.
type Attribute struct {
	Name    string
	Ref     string
	Type    AttributeType
	Float   float32
	Int     int64
	String  string
	Tensor  *Tensor
	Graph   *Graph
	Sparse  *SparseTensor
	Of      *Type // the value of an attribute that is a type
	Floats  []float32
	Ints    []int64
	Strings []string
	Tensors []*Tensor
	Graphs  []*Graph
}

// Function is a FunctionProto: an operator that is defined by nodes.
type Function struct {
	Name       string
	Domain     string
	Overload   string
	Inputs     []string
	Outputs    []string
	Attributes []string    // without a default
	Defaults   []Attribute // with one
	Nodes      []*Node
	Opsets     []Opset
}

// ValueInfo is a ValueInfoProto: the name and type of a value. Type is nil if it is not stated.
type ValueInfo struct {
	Name string
	Type *Type
}

// Kind distinguishes the types of values.
type Kind uint8

// The kinds of types.
const (
	TensorKind Kind = iota + 1
	SequenceKind
	OptionalKind
	MapKind
	SparseKind
)

// Type is a TypeProto.
type Type struct {
	Kind  Kind
	Elem  DataType // of a tensor or sparse tensor; of the keys of a map
	Shape *Shape   // nil if not even the number of axes is known
	Of    *Type    // element of a sequence or optional, value of a map
}

// Shape is a TensorShapeProto.
type Shape struct{ Dims []Dim }

// Dim is the extent of an axis: Value if it has a Value, else known by a name, Param, or not at all.
type Dim struct {
	Value    int64
	HasValue bool
	Param    string
}

// DataType is the element type of a tensor, TensorProto.DataType.
type DataType int32

// The element types.
const (
	Undefined      DataType = 0
	Float          DataType = 1
	Uint8          DataType = 2
	Int8           DataType = 3
	Uint16         DataType = 4
	Int16          DataType = 5
	Int32          DataType = 6
	Int64          DataType = 7
	String         DataType = 8
	Bool           DataType = 9
	Float16        DataType = 10
	Double         DataType = 11
	Uint32         DataType = 12
	Uint64         DataType = 13
	Complex64      DataType = 14
	Complex128     DataType = 15
	BFloat16       DataType = 16
	Float8E4M3FN   DataType = 17
	Float8E4M3FNUZ DataType = 18
	Float8E5M2     DataType = 19
	Float8E5M2FNUZ DataType = 20
	Uint4          DataType = 21
	Int4           DataType = 22
	Float4E2M1     DataType = 23
	Float8E8M0     DataType = 24
	Uint2          DataType = 25
	Int2           DataType = 26
)

// dataTypes have the names of the element types, in lower case as in the operators' documentation,
// and the bits of an element; 0 for strings.
var dataTypes = map[DataType]struct {
	name string
	bits int
}{
	Float: {"float", 32}, Uint8: {"uint8", 8}, Int8: {"int8", 8}, Uint16: {"uint16", 16}, Int16: {"int16", 16},
	Int32: {"int32", 32}, Int64: {"int64", 64}, String: {"string", 0}, Bool: {"bool", 8}, Float16: {"float16", 16},
	Double: {"double", 64}, Uint32: {"uint32", 32}, Uint64: {"uint64", 64}, Complex64: {"complex64", 64},
	Complex128: {"complex128", 128}, BFloat16: {"bfloat16", 16}, Float8E4M3FN: {"float8e4m3fn", 8},
	Float8E4M3FNUZ: {"float8e4m3fnuz", 8}, Float8E5M2: {"float8e5m2", 8}, Float8E5M2FNUZ: {"float8e5m2fnuz", 8},
	Uint4: {"uint4", 4}, Int4: {"int4", 4}, Float4E2M1: {"float4e2m1", 4}, Float8E8M0: {"float8e8m0", 8},
	Uint2: {"uint2", 2}, Int2: {"int2", 2},
}

// String returns the name of the type in the operators' documentation, such as "float" or "int64".
func (d DataType) String() string {
	if t, ok := dataTypes[d]; ok {
		return t.name
	}
	return fmt.Sprintf("element type %d", int32(d))
}

// Known reports whether d is an element type of the standard.
func (d DataType) Known() bool { return dataTypes[d].name != "" }

// Bits is the number of bits of an element: 0 for strings and unknown types. Elements of less than 8
// bits are packed, the first in the low bits.
func (d DataType) Bits() int { return dataTypes[d].bits }

// Tensor is a TensorProto. Its elements are in Raw, little-endian, or in the list for its Type.
type Tensor struct {
	Name    string
	Dims    []int64
	Type    DataType
	Raw     []byte // a view of the file
	HasRaw  bool
	Floats  []float32 // Float, and Complex64 in pairs
	Int32s  []int32   // the types of up to 32 bits; of Float16 and BFloat16 the bits
	Int64s  []int64   // Int64
	Doubles []float64 // Double, and Complex128 in pairs
	Uint64s []uint64  // Uint32 and Uint64
	Strings []string
	// External says where the elements are, if they are in a file beside the model's; see [ReadFile],
	// which puts them into Raw.
	External []Entry
	Outside  bool // the elements are external
}

// SparseTensor is a SparseTensorProto: Values are the elements at Indices of a tensor with extents
// Dims.
type SparseTensor struct {
	Values, Indices *Tensor
	Dims            []int64
}

// Len returns the number of elements of t, or an error if an extent is negative or the number does
// not fit an int64.
func (t *Tensor) Len() (int, error) {
	if t == nil {
		return 0, errNoTensor
	}
	n := uint64(1)
	zero := false
	for _, d := range t.Dims {
		if d < 0 {
			return 0, fmt.Errorf("extent %d is negative", d)
		}
		zero = zero || d == 0
	}
	if zero {
		return 0, nil
	}
	for _, d := range t.Dims {
		high, low := bits.Mul64(n, uint64(d))
		if high > 0 || low > 1<<56 {
			return 0, fmt.Errorf("extents %v are too large", t.Dims)
		}
		n = low
	}
	return int(n), nil
}

var errNoTensor = errors.New("there is no tensor")

// Check returns an error if t does not have the elements that its type and extents ask for. External
// elements that were not read are one.
func (t *Tensor) Check() error {
	n, err := t.Len()
	switch {
	case err != nil:
		return err
	case !t.Type.Known():
		return fmt.Errorf("%v is unknown", t.Type)
	case t.Outside:
		return fmt.Errorf("its elements are in another file, which was not read")
	case t.HasRaw && t.Type == String:
		return fmt.Errorf("strings cannot be raw data")
	case t.HasRaw:
		if want := (uint64(n)*uint64(t.Type.Bits()) + 7) / 8; uint64(len(t.Raw)) != want {
			return fmt.Errorf("%d bytes of data; %v%v has %d", len(t.Raw), t.Type, t.Dims, want)
		}
		return nil
	}
	if have, want := t.listed(), t.listLen(n); have != want {
		return fmt.Errorf("%d elements; %v%v has %d", have, t.Type, t.Dims, want)
	}
	return nil
}

// listed is the number of entries of the list in which the elements of t are.
func (t *Tensor) listed() int {
	switch t.Type {
	case Float, Complex64:
		return len(t.Floats)
	case Double, Complex128:
		return len(t.Doubles)
	case Int64:
		return len(t.Int64s)
	case Uint32, Uint64:
		return len(t.Uint64s)
	case String:
		return len(t.Strings)
	}
	return len(t.Int32s)
}

// listLen is the number of entries for n elements.
func (t *Tensor) listLen(n int) int {
	switch {
	case t.Type == Complex64 || t.Type == Complex128:
		return 2 * n
	case t.Type.Bits() > 0 && t.Type.Bits() < 8: // packed to bytes, one an entry
		return (n*t.Type.Bits() + 7) / 8
	}
	return n
}
