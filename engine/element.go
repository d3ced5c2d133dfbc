package engine

import (
	"reflect"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/shape"
)

// element has the functions of an element type that go by its Go type.
type element struct {
	dense  tensor.Dtype            // gorgonia's name of the type
	slice  func(Buffer) any        // the elements, as a slice of their Go type
	load   func(Buffer, []float64) // sets them from numbers
	floats func([]float64, Buffer) // gives them as numbers
}

// elements has a row for each element type.
var elements = [...]element{
	shape.Invalid:  {load: func(Buffer, []float64) {}, floats: func([]float64, Buffer) {}},
	shape.Float32:  elementOf(load[float32], floats[float32]),
	shape.Float64:  elementOf(copied[float64], copied[float64]),
	shape.Int32:    elementOf(load[int32], floats[int32]),
	shape.Int64:    elementOf(load[int64], floats[int64]),
	shape.Uint8:    elementOf(load[uint8], floats[uint8]),
	shape.Bool:     elementOf(by(isTrue), by(oneOf)),
	shape.BFloat16: elementOf(by(shape.BrainOf), by(wide[shape.Brain])),
	shape.Float16:  elementOf(by(shape.HalfOf), by(wide[shape.Half])),
	shape.Int8:     elementOf(load[int8], floats[int8]),
}

func elementOf[T shape.Elem](load func([]T, []float64), floats func([]float64, []T)) element {
	var zero T
	return element{
		dense:  tensor.Dtype{Type: reflect.TypeOf(zero)},
		slice:  func(b Buffer) any { return Slice[T](b) },
		load:   func(b Buffer, v []float64) { load(Slice[T](b), v) },
		floats: func(v []float64, b Buffer) { floats(v, Slice[T](b)) },
	}
}

// elementOfType is the row of d, that of [shape.Invalid] where there is none.
func elementOfType(d shape.DType) *element {
	if int(d) >= len(elements) {
		d = shape.Invalid
	}
	return &elements[d]
}

// Load sets dst, of any element type, from numbers, as far as there are any: Bool takes 0 as
// false.
func Load(dst Buffer, v []float64) { elementOfType(dst.dt).load(dst, v[:min(len(v), dst.n)]) }

// Floats returns b's elements, of any element type, as numbers: true is 1.
func Floats(b Buffer) []float64 {
	v := make([]float64, b.n)
	elementOfType(b.dt).floats(v, b)
	return v
}

// number are the Go types that Go converts to float64 and back.
type number interface {
	float32 | float64 | int32 | int64 | uint8 | int8
}

func load[T number](dst []T, v []float64) {
	for i, x := range v {
		dst[i] = T(x)
	}
}

func floats[T number](v []float64, src []T) {
	for i, x := range src {
		v[i] = float64(x)
	}
}

func copied[T any](dst, src []T) { copy(dst, src) }

// by converts one after the other.
func by[S, D any](f func(S) D) func([]D, []S) {
	return func(dst []D, src []S) {
		for i, x := range src {
			dst[i] = f(x)
		}
	}
}

func isTrue(v float64) bool { return v != 0 }

func oneOf(t bool) float64 {
	if t {
		return 1
	}
	return 0
}

func wide[T interface{ Float32() float32 }](x T) float64 { return float64(x.Float32()) }
