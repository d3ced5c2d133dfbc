package main

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDiscsAreMarked(t *testing.T) {
	score, err := run(t.Context(), io.Discard, 300)
	require.NoError(t, err)
	require.Greater(t, score, 0.7) // that of marking every pixel is below 0.2
}

func TestOverlapIsIntersectionOverUnion(t *testing.T) {
	p, y := make([]float32, 2*side*side), make([]int32, side*side)
	for i := range 4 { // marked: 0 to 3; discs: 2 to 5
		p[side*side+i], y[2+i] = 1, 1
	}
	require.InDelta(t, 2.0/6, overlap(p, y), 1e-12)
}
