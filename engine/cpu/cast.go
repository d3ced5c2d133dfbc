package cpu

import (
	"math"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// cast has the loops between a type and float32.
type cast struct{ widen, narrow func(dst, src operand) action }

// casts are the types that inputs and results of a map of float32 may have. Others are cast by
// ref's loops, as all casts between two of these are.
var casts = map[shape.DType]cast{
	shape.BFloat16: castOf(
		func(dst []float32, src []shape.Brain) {
			for i, v := range src {
				dst[i] = v.Float32()
			}
		},
		func(dst []shape.Brain, src []float32) {
			for i, v := range src {
				dst[i] = shape.BrainOf32(v)
			}
		}),
	shape.Float16: castOf(
		func(dst []float32, src []shape.Half) {
			for i, v := range src {
				dst[i] = v.Float32()
			}
		},
		func(dst []shape.Half, src []float32) {
			for i, v := range src {
				dst[i] = shape.HalfOf32(v)
			}
		}),
	shape.Int8:  castOf(widenIntegers[int8], narrowIntegers[int8](math.MinInt8, math.MaxInt8)),
	shape.Uint8: castOf(widenIntegers[uint8], narrowIntegers[uint8](0, math.MaxUint8)),
}

func castOf[T shape.Elem](widen func([]float32, []T), narrow func([]T, []float32)) cast {
	return cast{
		widen: func(dst, src operand) action {
			return func(f *frame) { widen(floats(f, dst), view[T](f, src)) }
		},
		narrow: func(dst, src operand) action {
			return func(f *frame) { narrow(view[T](f, dst), floats(f, src)) }
		},
	}
}

func widenIntegers[T int8 | uint8](dst []float32, src []T) {
	for i, v := range src {
		dst[i] = float32(v)
	}
}

// narrowIntegers rounds towards zero, into the range, and NaN to 0.
func narrowIntegers[T int8 | uint8](low, high float32) func([]T, []float32) {
	return func(dst []T, src []float32) {
		for i, v := range src {
			if v != v {
				v = 0
			}
			dst[i] = T(min(max(v, low), high))
		}
	}
}

// copies reports whether vectors are copied, or cast, from one type to the other.
func copies(to, from shape.DType) bool {
	if native(to) && native(from) {
		return true
	}
	_, narrow := casts[to]
	_, wide := casts[from]
	return narrow && from == shape.Float32 || wide && to == shape.Float32
}

// castCost is about the time of a cast of a block from a type, in nanoseconds.
func castCost(s engine.Step, from shape.DType) int {
	if s.Fn == engine.Copy && (!native(s.DType) || !native(from)) {
		return block
	}
	return 0
}
