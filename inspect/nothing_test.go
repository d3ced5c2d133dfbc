package inspect_test

import (
	"context"
	"testing"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/inspect"
	"github.com/plexaura/plexaura/internal/nothing"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	ds := dataset(t, 3)
	n := network(t, small(nn.ReLU{}, nn.MaxPool2D{Kernel: 2}), 1, 8, 8)
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{
			"Deconvnet":    inspect.Deconvnet,
			"Example":      inspect.Example,
			"GradCAM":      inspect.GradCAM,
			"New":          inspect.New,
			"NewHistogram": inspect.NewHistogram,
			"PCA":          inspect.PCA,
			"Saliency":     inspect.Saliency,
			"Score":        inspect.Score,
			"TSNE":         inspect.TSNE,
			"Trained":      inspect.Trained,
		},
		Types: []any{new(inspect.Network), new(inspect.Map), new(inspect.Survey)},
		Good: func() []any {
			g := graph.New()
			x := g.Input("x", shape.F32(shape.N, 1, 8, 8))
			good := []any{
				n, n.Convolutions()[0], n.Layers(), ops.Sum(x), []*graph.Node{x}, noise(1, 64), []int{0}, ref.Engine{},
				inspect.Window{Size: 2, Stride: 2}, [][]inspect.Peak{{{}}}, &inspect.Survey{Classes: []int{0}, Predicted: []int{1}, Probability: []float32{1}},
				context.Background(),
			}
			return append(good, any(ds).(data.Dataset))
		},
	})
}
