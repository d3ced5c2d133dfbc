package main

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheGeneratorFindsTheRing(t *testing.T) {
	begun, err := newGame()
	require.NoError(t, err)
	before, err := begun.look(t.Context())
	require.NoError(t, err)
	require.Less(t, before.near, 0.2)

	after, err := run(t.Context(), io.Discard, 3000)
	require.NoError(t, err)
	require.Greater(t, after.near, 0.5)
	require.GreaterOrEqual(t, after.eighths, 6)
}
