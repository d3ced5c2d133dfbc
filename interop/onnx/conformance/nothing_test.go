package conformance_test

import (
	"testing"

	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/internal/nothing"
	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/interop/onnx/conformance"
	"github.com/plexaura/plexaura/interop/onnx/ir"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, 2)
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{
			"Compare": conformance.Compare,
			"Passed":  conformance.Passed,
			"Run":     conformance.Run,
		},
		Types: []any{new(conformance.Result)},
		Good: func() []any {
			return []any{t.Context(), dir, conformance.Options{Engine: ref.Engine{}}, &onnx.Tensor{Type: ir.Float, Data: []float32{1}}}
		},
	})
}
