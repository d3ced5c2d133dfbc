package gorgonia

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/ops"
)

// Refusals are for the tests from outside.
var Refusals = refusals

func TestEveryScalarFunctionIsLowered(t *testing.T) {
	for f := engine.NoFn + 1; int(f) < engine.NumFns; f++ {
		require.NotNil(t, functions[f].lower, f.String())
	}
}

func TestTheTablesAreOfTheCatalogue(t *testing.T) {
	names := map[string]bool{}
	for _, op := range ops.All {
		names[op.Name()] = true
	}
	for name := range rules {
		require.Contains(t, names, name)
		require.NotContains(t, refusals, name)
	}
	for name := range refusals {
		require.Contains(t, names, name)
	}
}
