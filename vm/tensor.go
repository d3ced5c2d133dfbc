package vm

import (
	"errors"
	"fmt"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

func typeOf(d *tensor.Dense) (shape.Type, error) {
	if err := readable(d); err != nil {
		return shape.Type{}, err
	}
	t := shape.Type{DType: engine.DTypeOf(d), Shape: shape.OfInts(d.Shape()...)}
	return t, t.Shape.Err()
}

// readable returns an error if d cannot be read.
func readable(d *tensor.Dense) error {
	switch {
	case d == nil:
		return errors.New("no tensor")
	case d.Dtype().Type == nil:
		return errors.New("the tensor is empty: it has no element type")
	case engine.DTypeOf(d) == shape.Invalid:
		return fmt.Errorf("element type %v is not supported", d.Dtype())
	case masked(d):
		return errors.New("masked tensors are not supported")
	case !d.IsNativelyAccessible():
		return errors.New("the tensor's memory cannot be read by Go")
	}
	return nil
}

// masked reports whether d has a mask. The tensor library considers every empty tensor masked.
func masked(d *tensor.Dense) bool { return d.IsMasked() && d.Shape().TotalSize() > 0 }

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

// read copies d, which may have any layout, into dst in row-major order.
func read(dst engine.Buffer, d *tensor.Dense) error {
	src := engine.BufferOfDense(d)
	if engine.IsRowMajor(d) {
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

// Number returns the element of a tensor that has exactly one, such as a loss.
func Number(d *tensor.Dense) (float64, error) {
	t, err := typeOf(d)
	if err != nil {
		return 0, fmt.Errorf("vm: %w", err)
	}
	if t.Len() != 1 {
		return 0, fmt.Errorf("vm: a tensor of shape %v is not one number", t.Shape)
	}
	switch b := engine.BufferOfDense(d); t.DType { // a step reads its loss, and allocates nothing
	case shape.Float32:
		return float64(engine.Slice[float32](b)[0]), nil
	case shape.Float64:
		return engine.Slice[float64](b)[0], nil
	default:
		return engine.Floats(b)[0], nil
	}
}
