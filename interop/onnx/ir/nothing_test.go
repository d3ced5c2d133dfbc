package ir_test

import (
	"testing"

	"github.com/plexaura/plexaura/internal/nothing"
	"github.com/plexaura/plexaura/interop/onnx/ir"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{
			"ReadFile":        ir.ReadFile,
			"Unmarshal":       ir.Unmarshal,
			"UnmarshalTensor": ir.UnmarshalTensor,
		},
		Types: []any{
			new(ir.Attribute),
			new(ir.AttributeType),
			new(ir.DataType),
			new(ir.Model),
			new(ir.Tensor),
		},
		Good: func() []any {
			return []any{everything(), everything().Marshal(), &ir.Tensor{Type: ir.Float, Floats: []float32{1}}}
		},
	})
}
