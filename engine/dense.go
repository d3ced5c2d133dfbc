package engine

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/shape"
)

// This file is the only one that knows both our element types and those of gorgonia's tensors.

// DTypeOf returns our name of an element type of gorgonia's, [shape.Invalid] where there is none.
func DTypeOf(d tensor.Dtype) shape.DType {
	switch d {
	case tensor.Float32:
		return shape.Float32
	case tensor.Float64:
		return shape.Float64
	case tensor.Int32:
		return shape.Int32
	case tensor.Int64:
		return shape.Int64
	case tensor.Uint8:
		return shape.Uint8
	case tensor.Bool:
		return shape.Bool
	}
	return shape.Invalid
}

// TensorDType returns gorgonia's name of an element type. The Type in it is nil for
// [shape.Invalid].
func TensorDType(d shape.DType) tensor.Dtype {
	switch d {
	case shape.Float32:
		return tensor.Float32
	case shape.Float64:
		return tensor.Float64
	case shape.Int32:
		return tensor.Int32
	case shape.Int64:
		return tensor.Int64
	case shape.Uint8:
		return tensor.Uint8
	case shape.Bool:
		return tensor.Bool
	}
	return tensor.Dtype{}
}

// BufferOfDense views all the memory of d, in the order it is stored. The element type must be one
// that [DTypeOf] knows, and the memory one that Go may read.
func BufferOfDense(d *tensor.Dense) Buffer {
	switch DTypeOf(d.Dtype()) {
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
	panic(fmt.Sprintf("engine: a tensor of %v has no elements of ours", d.Dtype()))
}

// DenseOf views b as a tensor of shape s, with further options if any.
func DenseOf(s shape.Shape, b Buffer, opts ...tensor.ConsOpt) *tensor.Dense {
	return tensor.New(append([]tensor.ConsOpt{tensor.WithShape(s.Ints()...), tensor.WithBacking(backing(b))}, opts...)...)
}

// backing is the memory of b as a slice.
func backing(b Buffer) any {
	switch b.dt {
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
	case shape.Bool:
		return Slice[bool](b)
	}
	panic(fmt.Sprintf("engine: gorgonia has no tensors of %v", b.dt))
}

// RowMajor reports whether d's elements lie in row-major order without gaps, so that its memory can
// be used as it is.
func RowMajor(d *tensor.Dense) bool {
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

// ReadDense copies d, whatever the order in which it is stored, into dst in row-major order. dst has
// d's element type and as many elements. Strides that lead outside d's memory are an error.
func ReadDense(dst Buffer, d *tensor.Dense) error {
	src := BufferOfDense(d)
	if RowMajor(d) {
		if src.Len() < dst.Len() {
			return fmt.Errorf("tensor of shape %v has %d elements in memory", d.Shape(), src.Len())
		}
		copy(dst.Bytes(), src.Bytes())
		return nil
	}
	dims, strides := d.Shape(), d.Strides()
	if len(dims) != len(strides) || len(dims) > shape.MaxRank {
		return fmt.Errorf("tensor of shape %v has strides %v", dims, strides)
	}
	if !inside(dims, strides, src.Len()) {
		return fmt.Errorf("strides %v of shape %v lead outside the tensor", strides, dims)
	}
	gather(dst.Bytes(), src.Bytes(), dst.DType().Width(), dims, strides)
	return nil
}

// ElementsOf returns d's elements in row-major order: a view where they lie so, a copy where they do
// not.
func ElementsOf(d *tensor.Dense) (Buffer, error) {
	src, n := BufferOfDense(d), d.Shape().TotalSize()
	if RowMajor(d) && src.Len() >= n {
		return BufferAt(src.Bytes(), src.DType(), n), nil
	}
	dst := BufferAt(Aligned(n*src.DType().Width()), src.DType(), n)
	return dst, ReadDense(dst, d)
}

// inside reports whether all elements are among the n in memory.
func inside(dims, strides []int, n int) bool {
	low, high := 0, 0
	for i, d := range dims {
		if d == 0 {
			return true
		}
		low += min(0, (d-1)*strides[i])
		high += max(0, (d-1)*strides[i])
	}
	return low >= 0 && high < n
}

// gather copies elements of width bytes from strided src, in row-major order.
func gather(dst, src []byte, width int, dims, strides []int) {
	var index [shape.MaxRank]int
	at := 0
	for off := 0; off < len(dst); off += width {
		copy(dst[off:off+width], src[at*width:])
		for i := len(dims) - 1; i >= 0; i-- {
			index[i]++
			at += strides[i]
			if index[i] < dims[i] {
				break
			}
			at -= index[i] * strides[i]
			index[i] = 0
		}
	}
}

// AppendFloat32s appends the elements of a tensor as float32 to v, in the order they are stored.
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
