package ref_test

import (
	"testing"

	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/internal/nothing"
	"github.com/plexaura/plexaura/shape"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{
			"Binary":     ref.Binary[float32],
			"CompileMap": ref.CompileMap,
			"Unary":      ref.Unary[float32],
		},
		Types: []any{
			new(ref.Engine),
		},
		Unheld: []string{"MapProgram", "Engine.Bind*"}, // compilers call them, with types that Infer took
		Good: func() []any {
			return []any{shape.F32(2, 3), []shape.Type{shape.F32(2, 3)}}
		},
	})
}
