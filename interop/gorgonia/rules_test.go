package gorgonia

import (
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/ops"
)

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
	}
}

// The library compares ops by their hash codes.
func TestOpsThatDifferHaveOtherHashCodes(t *testing.T) {
	matrix := func(rows int) *G.Node {
		return G.NewMatrix(G.NewGraph(), G.Float32, G.WithShape(rows, 3), G.WithName("x"))
	}
	seen := map[uint32]string{}
	for _, op := range []custom{
		stopOp(matrix(2)), stopOp(matrix(4)), oneHotOp(matrix(2), 3), oneHotOp(matrix(2), 5), new(lowering).viewOp(matrix(2), []int{3, 2}),
	} {
		require.Empty(t, seen[op.Hashcode()], op.String())
		seen[op.Hashcode()] = op.String()
	}
	require.Contains(t, seen, stopOp(matrix(2)).Hashcode(), "equal ops have the same")
}
