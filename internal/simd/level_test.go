package simd

import (
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLevelsAreInOrder(t *testing.T) {
	levels := Levels()
	require.Equal(t, Generic, levels[0])
	require.True(t, slices.IsSorted(levels))
	for _, l := range levels {
		require.Equal(t, l, With(l).Level())
		require.NotContains(t, l.String(), "Level(")
	}
	require.Panics(t, func() { With(Level(9)) })
}

// The variable takes the names of the levels that there are; without it the fastest is taken.
func TestLevelsAreChosenByName(t *testing.T) {
	levels := Levels()
	k, err := choose("")
	require.NoError(t, err)
	require.Equal(t, levels[len(levels)-1], k.Level())
	for i, l := range levels {
		k, err := choose([]string{"generic", "avx2", "avx512"}[i])
		require.NoError(t, err)
		require.Equal(t, l, k.Level())
	}
	for _, name := range []string{"AVX2", "sse", "avx1024", " "} {
		_, err = choose(name)
		require.ErrorContains(t, err, "PLEXAURA_SIMD is \""+name+"\"; this processor has generic")
	}
	k, err = choose(os.Getenv(LevelVariable))
	require.NoError(t, err)
	require.Equal(t, k.Level(), Best().Level())
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
