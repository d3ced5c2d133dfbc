package vec

import (
	"github.com/plexaura/plexaura/internal/simd/isa"
)

// turnLimit is the magnitude up to which the kernels of Sin and Cos know where in a turn an angle is.
// Beyond, they are package math's, which reduces any angle (Payne and Hanek).
const turnLimit = 1 << 17

// turn is Map for Sin and Cos.
func (k *Kernels) turn(op Op, dst, x []float32) {
	const piece = 512
	for len(dst) > 0 {
		n := min(len(dst), piece)
		// No square of those is beyond, if their sum is not.
		if k.Dot(x[:n], x[:n]) <= turnLimit*turnLimit {
			k.mapAll(op, dst[:n], x[:n], nil, 0)
		} else {
			k.turnSome(op, dst[:n], x[:n])
		}
		dst, x = dst[n:], x[n:]
	}
}

// turnSome takes angles beyond the limit one by one, and those between them by the kernel.
func (k *Kernels) turnSome(op Op, dst, x []float32) {
	from := 0
	for i, v := range x {
		if -turnLimit <= v && v <= turnLimit {
			continue
		}
		k.mapAll(op, dst[from:i], x[from:i], nil, 0)
		dst[i], from = isa.Flush(formulas[op](v, 0, 0)), i+1
	}
	k.mapAll(op, dst[from:], x[from:], nil, 0)
}
