package isa

import "math"

// Flush returns x, or the zero of its sign where x is denormal.
func Flush[T Float](x T) T {
	switch x := any(x).(type) {
	case float32:
		return T(Flush32(x))
	case float64:
		if b := math.Float64bits(x); b&(0x7ff<<52) == 0 {
			return T(math.Float64frombits(b & (1 << 63)))
		}
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
