package imagefolder_test

import (
	"context"
	"testing"

	"github.com/plexaura/plexaura/data/imagefolder"
	"github.com/plexaura/plexaura/internal/nothing"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{
			"Load":  imagefolder.Load,
			"Open":  imagefolder.Open,
			"Split": imagefolder.Split,
		},
		Types: []any{
			new(imagefolder.Folder),
			new(imagefolder.LeftOut),
		},
		Good: func() []any {
			return []any{context.Background()}
		},
	})
}
