package gorgonia_test

import (
	"context"
	"testing"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/nothing"
	"github.com/plexaura/plexaura/interop/gorgonia"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{
			"Lower":      gorgonia.Lower,
			"NewMachine": gorgonia.NewMachine,
		},
		Types: []any{
			new(gorgonia.Machine),
			new(gorgonia.Program),
		},
		Takes: map[string]string{
			"Machine.Close(*gorgonia.Machine)": "nothing is open, so that defer may be put before the error is looked at",
			"Program.Close(*gorgonia.Program)": "nothing is open, so that defer may be put before the error is looked at",
		},
		Good: func() []any {
			g := graph.New()
			x := g.Input("x", shape.F32(2))
			w := g.Param("w", shape.F32(2), nil)
			outs := []*graph.Node{ops.Sum(ops.Mul(x, w))}
			p, err := gorgonia.Lower(outs, 1, w)
			if err != nil {
				panic(err)
			}
			m, err := gorgonia.NewMachine(outs, 1, w)
			if err != nil {
				panic(err)
			}
			return []any{outs, w, p, m, 1, context.Background()}
		},
	})
}
