package simd

import (
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/simd/isa"
)

func TestLevelsAreInOrder(t *testing.T) {
	levels := isa.Levels()
	require.Equal(t, isa.Generic, levels[0])
	require.True(t, slices.IsSorted(levels))
	for _, l := range levels {
		require.Equal(t, l, With(l).Level)
		require.NotContains(t, l.String(), "Level(")
	}
	require.Panics(t, func() { With(isa.Level(9)) })
}

// The variable takes the names of the levels that there are; without it the fastest is taken.
func TestLevelsAreChosenByName(t *testing.T) {
	levels := isa.Levels()
	k, err := choose("")
	require.NoError(t, err)
	require.Equal(t, levels[len(levels)-1], k.Level)
	for i, l := range levels {
		k, err := choose([]string{"generic", "avx2", "avx512"}[i])
		require.NoError(t, err)
		require.Equal(t, l, k.Level)
	}
	for _, name := range []string{"AVX2", "sse", "avx1024", " "} {
		_, err = choose(name)
		require.ErrorContains(t, err, "PLEXAURA_SIMD is \""+name+"\"; this processor has generic")
	}
	k, err = choose(os.Getenv(LevelVariable))
	require.NoError(t, err)
	require.Equal(t, k.Level, Best().Level)
}
