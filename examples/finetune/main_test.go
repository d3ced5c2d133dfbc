package main

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLearntConvolutionsServeOtherDigits(t *testing.T) {
	accuracy, err := run(t.Context(), io.Discard, 4000)
	require.NoError(t, err)
	require.Greater(t, accuracy[0], 0.8) // chance is 0.2
}
