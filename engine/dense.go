package engine

import (
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/shape"
)

// The bridge between gorgonia's tensors, which hold what users give and get, and Buffers. No other
// place lists the element types of both.

// denseTypes are our element types with gorgonia's names of them.
var denseTypes = []struct {
	ours   shape.DType
	theirs tensor.Dtype
}{
	{shape.Float32, tensor.Float32}, // the most frequent first
	{shape.Int64, tensor.Int64},
	{shape.Float64, tensor.Float64},
	{shape.Int32, tensor.Int32},
	{shape.Uint8, tensor.Uint8},
	{shape.Bool, tensor.Bool},
}

// DTypeOf returns the element type of d, [shape.Invalid] where there is none of ours.
func DTypeOf(d *tensor.Dense) shape.DType {
	if d == nil {
		return shape.Invalid
	}
	have := d.Dtype()
	for _, t := range denseTypes {
		if t.theirs == have {
			return t.ours
		}
	}
	return shape.Invalid
}

// DenseDType returns gorgonia's name of an element type, the zero Dtype for [shape.Invalid].
func DenseDType(d shape.DType) tensor.Dtype {
	for _, t := range denseTypes {
		if t.ours == d {
			return t.theirs
		}
	}
	return tensor.Dtype{}
}

// BufferOfDense views all the memory of d in the order it is stored; see [IsRowMajor]. It is empty
// where [DTypeOf] is [shape.Invalid].
func BufferOfDense(d *tensor.Dense) Buffer {
	switch DTypeOf(d) {
	case shape.Float32:
		return BufferOf(d.Float32s())
	case shape.Float64:
		return BufferOf(d.Float64s())
	case shape.Int32:
		return BufferOf(d.Int32s())
	case shape.Int64:
		return BufferOf(d.Int64s())
	case shape.Uint8:
		return BufferOf(d.Uint8s())
	case shape.Bool:
		return BufferOf(d.Bools())
	}
	return Buffer{}
}

// DenseOf views b as a tensor of a concrete shape s, whose elements b has in row-major order: it
// panics where it has another number of them. Options, such as tensor.WithEngine, are the tensor
// library's.
func DenseOf(s shape.Shape, b Buffer, opts ...tensor.ConsOpt) *tensor.Dense {
	opts = append(opts, tensor.WithShape(s.Ints()...), tensor.WithBacking(backing(b)))
	return tensor.New(opts...)
}

// backing is the slice that b views.
func backing(b Buffer) any {
	switch b.DType() {
	case shape.Float32:
		return Slice[float32](b)
	case shape.Float64:
		return Slice[float64](b)
	case shape.Int32:
		return Slice[int32](b)
	case shape.Int64:
		return Slice[int64](b)
	case shape.Uint8:
		return Slice[uint8](b)
	default:
		return Slice[bool](b)
	}
}

// IsRowMajor reports whether d's elements lie in row-major order without gaps, so that its memory
// can be used as it is. It goes by the strides.
func IsRowMajor(d *tensor.Dense) bool {
	if d == nil {
		return false
	}
	dims, strides := d.Shape(), d.Strides()
	if len(dims) != len(strides) {
		return len(dims) == 0 // a scalar; vectors that are views have both
	}
	want := 1
	for i := len(dims) - 1; i >= 0; i-- {
		if dims[i] != 1 && strides[i] != want {
			return false
		}
		want *= dims[i]
	}
	return true
}

// AppendFloat32s appends the elements of d, as float32 and in the order they are stored, to v.
func AppendFloat32s(v []float32, d *tensor.Dense) []float32 {
	b := BufferOfDense(d)
	if b.DType() == shape.Float32 {
		return append(v, Slice[float32](b)...)
	}
	for _, x := range Floats(b) {
		v = append(v, float32(x))
	}
	return v
}
