package optim_test

import (
	"testing"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/nothing"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{
			"Averaged":   optim.Averaged,
			"AveragedBy": optim.AveragedBy,
			"Averages":   optim.Averages,
			"Kept":       optim.Kept,
			"Late":       optim.Late,
			"Params":     optim.Params,
		},
		Types: []any{
			new(optim.Adam),
			new(optim.AdamW),
			new(optim.Constant),
			new(optim.Cosine),
			new(optim.LAMB),
			new(optim.Lion),
			new(optim.Muon),
			new(optim.OneCycle),
			new(optim.RMSProp),
			new(optim.Recipe),
			new(optim.SGD),
			new(optim.Slot),
			new(optim.Step),
			new(optim.Warmup),
		},
		Good: func() []any {
			g := graph.New()
			w := g.Param("w", shape.F32(4), nil)
			return []any{g, w, []*graph.Node{w}, optim.SGD{LR: .1}}
		},
	})
}
