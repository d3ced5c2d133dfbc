package data

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// An example of weight 0 is not drawn, whatever the number.
func TestNumbersOfDraws(t *testing.T) {
	d, err := newDraws([]float64{0, 1, 0, 2, 1, 0}, 6)
	require.NoError(t, err)
	for u, want := range map[float64]int{0: 1, 0x1p-53: 1, .25: 3, .5: 3, .75: 4, 1 - 0x1p-53: 4} {
		require.Equal(t, want, d.at(u), "%v", u)
	}
}
