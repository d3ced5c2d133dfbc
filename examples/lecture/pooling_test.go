package lecture

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPooling(t *testing.T) {
	b := taught(t, "pooling")
	require.Equal(t, 8., b.value(t, "max 2×2, maps"))
	require.Equal(t, 256., b.value(t, "none, height"))
	require.Equal(t, 128., b.value(t, "mean 2×2, height"))
	require.Equal(t, 64., b.value(t, "max 4×4, width"))
	for _, pool := range pools[1:] {
		for _, shift := range []string{"1 pixel", "2 pixels", "3 pixels"} {
			// The claim: behind pooling a map changes less, also in terms of how much digits
			// differ.
			require.Less(t, b.value(t, shift+", "+pool.name), b.value(t, shift+", none"))
			row := shift + ", share, "
			require.Less(t, b.value(t, row+pool.name), b.value(t, row+"none"))
		}
		// A pooled map still tells digits from each other.
		require.Greater(t, b.value(t, "another digit, "+pool.name), 50.)
	}
	// More pooling, less change; and more shift, more change: the invariance is a slight one.
	require.Less(t, b.value(t, "1 pixel, max 4×4"), b.value(t, "1 pixel, max 2×2"))
	require.Less(t, b.value(t, "1 pixel, max 2×2"), b.value(t, "3 pixels, max 2×2"))
	require.Len(t, b.Figures(), 2)
}

// TestPoolingByLoops holds the graph of the chapter to the definition, on one digit.
func TestPoolingByLoops(t *testing.T) {
	digits, err := someDigits(1)
	require.NoError(t, err)
	maps, err := pooledMaps(t.Context(), digits)
	require.NoError(t, err)
	for p, size := range map[int]int{1: 2, 2: 2, 3: 4, 4: 4} {
		side := digitSide / size
		for at, have := range maps[p][0] {
			m, y, x := at/(side*side), at/side%side, at%side
			greatest, total := math.Inf(-1), 0.
			for i := range size {
				for j := range size {
					v := maps[0][0][(m*digitSide+y*size+i)*digitSide+x*size+j]
					greatest, total = max(greatest, v), total+v
				}
			}
			want := greatest
			if p%2 == 0 {
				want = total / float64(size*size)
			}
			require.InDelta(t, want, have, 1e-12)
		}
	}
}

// TestShiftedDigits: what comes in is black, what remains is the digit, and there and back is where
// it was.
func TestShiftedDigits(t *testing.T) {
	digits, err := someDigits(3)
	require.NoError(t, err)
	for _, d := range digits {
		require.InDelta(t, 0, least(d), 0)
		require.LessOrEqual(t, -least(negated(d)), 1.)
	}
	// These have a pixel of background around them.
	require.Equal(t, digits, shiftedDigits(shiftedDigits(digits, 1, -1), -1, 1))
	moved := shiftedDigits(digits, 1, 2)
	for y := range digitSide - 1 {
		require.Equal(t, digits[0][y*digitSide:(y+1)*digitSide-2], moved[0][(y+1)*digitSide+2:(y+2)*digitSide])
		require.Zero(t, sum(moved[0][y*digitSide:y*digitSide+2]))
	}
	require.Zero(t, sum(moved[0][:digitSide]))
	require.Equal(t, 5., relativeChange([][]float64{{3, 4}}, [][]float64{{3 + 15, 4 + 20}}))
}
