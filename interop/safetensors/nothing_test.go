package safetensors_test

import (
	"bytes"
	"testing"

	"github.com/plexaura/plexaura/internal/nothing"
	"github.com/plexaura/plexaura/interop/safetensors"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{
			"Describe":  safetensors.Describe,
			"Of":        safetensors.Of[float32],
			"OfBytes":   safetensors.OfBytes,
			"Open":      safetensors.Open,
			"Read":      safetensors.Read,
			"ReadFile":  safetensors.ReadFile,
			"View":      safetensors.View[float32],
			"Write":     safetensors.Write,
			"WriteFile": safetensors.WriteFile,
		},
		Types: []any{
			new(safetensors.File),
			new(safetensors.Reader),
			new(safetensors.Tensor),
		},
		Takes: map[string]string{"Reader.Close(*safetensors.Reader)": "nothing is open, so that defer may be put before the error is looked at"},
		Good: func() []any {
			return []any{"", bytes.NewReader(nil)}
		},
	})
}
