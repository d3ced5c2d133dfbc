package simd

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLevelsAreInOrderAndBestIsTheLast(t *testing.T) {
	levels := Levels()
	require.Equal(t, Generic, levels[0])
	require.True(t, slices.IsSorted(levels))
	require.Equal(t, levels[len(levels)-1], Best().Level())
	for _, l := range levels {
		require.Equal(t, l, With(l).Level())
		require.NotContains(t, l.String(), "Level(")
	}
	require.Panics(t, func() { With(Level(9)) })
}

// TestTablesAreComplete catches an operation that a level forgot.
func TestTablesAreComplete(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		for op := range opCount {
			require.NotNil(t, k.maps[op], op)
			require.NotContains(t, op.String(), "Op(")
		}
		require.LessOrEqual(t, k.convVecs, maxConvVecs)
		require.Positive(t, k.FMALoop(1))
	})
	c := cacheSizes()
	require.Less(t, c.l1, c.l2)
	require.LessOrEqual(t, 8<<10, c.l1)
}
