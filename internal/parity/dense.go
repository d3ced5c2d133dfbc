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
	return engine.DenseOf(t.Shape, b)
}

// Floats returns the elements of a tensor as numbers, to be read.
func Floats(d *tensor.Dense) []float64 { return engine.Floats(engine.BufferOfDense(d)) }
