package vec

import "math"

// powerLen is how many powers are computed at a time, if all are of ordinary numbers: few enough to stay in the
// first-level cache in between.
const powerLen = 1024

// power is Map for Pow. The kernel takes positive normal numbers to finite powers, and package math
// the others, one by one, denormals among them.
func (k *Kernels) power(dst, x, y []float32) {
	x, y = x[:len(dst)], y[:len(dst)]
	for len(dst) > 0 {
		n := min(len(dst), powerLen)
		if _, ordinary := k.ordinary(n, &x[0], &y[0]); ordinary == float32(n) {
			k.mapAll(Pow, dst[:n], x, y, 0)
		} else {
			k.somePowers(dst[:n], x, y)
		}
		dst, x, y = dst[n:], x[n:], y[n:]
	}
}

// somePowers is power where not all numbers are ordinary.
func (k *Kernels) somePowers(dst, x, y []float32) {
	from := 0
	for i := range dst {
		if v := x[i]; !isOrdinary(v, y[i]) {
			k.mapAll(Pow, dst[from:i], x[from:], y[from:], 0)
			dst[i], from = formulas[Pow](v, y[i], 0), i+1
		}
	}
	k.mapAll(Pow, dst[from:], x[from:], y[from:], 0)
}

// isOrdinary reports whether x is positive, finite and no denormal, and y is finite.
func isOrdinary(x, y float32) bool {
	return math.Float32bits(x)-0x00800000 < 0x7f000000 && math.Float32bits(y)&0x7f800000 != 0x7f800000
}
