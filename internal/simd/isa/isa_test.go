package isa

import (
	"math"
	"slices"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/simd/abi"
)

func TestLevelsBeginWithPlainGo(t *testing.T) {
	levels := Levels()
	require.Equal(t, Generic, levels[0])
	require.True(t, slices.IsSorted(levels))
	require.Equal(t, levels[len(levels)-1], Fastest())
	require.Equal(t, "avx512", AVX512.Variable())
	require.Equal(t, "Level(9)", Level(9).String())
}

func TestQuotientsAreRoundedUp(t *testing.T) {
	for a := -40; a <= 40; a++ {
		for b := 1; b < 9; b++ {
			require.Equal(t, int(math.Ceil(float64(a)/float64(b))), Ceil(a, b), "%d/%d", a, b)
		}
	}
	require.Equal(t, 48, RoundUp(33, 16))
	require.Equal(t, 32, RoundUp(32, 16))
	require.Zero(t, Even(0, 5))
	for n := 1; n < 60; n++ {
		for most := 1; most < 12; most++ {
			part := Even(n, most)
			require.LessOrEqual(t, part, most)
			require.Equal(t, Ceil(n, most), Ceil(n, part), "no more parts than needed")
		}
	}
}

func TestWhatLiesBehindAnEndIsNothing(t *testing.T) {
	v := []float32{1, 2, 3}
	require.Equal(t, []float32{3}, Behind(v, 2))
	require.Empty(t, Behind(v, 3))
	require.Empty(t, Behind(v, 9))
	require.Same(t, &v[2], Elem(v, 2))
	require.Nil(t, Elem(v, 3))
	require.Nil(t, Elem[float32](nil, 0))
}

func TestAlignedMemoryBeginsALine(t *testing.T) {
	v := make([]float32, 100)
	for i := range 2 * Alignment {
		a := Aligned(v[i:])
		require.Zero(t, uintptr(unsafe.Pointer(&a[0]))%64)
		require.Less(t, len(v)-i-len(a), Alignment)
	}
}

func TestDenormalsBecomeZerosOfTheirSign(t *testing.T) {
	for _, sign := range []float32{1, -1} {
		for _, tiny := range []float32{0, math.SmallestNonzeroFloat32, 0x1.fffffcp-127} {
			got := Flush(float32(math.Copysign(float64(tiny), float64(sign))))
			require.Zero(t, got)
			require.Equal(t, sign < 0, math.Signbit(float64(got)))
		}
		require.Equal(t, sign*0x1p-126, Flush(sign*0x1p-126))
		require.Equal(t, float64(sign)*0x1p-1022, Flush(float64(sign)*0x1p-1022))
		require.Zero(t, Flush(float64(sign)*0x1p-1023))
	}
	require.True(t, math.IsNaN(float64(Flush(float32(math.NaN())))))
	s := []float64{0x1p-1060, 1, math.Inf(-1)}
	FlushAll(s)
	require.Equal(t, []float64{0, 1, math.Inf(-1)}, s)
}

func TestTheEpilogueDoesWhatItsFlagsSay(t *testing.T) {
	cols, rows := []float32{10, 20, 30}, []float32{-100, 7}
	for _, c := range []struct {
		flags int
		bias  []float32
		want  []float32
	}{
		{0, nil, []float32{1, -2, 0}},
		{abi.FlagAdd, nil, []float32{6, 3, 5}},
		{abi.FlagReLU, nil, []float32{1, 0, 0}},
		{abi.FlagColBias, cols[:], []float32{11, 18, 30}},
		{abi.FlagRowBias, rows, []float32{8, 5, 7}},
		{abi.FlagAdd | abi.FlagRowBias | abi.FlagReLU, rows, []float32{13, 10, 12}},
	} {
		y, j := []float32{5, 5, 5}, 0
		Finish(y, []float32{1, -2, 0x1p-130}, unsafe.SliceData(c.bias), j, 1, c.flags)
		require.Equal(t, c.want, y, "flags %b", c.flags)
	}
	y := []float32{0}
	Finish(y, []float32{1}, &cols[0], 2, 0, abi.FlagColBias)
	require.Equal(t, []float32{31}, y, "of column 2")
	Finish(y, []float32{float32(math.NaN())}, nil, 0, 0, abi.FlagReLU)
	require.True(t, y[0] != y[0], "a rectifier keeps NaN")
}

// What a product is added to, and its bias, are flushed before, as vector instructions read them.
func TestFinishFlushesWhatItReads(t *testing.T) {
	const denormal, least = float32(0x1p-127), float32(0x1p-126)
	bias := denormal
	for _, flags := range []int{abi.FlagAdd, abi.FlagColBias, abi.FlagRowBias, abi.FlagAdd | abi.FlagColBias | abi.FlagRowBias} {
		c := []float32{denormal}
		Finish(c, []float32{least}, &bias, 0, 0, flags)
		require.Equal(t, least, c[0], flags)
	}
	c := []float32{1}
	Finish(c, []float32{denormal}, nil, 0, 0, 0)
	require.Zero(t, c[0])
}
