package main

import (
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRequestsOfManyGoroutinesAreAnsweredRight(t *testing.T) {
	right, err := run(t.Context(), io.Discard, 1000)
	require.NoError(t, err)
	require.Greater(t, right, 0.97)
}

func TestACancelledContextEndsTheRequests(t *testing.T) {
	predictor, err := learn(t.Context())
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	_, err = serve(ctx, predictor, 1<<40)
	require.ErrorIs(t, err, context.Canceled)
}
