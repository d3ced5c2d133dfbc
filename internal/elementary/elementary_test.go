package elementary

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// Figures by mpmath 1.3.
func TestEnds(t *testing.T) {
	for x, want := range map[float64]float64{
		709:               8.218407461554972e307,
		709.5:             1.3549863193146328e308,
		709.78:            1.7928227943945155e308,
		709.782712893384:  1.7976931348622732e308,
		-745:              5e-324,
		709.7827128933841: math.Inf(1),
		math.Inf(1):       math.Inf(1),
		math.Inf(-1):      0,
	} {
		got := Exp(x)
		require.True(t, got == want || math.Abs(got-want) <= 2e-16*want, "exp(%v) is %v, not %v", x, got, want)
	}
	for x, want := range map[float64]float64{5e-324: -744.4400719213812, 1e-310: -713.8013788281541, 0: math.Inf(-1), 1: 0} {
		require.Equal(t, want, Log(x))
	}
	require.True(t, math.IsNaN(Exp(math.NaN())) && math.IsNaN(Log(-5e-324)))
}
