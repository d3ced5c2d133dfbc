package imagenet_test

import (
	"testing"

	"github.com/plexaura/plexaura/data/imagenet"
	"github.com/plexaura/plexaura/internal/nothing"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{
			"Classes": imagenet.Classes,
			"Info":    imagenet.Info,
		},
		Good: func() []any {
			return []any{}
		},
	})
}
