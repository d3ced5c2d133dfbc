package fashion_test

import (
	"testing"

	"github.com/plexaura/plexaura/data/fashion"
	"github.com/plexaura/plexaura/internal/nothing"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{
			"Info":   fashion.Info,
			"Load":   fashion.Load,
			"Sample": fashion.Sample,
		},
		Good: func() []any {
			return []any{}
		},
	})
}
