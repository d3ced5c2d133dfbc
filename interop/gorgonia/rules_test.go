package gorgonia

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/ops"
)

// The others go onto kernels of ref, as gorgonia has none of them.
func TestEveryScalarFunctionIsLowered(t *testing.T) {
	ours := []engine.Fn{
		engine.Nearest, engine.Asin, engine.Acos, engine.Atan, engine.Sinh, engine.Cosh, engine.Asinh, engine.Acosh, engine.Atanh, engine.Rem,
		engine.BitAnd, engine.BitOr, engine.BitXor, engine.ShiftLeft, engine.ShiftRight,
	}
	for f := engine.NoFn + 1; int(f) < engine.NumFns; f++ {
		require.Equal(t, slices.Contains(ours, f), functions[f].lower == nil, f.String())
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
	view := func(x *G.Node, dims ...int) custom { return new(lowering).viewOp(x, dims) }
	seen := map[uint32]string{}
	for _, op := range []custom{
		view(matrix(2), 2, 3), view(matrix(2), 3, 2), view(matrix(2), 6), view(matrix(4), 4, 3), new(lowering).poolableOp(matrix(2)), new(lowering).erfOp(matrix(2)),
	} {
		require.Empty(t, seen[op.Hashcode()], op.String())
		seen[op.Hashcode()] = op.String()
	}
	require.Contains(t, seen, view(matrix(2), 3, 2).Hashcode(), "equal ops have the same")
}
