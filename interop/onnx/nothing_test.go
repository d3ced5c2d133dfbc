package onnx_test

import (
	"testing"

	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/nothing"
	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{
			"Export":    onnx.Export,
			"FromProto": onnx.FromProto,
			"New":       onnx.New,
			"Operators": onnx.Operators,
			"Read":      onnx.Read,
			"ReadFile":  onnx.ReadFile,
			"WriteFile": onnx.WriteFile,
		},
		Types: []any{
			new(onnx.Dim),
			new(onnx.Input),
			new(onnx.Missing),
			new(onnx.Model),
			new(onnx.Session),
			new(onnx.Tensor),
		},
		Good: func() []any {
			m := read(t, linear())
			g := graph.New()
			return []any{m, nn.Root(g), g.Input("x", shape.F32(shape.N, 2)), ref.Engine{}, session(t, linear()), linear(), &ir.Tensor{Type: ir.Float, Floats: []float32{1}},
				floats(nil, 1), linear().Marshal()}
		},
	})
}
