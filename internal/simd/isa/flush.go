package isa

import (
	"math"
	"unsafe"
)

// Flush returns x, or the zero of its sign where x is denormal. It compares, since a switch over types takes longer.
func Flush[T Float](x T) T {
	least := T(0x1p-126)
	if unsafe.Sizeof(x) == 8 {
		least *= 0x1p-896
	}
	if x < least && x > -least {
		return x * 0
	}
	return x
}

// Flush32 is flush for float32, small enough to be compiled in place.
func Flush32(x float32) float32 {
	if b := math.Float32bits(x); b&(0xff<<23) == 0 {
		return math.Float32frombits(b & (1 << 31))
	}
	return x
}

// FlushAll flushes each element of s.
func FlushAll[T Float](s []T) {
	for i, x := range s {
		s[i] = Flush(x)
	}
}
