package main

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/autodiff/gradcheck"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

func TestTheGradientOfSnakeIsThatOfFiniteDifferences(t *testing.T) {
	gradcheck.Check(t, func(x ...*graph.Node) *graph.Node { return Snake(x[0]) }, shape.F64(3, 4))
}

func TestSnakeLearnsASine(t *testing.T) {
	errors, err := run(t.Context(), io.Discard, 30)
	require.NoError(t, err)
	require.Less(t, errors[0], 0.02) // that of a constant is 0.5
}
