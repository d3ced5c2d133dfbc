package local_test

import (
	"testing"

	"github.com/plexaura/plexaura/dist"
	"github.com/plexaura/plexaura/dist/local"
	"github.com/plexaura/plexaura/internal/nothing"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{"New": local.New, "Run": local.Run},
		Good: func() []any {
			return []any{2, func(dist.Group) error { return nil }}
		},
	})
}
