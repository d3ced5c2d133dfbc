package shape_test

import (
	"testing"

	"github.com/plexaura/plexaura/internal/nothing"
	"github.com/plexaura/plexaura/shape"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{
			"BF16":       shape.BF16,
			"Batch":      shape.Batch,
			"BrainOf":    shape.BrainOf,
			"BrainOf32":  shape.BrainOf32,
			"Broadcast":  shape.Broadcast,
			"DTypeOf":    shape.DTypeOf[float32],
			"DTypes":     shape.DTypes,
			"F16":        shape.F16,
			"F32":        shape.F32,
			"F64":        shape.F64,
			"HalfOf":     shape.HalfOf,
			"HalfOf32":   shape.HalfOf32,
			"I32":        shape.I32,
			"I64":        shape.I64,
			"I8":         shape.I8,
			"Make":       shape.Make,
			"Mask":       shape.Mask,
			"Of":         shape.Of,
			"OfInts":     shape.OfInts,
			"ParseDType": shape.ParseDType,
			"U8":         shape.U8,
		},
		Types: []any{
			new(shape.Brain),
			new(shape.DType),
			new(shape.Dim),
			new(shape.Half),
			new(shape.Shape),
			new(shape.Type),
		},
		Panics: map[string]string{
			"Shape.Dim":  "which takes the number of an axis that there is",
			"Shape.Drop": "which takes the number of an axis that there is",
			"Shape.Int":  "which takes the number of an axis that there is",
			"Shape.With": "which takes the number of an axis that there is",
			"Type.Dim":   "which takes the number of an axis that there is",
			"Type.Drop":  "which takes the number of an axis that there is",
			"Type.Int":   "which takes the number of an axis that there is",
			"Type.With":  "which takes the number of an axis that there is",
		},
		Good: func() []any {
			return []any{shape.N, shape.Of(2, 3), shape.F32(2, 3)}
		},
	})
}
