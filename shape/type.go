package shape

// Type is the element type and shape of a tensor. Types are comparable. The zero Type is invalid.
type Type struct {
	DType
	Shape
}

// Make returns the type with the given element type and extents.
func Make(d DType, dims ...Dim) Type { return Type{d, Of(dims...)} }

// F32 returns the float32 type with the given extents.
func F32(dims ...Dim) Type { return Make(Float32, dims...) }

// F64 returns the float64 type with the given extents.
func F64(dims ...Dim) Type { return Make(Float64, dims...) }

// I32 returns the int32 type with the given extents.
func I32(dims ...Dim) Type { return Make(Int32, dims...) }

// I64 returns the int64 type with the given extents.
func I64(dims ...Dim) Type { return Make(Int64, dims...) }

// U8 returns the uint8 type with the given extents.
func U8(dims ...Dim) Type { return Make(Uint8, dims...) }

// BF16 returns the bfloat16 type with the given extents.
func BF16(dims ...Dim) Type { return Make(BFloat16, dims...) }

// F16 returns the float16 type with the given extents.
func F16(dims ...Dim) Type { return Make(Float16, dims...) }

// I8 returns the int8 type with the given extents.
func I8(dims ...Dim) Type { return Make(Int8, dims...) }

// Mask returns the bool type with the given extents.
func Mask(dims ...Dim) Type { return Make(Bool, dims...) }

// Valid reports whether t has an element type and valid extents.
func (t Type) Valid() bool { return t.Width() > 0 && t.Shape.Err() == nil }

// At returns t with N = n.
func (t Type) At(n int) Type { return Type{t.DType, t.Shape.At(n)} }

// Bytes returns the size of a concrete type in memory, in bytes.
func (t Type) Bytes() int { return t.Width() * t.Len() }

// Of returns t with another shape.
func (t Type) Of(s Shape) Type { return Type{t.DType, s} }

// As returns t with another element type.
func (t Type) As(d DType) Type { return Type{d, t.Shape} }

// String returns "float32(N,1,28,28)".
func (t Type) String() string { return t.DType.String() + t.Shape.String() }
