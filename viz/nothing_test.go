package viz_test

import (
	"image"
	"testing"

	"github.com/plexaura/plexaura/internal/nothing"
	"github.com/plexaura/plexaura/viz"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{
			"Diverging": viz.Diverging,
			"Heat":      viz.Heat,
			"Overlay":   viz.Overlay,
			"WritePNG":  viz.WritePNG,
		},
		Types: []any{
			new(viz.Bars),
			new(viz.Confusion),
			new(viz.Curves),
			new(viz.Diagram),
			new(viz.Images),
			new(viz.Mosaic),
			new(viz.Plot),
			new(viz.Scatter),
			new(viz.Tile),
		},
		Good: func() []any {
			return []any{image.NewGray(image.Rect(0, 0, 28, 28)), "x.png"}
		},
	})
}
