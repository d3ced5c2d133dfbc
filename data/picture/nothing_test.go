package picture_test

import (
	"image"
	"testing"

	"github.com/plexaura/plexaura/data/picture"
	"github.com/plexaura/plexaura/internal/nothing"
	"github.com/plexaura/plexaura/shape"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{
			"Extensions":   picture.Extensions,
			"Decode":       picture.Decode,
			"DecodeFile":   picture.DecodeFile,
			"ImageNet":     picture.ImageNet,
			"ParseShorter": picture.ParseShorter,
		},
		Types: []any{
			new(picture.Shorter),
		},
		Good: func() []any {
			return []any{image.NewGray(image.Rect(0, 0, 28, 28)), shape.Of(1, 8, 8)}
		},
	})
}
