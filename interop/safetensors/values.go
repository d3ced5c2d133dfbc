package safetensors

import (
	"encoding/binary"
	"fmt"
	"slices"
	"unsafe"

	"github.com/plexaura/plexaura/shape"
)

// View returns the elements of t, of which T must be the Go type, or float32 for bfloat16 and
// float16; see [Tensor.ReadsAs]. On a little-endian machine they share the memory of t.Data where
// that is aligned, as it is in what [Read] returns, and where they are not widened; elsewhere they
// are a copy: so read them, and copy them to change them.
func View[T shape.Elem](t Tensor) ([]T, error) {
	if want := shape.DTypeOf[T](); t.Err() == nil && !t.ReadsAs(want) {
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
	as := shape.DTypeOf[T]()
	if littleEndian() && as == t.Type.DType && uintptr(p)%unsafe.Alignof(*new(T)) == 0 {
		if t.Type.DType == shape.Bool {
			if err := checkBools(t.Data); err != nil {
				return nil, err
			}
		}
		return unsafe.Slice((*T)(p), t.Type.Len()), nil
	}
	values := make([]T, t.Type.Len())
	memory := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), t.Type.As(as).Bytes())
	return values, t.Decode(as, memory, t.Data)
}

// Of returns the tensor of the given name, extents and values. On a little-endian machine
// it shares the memory of values: write it before they change. A number of values that
// does not fit s is an error when the tensor is written.
func Of[T shape.Elem](name string, s shape.Shape, values []T) Tensor {
	t := shape.Type{DType: shape.DTypeOf[T](), Shape: s}
	return OfBytes(name, t, unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), len(values)*t.Width()))
}

// OfBytes is [Of] for the memory of values of a type that is known when the program runs: elements
// in the byte order of this machine.
func OfBytes(name string, t shape.Type, memory []byte) Tensor {
	if !littleEndian() {
		memory = reversed(slices.Clone(memory), t.Width())
	}
	return Tensor{Name: name, Type: t, Data: memory}
}

// reversed turns the bytes of each element round.
func reversed(memory []byte, width int) []byte {
	for rest := memory; width > 1 && len(rest) >= width; rest = rest[width:] {
		slices.Reverse(rest[:width])
	}
	return memory
}

func littleEndian() bool { return binary.NativeEndian.Uint16([]byte{1, 0}) == 1 }
