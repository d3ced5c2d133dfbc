package vec

import "math"

// power is Map for Pow. The kernel takes positive normal numbers to finite powers, and package math
// the others, one by one, denormals among them.
func (k *Kernels) power(dst, x, y []float32) {
	x, y = x[:len(dst)], y[:len(dst)]
	from := 0
	for i, v := range x {
		if isNormal(v) && isFinite(y[i]) {
			continue
		}
		k.mapAll(Pow, dst[from:i], x[from:i], y[from:i], 0)
		dst[i], from = formulas[Pow](v, y[i], 0), i+1
	}
	k.mapAll(Pow, dst[from:], x[from:], y[from:], 0)
}

// isNormal reports whether v is positive, finite and no denormal.
func isNormal(v float32) bool { return math.Float32bits(v)-0x00800000 < 0x7f000000 }

func isFinite(v float32) bool { return math.Float32bits(v)&0x7f800000 != 0x7f800000 }
