package cifar_test

import (
	"testing"

	"github.com/plexaura/plexaura/data/cifar"
	"github.com/plexaura/plexaura/internal/nothing"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{
			"Info":          cifar.Info,
			"Load10":        cifar.Load10,
			"Load100":       cifar.Load100,
			"Load100Coarse": cifar.Load100Coarse,
		},
		Good: func() []any {
			return []any{}
		},
	})
}
