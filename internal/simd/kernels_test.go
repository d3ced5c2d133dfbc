package simd

import (
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/winograd"
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

// A new processor may begin with some rooms: plain Go stands in for the others, and for what does
// not fit the rooms that it builds on.
func TestPlainGoStandsInForARoomWithoutKernels(t *testing.T) {
	k := tableOf(isa.Level(9))
	require.False(t, k.Conv.Vector())
	require.False(t, k.Winograd.Vector())
	require.False(t, k.Interleaved.Vector())
	x := []float32{1, 2, 3}
	require.EqualValues(t, 6, k.Vec.Sum(x))
	require.EqualValues(t, 14, k.Vec.Dot(x, x))

	require.Nil(t, gemm.At(isa.Level(9)))
	for _, l := range isa.Levels()[1:] {
		k := With(l)
		require.True(t, k.Conv.Vector() && k.Winograd.Vector() && k.Interleaved.Vector(), "%v", l)
		require.Nil(t, winograd.At(l, gemm.At(isa.Generic)), "vectors of other lengths than the products'")
	}
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
