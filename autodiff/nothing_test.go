package autodiff_test

import (
	"testing"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/nothing"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{
			"Checkpoint": autodiff.Checkpoint,
			"Connected":  autodiff.Connected,
			"Custom":     autodiff.Custom,
			"Explain":    autodiff.Explain,
			"Grad":       autodiff.Grad,
			"HVP":        autodiff.HVP,
			"JVP":        autodiff.JVP,
			"PerSample":  autodiff.PerSample,
			"VJP":        autodiff.VJP,
		},
		Types: []any{
			new(autodiff.Explanation),
		},
		Good: func() []any {
			g := graph.New()
			x := g.Param("x", shape.F32(4), nil)
			return []any{ops.Sum(ops.Square(x)), []*graph.Node{x}, "name"}
		},
	})
}
