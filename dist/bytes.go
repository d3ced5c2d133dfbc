package dist

import (
	"unsafe"

	"github.com/plexaura/plexaura/shape"
)

// Bytes returns the memory of v as bytes, in this machine's order, for Exchange, Gather and Broadcast:
// a view, not a copy.
func Bytes[T Float | ~int32 | ~int64 | ~uint16 | ~uint32 | ~uint64](v []T) []byte {
	if len(v) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*int(unsafe.Sizeof(v[0])))
}

// narrow rounds src to the nearest bfloat16, ties to even.
func narrow(dst []shape.Brain, src []float32) {
	dst = dst[:len(src)]
	for i, v := range src {
		dst[i] = shape.BrainOf32(v)
	}
}

func widen(dst []float32, src []shape.Brain) {
	dst = dst[:len(src)]
	for i, v := range src {
		dst[i] = v.Float32()
	}
}
