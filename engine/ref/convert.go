package ref

import (
	"math"

	"github.com/plexaura/plexaura/shape"
)

// compileCopy returns the loop that converts src to dst's type. Conversion from floating point to
// an integer type rounds towards zero; values out of range become the nearest integer of the type,
// and NaN becomes 0. Conversion to a narrower integer type drops the high bits. True is 1, and
// every nonzero number is true.
func compileCopy(dst, src operand) func(frame) {
	switch dst.dtype {
	case shape.Float32:
		return copyToFloat[float32](dst, src)
	case shape.Float64:
		return copyToFloat[float64](dst, src)
	case shape.Int32:
		return copyToInt[int32](dst, src)
	case shape.Int64:
		return copyToInt[int64](dst, src)
	case shape.Uint8:
		return copyToInt[uint8](dst, src)
	default:
		return copyToBool(dst, src)
	}
}

func copyToFloat[D shape.Float](dst, src operand) func(frame) {
	switch src.dtype {
	case shape.Float32:
		return loop1(dst, src, func(v float32) D { return D(v) })
	case shape.Float64:
		return loop1(dst, src, func(v float64) D { return D(v) })
	case shape.Int32:
		return loop1(dst, src, func(v int32) D { return D(v) })
	case shape.Int64:
		return loop1(dst, src, func(v int64) D { return D(v) })
	case shape.Uint8:
		return loop1(dst, src, func(v uint8) D { return D(v) })
	default:
		return loop1(dst, src, one[D])
	}
}

func copyToInt[D integer](dst, src operand) func(frame) {
	switch src.dtype {
	case shape.Float32:
		return loop1(dst, src, func(v float32) D { return toInt[D](float64(v)) })
	case shape.Float64:
		return loop1(dst, src, toInt[D])
	case shape.Int32:
		return loop1(dst, src, func(v int32) D { return D(v) })
	case shape.Int64:
		return loop1(dst, src, func(v int64) D { return D(v) })
	case shape.Uint8:
		return loop1(dst, src, func(v uint8) D { return D(v) })
	default:
		return loop1(dst, src, one[D])
	}
}

func copyToBool(dst, src operand) func(frame) {
	switch src.dtype {
	case shape.Float32:
		return loop1(dst, src, func(v float32) bool { return v != 0 })
	case shape.Float64:
		return loop1(dst, src, func(v float64) bool { return v != 0 })
	case shape.Int32:
		return loop1(dst, src, func(v int32) bool { return v != 0 })
	case shape.Int64:
		return loop1(dst, src, func(v int64) bool { return v != 0 })
	case shape.Uint8:
		return loop1(dst, src, func(v uint8) bool { return v != 0 })
	default:
		return loop1(dst, src, func(v bool) bool { return v })
	}
}

// one returns 1 if v is true, otherwise 0.
func one[D numeric](v bool) D {
	if v {
		return 1
	}
	return 0
}

// toInt rounds v towards zero, into the range of D.
func toInt[D integer](v float64) D {
	low, high := limits[D]()
	switch {
	case v != v:
		return 0
	case v <= float64(low):
		return low
	case v >= float64(high): // for int64 this is 2^63, one above the range
		return high
	}
	return D(v)
}

// limits returns the smallest and the largest D.
func limits[D integer]() (low, high D) {
	switch any(low).(type) {
	case int32:
		return any(int32(math.MinInt32)).(D), any(int32(math.MaxInt32)).(D)
	case int64:
		return any(int64(math.MinInt64)).(D), any(int64(math.MaxInt64)).(D)
	default:
		return 0, any(uint8(math.MaxUint8)).(D)
	}
}
