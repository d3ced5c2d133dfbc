package parity

import (
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// Dense returns numbers as a tensor of concrete type t.
func Dense(t shape.Type, v []float64) *tensor.Dense {
	b := engine.BufferAt(engine.Aligned(t.Bytes()), t.DType, len(v))
	engine.Load(b, v)
	return tensor.New(tensor.WithShape(t.Ints()...), tensor.WithBacking(elements(b)))
}

// elements returns the memory of b as a slice.
func elements(b engine.Buffer) any {
	switch b.DType() {
	case shape.Float32:
		return engine.Slice[float32](b)
	case shape.Float64:
		return engine.Slice[float64](b)
	case shape.Int32:
		return engine.Slice[int32](b)
	case shape.Int64:
		return engine.Slice[int64](b)
	case shape.Uint8:
		return engine.Slice[uint8](b)
	}
	return engine.Slice[bool](b)
}

// Floats returns the elements of a tensor as numbers, to be read.
func Floats(d *tensor.Dense) []float64 {
	switch v := d.Data().(type) {
	case []float32:
		return engine.Floats(engine.BufferOf(v))
	case []float64:
		return v
	case []int32:
		return engine.Floats(engine.BufferOf(v))
	case []int64:
		return engine.Floats(engine.BufferOf(v))
	case []uint8:
		return engine.Floats(engine.BufferOf(v))
	case []bool:
		return engine.Floats(engine.BufferOf(v))
	case float32:
		return []float64{float64(v)}
	case float64:
		return []float64{v}
	case int32:
		return []float64{float64(v)}
	case int64:
		return []float64{float64(v)}
	case uint8:
		return []float64{float64(v)}
	case bool:
		if v {
			return []float64{1}
		}
	}
	return []float64{0}
}
