package engine

import (
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/shape"
)

// The bridge between gorgonia's tensors, which hold what users give and get, and Buffers. No other
// place lists the element types of both. The library has no bfloat16 and float16, but holds
// elements of any Go type: tensors of shape.Brain and shape.Half cross as they are, bit by bit.

// DTypeOf returns the element type of d, [shape.Invalid] where there is none of ours.
func DTypeOf(d *tensor.Dense) shape.DType {
	if d == nil {
		return shape.Invalid
	}
	have := d.Dtype()
	for t := range elements {
		if elements[t].dense == have {
			return shape.DType(t)
		}
	}
	return shape.Invalid
}

// DenseDType returns gorgonia's name of an element type, the zero Dtype for [shape.Invalid]. That
// of [shape.BFloat16] and [shape.Float16] is the one of the Go types [shape.Brain] and
// [shape.Half].
func DenseDType(d shape.DType) tensor.Dtype { return elementOfType(d).dense }

// BufferOfDense views all the memory of d in the order it is stored; see [IsRowMajor]. It is empty
// where [DTypeOf] is [shape.Invalid].
func BufferOfDense(d *tensor.Dense) Buffer {
	t := DTypeOf(d)
	if t == shape.Invalid {
		return Buffer{}
	}
	mem := d.Uint8s() // all bytes, whatever their type
	return Buffer{p: unsafe.Pointer(unsafe.SliceData(mem)), n: len(mem) / t.Width(), dt: t}
}

// DenseOf views b as a tensor of a concrete shape s, whose elements b has in row-major order: it
// panics where it has another number of them. Options, such as tensor.WithEngine, are the tensor
// library's.
func DenseOf(s shape.Shape, b Buffer, opts ...tensor.ConsOpt) *tensor.Dense {
	opts = append(opts, tensor.WithShape(s.Ints()...), tensor.WithBacking(elementOfType(b.DType()).slice(b)))
	return tensor.New(opts...)
}

// Converted returns a copy of d, in row-major order, whose elements have type to: rounded to the
// nearest where that is floating point, as by [shape.BrainOf], true being 1. It is how values of
// float32 become the bfloat16, float16 or int8 that a store keeps, and those become float32 to be
// computed with in Go. What an integer type cannot hold is an error, as is a d that has no element
// type of ours or is a view with strides of its own.
func Converted(d *tensor.Dense, to shape.DType) (*tensor.Dense, error) {
	switch {
	case DTypeOf(d) == shape.Invalid:
		return nil, errors.New("engine: to convert a tensor it must have an element type that shape.DType lists")
	case to.Width() == 0:
		return nil, errors.New("engine: the element type to convert a tensor to is invalid")
	case !IsRowMajor(d):
		return nil, fmt.Errorf("engine: a tensor of shape %v has strides %v; convert its Materialize", d.Shape(), d.Strides())
	}
	s := shape.OfInts(d.Shape()...)
	v := Floats(BufferOfDense(d))
	if i := slices.IndexFunc(v, func(x float64) bool { return !to.Holds(x) }); i >= 0 {
		return nil, fmt.Errorf("engine: element %d is %v, which is no %v", i, v[i], to)
	}
	b := BufferAt(Aligned(len(v)*to.Width()), to, len(v))
	Load(b, v)
	return DenseOf(s, b), nil
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
