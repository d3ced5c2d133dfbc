package ref

import (
	"math"
	"math/bits"
	"unsafe"

	"github.com/plexaura/plexaura/shape"
)

// compileCopy returns the loop that converts src to dst's type. Conversion to a narrower
// floating-point type rounds once, to the nearest, ties to even. Conversion from floating point to
// an integer type rounds towards zero; values out of range become the nearest integer of the type,
// and NaN becomes 0. Conversion to a narrower integer type drops the high bits. True is 1, and
// every nonzero number is true. A copy within a type keeps all bits.
func compileCopy(dst, src operand) func(frame) {
	if dst.dtype == src.dtype {
		return copyBits(dst, src)
	}
	return targets[dst.dtype].copy(dst, src)
}

// fill sets a register to a number, converted to its type.
func fill(o operand, v float64) func(frame) { return targets[o.dtype].fill(o, v) }

// target is how elements of a type are made. All other types convert to these three without loss.
type target[D shape.Elem] struct {
	from32  func(float32) D
	from64  func(float64) D
	fromInt func(int64) D
}

// conversions are those to a type.
type conversions struct {
	copy func(dst, src operand) func(frame)
	fill func(o operand, v float64) func(frame)
}

// targets has a row for each element type.
var targets = [...]conversions{
	shape.Float32:  conversionsTo(toFloat[float32]()),
	shape.Float64:  conversionsTo(toFloat[float64]()),
	shape.Int32:    conversionsTo(toInteger[int32]()),
	shape.Int64:    conversionsTo(toInteger[int64]()),
	shape.Uint8:    conversionsTo(toInteger[uint8]()),
	shape.Bool:     conversionsTo(target[bool]{isNot0[float32], isNot0[float64], isNot0[int64]}),
	shape.BFloat16: conversionsTo(toHalf(shape.BrainOf32, shape.BrainOf)),
	shape.Float16:  conversionsTo(toHalf(shape.HalfOf32, shape.HalfOf)),
	shape.Int8:     conversionsTo(toInteger[int8]()),
}

func conversionsTo[D shape.Elem](t target[D]) conversions {
	return conversions{
		copy: func(dst, src operand) func(frame) { return copyTo(t, dst, src) },
		fill: func(o operand, v float64) func(frame) { return fillWith(o, t.from64(v)) },
	}
}

func copyTo[D shape.Elem](t target[D], dst, src operand) func(frame) {
	switch src.dtype {
	case shape.Float32:
		return loop1(dst, src, t.from32)
	case shape.Float64:
		return loop1(dst, src, t.from64)
	case shape.Int32:
		return loopInt[int32](dst, src, t.fromInt)
	case shape.Int64:
		return loop1(dst, src, t.fromInt)
	case shape.Uint8:
		return loopInt[uint8](dst, src, t.fromInt)
	case shape.Bool:
		return loop1(dst, src, func(v bool) D { return t.fromInt(one(v)) })
	case shape.BFloat16:
		return loop1(dst, src, func(v shape.Brain) D { return t.from32(v.Float32()) })
	case shape.Float16:
		return loop1(dst, src, func(v shape.Half) D { return t.from32(v.Float32()) })
	case shape.Int8:
		return loopInt[int8](dst, src, t.fromInt)
	}
	return nil
}

// loopInt is loop1 by way of int64.
func loopInt[S integer, D shape.Elem](dst, src operand, fn func(int64) D) func(frame) {
	return func(f frame) {
		to := view[D](f, dst)
		for i, v := range view[S](f, src) {
			to[i] = fn(int64(v))
		}
	}
}

func copyBits(dst, src operand) func(frame) {
	return func(f frame) { copy(f.buffer(dst).Bytes(), f.buffer(src).Bytes()) }
}

func toFloat[D shape.Float]() target[D] {
	return target[D]{
		func(v float32) D { return D(v) }, func(v float64) D { return D(v) }, func(v int64) D { return D(v) },
	}
}

func toInteger[D integer]() target[D] {
	low, high := limits[D]()
	return target[D]{
		func(v float32) D { return toInt(float64(v), low, high) },
		func(v float64) D { return toInt(v, low, high) },
		func(v int64) D { return D(v) },
	}
}

func toHalf[D shape.Brain | shape.Half](of32 func(float32) D, of64 func(float64) D) target[D] {
	return target[D]{of32, of64, func(v int64) D { return of64(intToOdd(v)) }}
}

func isNot0[T numeric](v T) bool { return v != 0 }

// one returns 1 if v is true, otherwise 0.
func one(v bool) int64 {
	if v {
		return 1
	}
	return 0
}

// intToOdd returns v as a float64 whose last bit is set where bits of v were cut off, so that
// rounding it to some fewer bits rounds v once.
func intToOdd(v int64) float64 {
	size := uint64(v)
	if v < 0 {
		size = -size
	}
	if excess := bits.Len64(size) - 53; excess > 0 {
		cut := size & (1<<excess - 1)
		if size -= cut; cut != 0 {
			size |= 1 << excess
		}
	}
	return math.Copysign(float64(size), float64(v))
}

// toInt rounds v towards zero, into the range from low to high.
func toInt[D integer](v float64, low, high D) D {
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
	ones := ^D(0)
	if ones > 0 {
		return 0, ones
	}
	low = 1 << (8*unsafe.Sizeof(low) - 1)
	return low, ^low
}
