package shape

import "math"

// DType is an element type. The zero DType is Invalid and marks an invalid [Type].
type DType uint8

// The element types. Float32 and Float64 are differentiable; labels are Int32 or Int64,
// comparisons Bool, counters Int64, raw images Uint8.
const (
	Invalid DType = iota
	Float32
	Float64
	Int32
	Int64
	Uint8
	Bool
)

var dtypes = [...]struct {
	name  string
	width int // bytes
}{
	Invalid: {"invalid", 0},
	Float32: {"float32", 4},
	Float64: {"float64", 8},
	Int32:   {"int32", 4},
	Int64:   {"int64", 8},
	Uint8:   {"uint8", 1},
	Bool:    {"bool", 1},
}

// String returns Go's name of the type.
func (d DType) String() string {
	if int(d) >= len(dtypes) {
		return "invalid"
	}
	return dtypes[d].name
}

// Width is the size of one element in bytes, 0 for Invalid.
func (d DType) Width() int {
	if int(d) >= len(dtypes) {
		return 0
	}
	return dtypes[d].width
}

// IsFloat reports whether d is a floating-point type, the only ones that gradients pass through.
func (d DType) IsFloat() bool { return d == Float32 || d == Float64 }

// IsInt reports whether d is an integer type.
func (d DType) IsInt() bool { return d == Int32 || d == Int64 || d == Uint8 }

// Holds reports whether an element of type d can stand for the number v: an integer for the
// whole numbers in its range, Bool for 0 and 1, floating point, which rounds, for all.
func (d DType) Holds(v float64) bool {
	if d.IsFloat() {
		return true
	}
	var low, high float64
	switch d {
	case Int32:
		low, high = math.MinInt32, math.MaxInt32
	case Int64:
		low, high = math.MinInt64, math.MaxInt64-1023 // the greatest float64 below 2^63
	case Uint8:
		high = math.MaxUint8
	case Bool:
		high = 1
	default:
		return false
	}
	return v == math.Trunc(v) && low <= v && v <= high
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

// Float are the Go types of the floating-point DTypes.
type Float interface{ float32 | float64 }

// Elem are the Go types that a DType can stand for.
type Elem interface {
	float32 | float64 | int32 | int64 | uint8 | bool
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
	default:
		return Bool
	}
}
