package vm

import (
	"errors"
	"fmt"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// dtypes maps gorgonia's element types to ours.
var dtypes = map[tensor.Dtype]shape.DType{
	tensor.Float32: shape.Float32,
	tensor.Float64: shape.Float64,
	tensor.Int32:   shape.Int32,
	tensor.Int64:   shape.Int64,
	tensor.Uint8:   shape.Uint8,
	tensor.Bool:    shape.Bool,
}

// dtypeOf returns our name of d's element type, Invalid where there is none.
func dtypeOf(d *tensor.Dense) shape.DType {
	switch d.Dtype() { // no map look-up on the way of every run
	case tensor.Float32:
		return shape.Float32
	case tensor.Float64:
		return shape.Float64
	case tensor.Int64:
		return shape.Int64
	}
	return dtypes[d.Dtype()]
}

func typeOf(d *tensor.Dense) (shape.Type, error) {
	if err := readable(d); err != nil {
		return shape.Type{}, err
	}
	t := shape.Type{DType: dtypeOf(d), Shape: shape.OfInts(d.Shape()...)}
	return t, t.Shape.Err()
}

// readable says why d cannot be read, or returns nil.
func readable(d *tensor.Dense) error {
	switch {
	case d == nil:
		return errors.New("no tensor")
	case d.Dtype().Type == nil:
		return errors.New("the tensor is empty: it has no element type")
	case dtypeOf(d) == shape.Invalid:
		return fmt.Errorf("element type %v is not supported", d.Dtype())
	case masked(d):
		return errors.New("masked tensors are not supported")
	case !d.IsNativelyAccessible():
		return errors.New("the tensor's memory cannot be read by Go")
	}
	return nil
}

// masked tells tensors with a mask; the library takes every empty one for masked.
func masked(d *tensor.Dense) bool { return d.IsMasked() && d.Shape().TotalSize() > 0 }

// memoryOf views all the memory of d, in the order it is stored.
func memoryOf(d *tensor.Dense) engine.Buffer {
	switch dtypeOf(d) {
	case shape.Float32:
		return engine.BufferOf(d.Float32s())
	case shape.Float64:
		return engine.BufferOf(d.Float64s())
	case shape.Int32:
		return engine.BufferOf(d.Int32s())
	case shape.Int64:
		return engine.BufferOf(d.Int64s())
	case shape.Uint8:
		return engine.BufferOf(d.Uint8s())
	default:
		return engine.BufferOf(d.Bools())
	}
}

// hasShape reports whether s is d's shape.
func hasShape(d *tensor.Dense, s shape.Shape) bool {
	dims := d.Shape()
	if len(dims) != s.Rank() {
		return false
	}
	for i, n := range dims {
		if s.Int(i) != n {
			return false
		}
	}
	return true
}

// isRowMajor reports whether d's elements lie in row-major order without gaps, so that its
// memory can be used as it is.
func isRowMajor(d *tensor.Dense) bool {
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

// read copies d, whatever its layout, into dst in row-major order.
func read(dst engine.Buffer, d *tensor.Dense) error {
	src := memoryOf(d)
	if isRowMajor(d) {
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
	copyStrided(dst.Bytes(), src.Bytes(), dst.DType().Width(), dims, strides)
	return nil
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

// copyStrided copies elements of width bytes from strided src, in row-major order.
func copyStrided(dst, src []byte, width int, dims, strides []int) {
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

// dense views b as a tensor.
func dense(s shape.Shape, b engine.Buffer) *tensor.Dense {
	opts := []tensor.ConsOpt{tensor.WithShape(s.Ints()...), nil}
	switch b.DType() {
	case shape.Float32:
		opts[1] = tensor.WithBacking(engine.Slice[float32](b))
	case shape.Float64:
		opts[1] = tensor.WithBacking(engine.Slice[float64](b))
	case shape.Int32:
		opts[1] = tensor.WithBacking(engine.Slice[int32](b))
	case shape.Int64:
		opts[1] = tensor.WithBacking(engine.Slice[int64](b))
	case shape.Uint8:
		opts[1] = tensor.WithBacking(engine.Slice[uint8](b))
	case shape.Bool:
		opts[1] = tensor.WithBacking(engine.Slice[bool](b))
	}
	return tensor.New(opts...)
}

// Number returns the element of a tensor that has just one, such as a loss.
func Number(d *tensor.Dense) (float64, error) {
	t, err := typeOf(d)
	if err != nil {
		return 0, fmt.Errorf("vm: %w", err)
	}
	if t.Len() != 1 {
		return 0, fmt.Errorf("vm: a tensor of shape %v is not one number", t.Shape)
	}
	return engine.Floats(memoryOf(d))[0], nil
}
