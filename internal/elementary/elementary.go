package elementary

import "math"

// Exp returns e to the x.
func Exp(x float64) float64 {
	if 709 < x && x < 710 {
		// x less the first digits of ln 2 is exact; twice the exponential of that, less the others.
		const high, low = 6.93147180369123816490e-01, 1.90821492927058770002e-10
		e := math.Exp(x - high)
		return 2 * (e - e*low)
	}
	return math.Exp(x)
}

// Log returns the natural logarithm of x.
func Log(x float64) float64 {
	if 0 < x && x < 0x1p-1022 {
		return math.Log(x*0x1p54) - 54*math.Ln2
	}
	return math.Log(x)
}
