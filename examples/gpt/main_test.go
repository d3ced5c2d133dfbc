package main

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSequencesAreSorted(t *testing.T) {
	share, err := run(t.Context(), io.Discard, 3)
	require.NoError(t, err)
	require.Greater(t, share, 0.4) // guessing six digits gets one in a million
}
