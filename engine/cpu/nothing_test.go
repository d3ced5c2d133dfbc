package cpu_test

import (
	"testing"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/internal/nothing"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{
			"AtLevel":   cpu.AtLevel,
			"ExactConv": cpu.ExactConv,
			"New":       cpu.New,
		},
		Types: []any{
			new(cpu.Engine),
		},
		Unheld: []string{"Engine.Bind*", "Engine.Fuses*", "Engine.Share"}, // compilers call them, with types that Infer took
		Good: func() []any {
			e, dense := cpu.New(), tensor.New(tensor.WithShape(2, 3), tensor.WithBacking([]float32{1, 2, 3, 4, 5, 6}))
			return []any{e, &e, tensor.Tensor(dense), 1, cpu.Option(cpu.ExactConv)}
		},
	})
}
