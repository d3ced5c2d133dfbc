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
	t := shape.Type{DType: engine.DTypeOf(d.Dtype()), Shape: shape.OfInts(d.Shape()...)}
	return t, t.Shape.Err()
}

// readable says why d cannot be read, or returns nil.
func readable(d *tensor.Dense) error {
	switch {
	case d == nil:
		return errors.New("no tensor")
	case d.Dtype().Type == nil:
		return errors.New("the tensor is empty: it has no element type")
	case engine.DTypeOf(d.Dtype()) == shape.Invalid:
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
