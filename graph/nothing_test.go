package graph_test

import (
	"errors"
	"testing"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/nothing"
	"github.com/plexaura/plexaura/shape"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{
			"Apply":      graph.Apply,
			"ErrorAt":    graph.ErrorAt,
			"Float":      graph.Float,
			"Format":     graph.Format,
			"Fprint":     graph.Fprint,
			"Inference":  graph.Inference,
			"InTurn":     graph.InTurn,
			"Join":       graph.Join,
			"LastOfEach": graph.LastOfEach,
			"New":        graph.New,
			"Reachable":  graph.Reachable,
			"Transform":  graph.Transform,
			"WithDType":  graph.WithDType,
		},
		Types: []any{
			new(graph.Bits),
			new(graph.Error),
			new(graph.ErrorList),
			new(graph.Fill),
			new(graph.Graph),
			new(graph.Kind),
			new(graph.Node),
			new(graph.Owner),
			new(graph.Pos),
			new(graph.Previous),
		},
		Panics: map[string]string{"Error.Error": "an error that is nil has no text", "Error.Unwrap": "an error that is nil wraps nothing", "Node.In": "which takes the index of an input that there is"},
		Takes:  map[string]string{"Graph.Replay(*graph.Node)": "the good node is a leaf, which has no inputs"},
		Good: func() []any {
			g := graph.New()
			x := g.Input("x", shape.F32(shape.N, 4))
			return []any{g, x, shape.F32(4), g.Param("w", shape.F32(4), nil).Op(), graph.Update{Leaf: g.Leaf("w"), Value: g.Leaf("w")}, errors.New("no"), func() {}}
		},
	})
}
