package shape

import "math"

// DType is an element type. The zero DType is Invalid and marks an invalid [Type].
type DType uint8

// The element types. Labels are Int32 or Int64, comparisons Bool, counters Int64, raw images
// Uint8.
//
// BFloat16, Float16 and Int8 are types of storage: values of them are kept, moved and cast, but
// ops compute with none of them; see [DType.HasArithmetic].
const (
	Invalid DType = iota
	Float32
	Float64
	Int32
	Int64
	Uint8
	Bool
	BFloat16 // the upper half of a float32: 8 bits of exponent, 7 of fraction; see [Brain]
	Float16  // binary16 of IEEE 754: 5 bits of exponent, 10 of fraction; see [Half]
	Int8
)

// kind is what the elements of a type stand for.
type kind uint8

const (
	none kind = iota
	floating
	integer
	logical
)

// dtypes is all that is known of the element types. One that is new has a row here, a Go type in
// [Elem] and [DTypeOf], and a row in each table of package engine and its engines, which their
// tests hold to this one.
var dtypes = [...]struct {
	name       string
	width      int // bytes
	kind       kind
	arithmetic bool    // ops compute with it
	gradient   bool    // adjoints have it
	low, high  float64 // the range of whole numbers
}{
	Invalid:  {name: "invalid"},
	Float32:  {name: "float32", width: 4, kind: floating, arithmetic: true, gradient: true},
	Float64:  {name: "float64", width: 8, kind: floating, arithmetic: true, gradient: true},
	Int32:    {name: "int32", width: 4, kind: integer, arithmetic: true, low: math.MinInt32, high: math.MaxInt32},
	Int64:    {name: "int64", width: 8, kind: integer, arithmetic: true, low: math.MinInt64, high: math.MaxInt64 - 1023}, // the greatest float64 below 2^63
	Uint8:    {name: "uint8", width: 1, kind: integer, arithmetic: true, high: math.MaxUint8},
	Bool:     {name: "bool", width: 1, kind: logical, high: 1},
	BFloat16: {name: "bfloat16", width: 2, kind: floating, gradient: true},
	Float16:  {name: "float16", width: 2, kind: floating, gradient: true},
	Int8:     {name: "int8", width: 1, kind: integer, low: math.MinInt8, high: math.MaxInt8},
}

// DTypes returns all element types, without Invalid.
func DTypes() []DType {
	all := make([]DType, 0, len(dtypes)-1)
	for d := range dtypes {
		if d != int(Invalid) {
			all = append(all, DType(d))
		}
	}
	return all
}

// known is d, or Invalid where there is no such type.
func (d DType) known() DType {
	if int(d) >= len(dtypes) {
		return Invalid
	}
	return d
}

// String returns Go's name of the type, or "bfloat16" or "float16".
func (d DType) String() string { return dtypes[d.known()].name }

// Width is the size of one element in bytes, 0 for Invalid.
func (d DType) Width() int { return dtypes[d.known()].width }

// HasArithmetic reports whether ops compute with numbers of type d. Of other types, BFloat16,
// Float16 and Int8 are numbers that are stored, moved, and cast to a type that has arithmetic;
// Bool has logic.
func (d DType) HasArithmetic() bool { return dtypes[d.known()].arithmetic }

// HasGradient reports whether gradients pass through values of type d, whose adjoints have type d
// too: all floating-point types do. Adjoints of a type without arithmetic are added in float32,
// and the sum is rounded to the type.
func (d DType) HasGradient() bool { return dtypes[d.known()].gradient }

// IsFloat reports whether d is a floating-point type that ops compute with: Float32 or Float64.
// Where gradients pass, or what can be stored, are other questions: see [DType.HasGradient] and
// [DType.IsStorage].
func (d DType) IsFloat() bool { return dtypes[d.known()].kind == floating && d.HasArithmetic() }

// IsInt reports whether d is an integer type that ops compute with: Int32, Int64 or Uint8.
func (d DType) IsInt() bool { return dtypes[d.known()].kind == integer && d.HasArithmetic() }

// IsStorage reports whether d is a type of numbers that are only kept, moved and cast: BFloat16,
// Float16 or Int8.
func (d DType) IsStorage() bool {
	k := dtypes[d.known()].kind
	return (k == floating || k == integer) && !d.HasArithmetic()
}

// Holds reports whether an element of type d can stand for the number v: an integer for the
// whole numbers in its range, Bool for 0 and 1, floating point, which rounds, for all.
func (d DType) Holds(v float64) bool {
	t := dtypes[d.known()]
	switch t.kind {
	case none:
		return false
	case floating:
		return true
	}
	return v == math.Trunc(v) && t.low <= v && v <= t.high
}

// ParseDType returns the DType that [DType.String] names, or false.
func ParseDType(name string) (DType, bool) {
	for d, t := range dtypes {
		if t.name == name && d != int(Invalid) {
			return DType(d), true
		}
	}
	return Invalid, false
}

// Float are the Go types of the floating-point DTypes that have arithmetic.
type Float interface{ float32 | float64 }

// Elem are the Go types that a DType can stand for.
type Elem interface {
	float32 | float64 | int32 | int64 | uint8 | bool | Brain | Half | int8
}

// DTypeOf returns the DType of the Go type T.
func DTypeOf[T Elem]() DType {
	var zero T
	switch any(zero).(type) {
	case float32:
		return Float32
	case float64:
		return Float64
	case int32:
		return Int32
	case int64:
		return Int64
	case uint8:
		return Uint8
	case bool:
		return Bool
	case Brain:
		return BFloat16
	case Half:
		return Float16
	default:
		return Int8
	}
}
