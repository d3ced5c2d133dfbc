package dist

import (
	"encoding/binary"
	"math"
	"unsafe"
)

func putUint64(b []byte, v uint64) []byte { return binary.LittleEndian.AppendUint64(b, v) }
func getUint64(b []byte) uint64           { return binary.LittleEndian.Uint64(b) }

// Bytes returns the memory of v as bytes, in this machine's order, for Exchange, Gather and Broadcast:
// a view, not a copy.
func Bytes[T Float | ~int32 | ~int64 | ~uint16 | ~uint32 | ~uint64](v []T) []byte {
	if len(v) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*int(unsafe.Sizeof(v[0])))
}

// toBFloat16 rounds src to the nearest bfloat16, ties to even; a NaN stays one.
func toBFloat16(dst []uint16, src []float32) {
	dst = dst[:len(src)]
	for i, v := range src {
		dst[i] = bfloat16(math.Float32bits(v))
	}
}

// bfloat16 rounds a float32, given as its bits, to bfloat16.
func bfloat16(bits uint32) uint16 {
	const exponent, quiet = 0x7f80_0000, 0x40
	if bits&^(1<<31) > exponent {
		return uint16(bits>>16) | quiet
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}

// fromBFloat16 widens src.
func fromBFloat16(dst []float32, src []uint16) {
	dst = dst[:len(src)]
	for i, v := range src {
		dst[i] = math.Float32frombits(uint32(v) << 16)
	}
}
