package safetensors

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/plexaura/plexaura/shape"
)

// View returns the elements of t, which T must be the Go type of: float32 for F16 and BF16. On a
// little-endian machine they share the memory of t.Data where that is aligned, as it is in what
// [Read] returns, and where they are not widened; elsewhere they are a copy: so read them, and
// copy them to change them.
func View[T shape.Elem](t Tensor) ([]T, error) {
	if want := shape.DTypeOf[T](); t.Err() == nil && t.Type.DType != want {
		return nil, fmt.Errorf("safetensors: tensor %q is %v; want %v", t.Name, t, want)
	}
	values, err := view[T](t)
	if err != nil {
		return nil, fmt.Errorf("safetensors: tensor %q: %w", t.Name, err)
	}
	return values, nil
}

func view[T shape.Elem](t Tensor) ([]T, error) {
	if err := t.Err(); err != nil {
		return nil, err
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	p := unsafe.Pointer(unsafe.SliceData(t.Data))
	if littleEndian() && t.width() == t.Type.Width() && uintptr(p)%unsafe.Alignof(*new(T)) == 0 {
		if t.Type.DType == shape.Bool {
			if err := checkBools(t.Data); err != nil {
				return nil, err
			}
		}
		return unsafe.Slice((*T)(p), t.Type.Len()), nil
	}
	values := make([]T, t.Type.Len())
	memory := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), t.Type.Bytes())
	return values, t.decode(memory, t.Data)
}

// Of returns the tensor of the given name, extents and values. On a little-endian machine
// it shares the memory of values: write it before they change. A number of values that
// does not fit s is an error when the tensor is written.
func Of[T shape.Elem](name string, s shape.Shape, values []T) Tensor {
	t := Tensor{Name: name, Type: shape.Type{DType: shape.DTypeOf[T](), Shape: s}}
	if littleEndian() {
		t.Data = unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), len(values)*t.Type.Width())
		return t
	}
	t.Data, _ = binary.Append(nil, binary.LittleEndian, values) // knows every Elem
	return t
}

func littleEndian() bool { return binary.NativeEndian.Uint16([]byte{1, 0}) == 1 }
