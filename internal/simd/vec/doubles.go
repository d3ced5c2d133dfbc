package vec

import (
	"math"
	"unsafe"

	"github.com/plexaura/plexaura/internal/elementary"
	"github.com/plexaura/plexaura/internal/simd/isa"
)

// mapFunc64 is mapFunc for float64.
type mapFunc64 func(n int, dst, x, y *float64, c float64) (csr uint32)

// Map64 is [Kernels.Map] for float64. Denormals are computed with, and NaN propagates, as in package
// math. Of the functions that are not exact, Exp is within 1 ulp, Log 1, Sigmoid 2, Tanh 2 and Erf 1.5;
// Log1p, Expm1, Sin, Cos, Pow and Sign are plain Go at every level.
// GELU and GELUGrad, in which a small number may be a difference of large ones, are within 4e-16 of |x|, and of
// |y|*(1+|x|). The other activations are of float32 only.
func (k *Kernels) Map64(op Op, dst, x, y []float64, c float64) {
	f := k.maps64[op]
	if f == nil {
		f = maps64Go[op]
	}
	x = x[:len(dst)]
	if op.Operands() < 2 {
		y = x
	}
	y = y[:len(dst)]
	for len(dst) > 0 {
		n := min(len(dst), isa.CallLen)
		f(n, &dst[0], &x[0], &y[0], c)
		dst, x, y = dst[n:], x[n:], y[n:]
	}
}

// Sum64 is [Kernels.Sum] for float64.
func (k *Kernels) Sum64(x []float64) (total float64) {
	for len(x) > 0 {
		n := min(len(x), isa.CallLen)
		_, part := k.sum64(n, &x[0], &x[0])
		total += part
		x = x[n:]
	}
	return total
}

// formulas64 are the definitions of the functions of float64.
var formulas64 = [opCount64]func(x, y, c float64) float64{
	Add:      func(x, y, _ float64) float64 { return x + y },
	AddC:     func(x, _, c float64) float64 { return x + c },
	Sub:      func(x, y, _ float64) float64 { return x - y },
	SubR:     func(x, _, c float64) float64 { return c - x },
	Mul:      func(x, y, _ float64) float64 { return x * y },
	MulC:     func(x, _, c float64) float64 { return x * c },
	Div:      func(x, y, _ float64) float64 { return x / y },
	DivC:     func(x, _, c float64) float64 { return x / c },
	DivR:     func(x, _, c float64) float64 { return c / x },
	Max:      func(x, y, _ float64) float64 { return max(x, y) },
	MaxC:     func(x, _, c float64) float64 { return max(x, c) },
	Min:      func(x, y, _ float64) float64 { return min(x, y) },
	MinC:     func(x, _, c float64) float64 { return min(x, c) },
	Neg:      func(x, _, _ float64) float64 { return -x },
	Abs:      func(x, _, _ float64) float64 { return math.Abs(x) },
	Sqrt:     func(x, _, _ float64) float64 { return math.Sqrt(x) },
	Exp:      func(x, _, _ float64) float64 { return elementary.Exp(x) },
	Log:      func(x, _, _ float64) float64 { return elementary.Log(x) },
	Tanh:     func(x, _, _ float64) float64 { return math.Tanh(x) },
	Sigmoid:  func(x, _, _ float64) float64 { return sigmoid64(x) },
	Log1p:    func(x, _, _ float64) float64 { return math.Log1p(x) },
	Expm1:    func(x, _, _ float64) float64 { return math.Expm1(x) },
	Erf:      func(x, _, _ float64) float64 { return math.Erf(x) },
	Sin:      func(x, _, _ float64) float64 { return math.Sin(x) },
	Cos:      func(x, _, _ float64) float64 { return math.Cos(x) },
	Floor:    func(x, _, _ float64) float64 { return math.Floor(x) },
	Round:    func(x, _, _ float64) float64 { return math.RoundToEven(x) },
	Sign:     func(x, _, _ float64) float64 { return sign64(x) },
	Pow:      func(x, y, _ float64) float64 { return math.Pow(x, y) },
	Axpy:     func(x, y, c float64) float64 { return float64(c*x) + y },
	ReLUGrad: func(x, y, _ float64) float64 { return reLUGrad64(x, y) },
	GELU:     func(x, _, _ float64) float64 { return x / 2 * (math.Erf(x*(math.Sqrt2/2)) + 1) },
	GELUGrad: func(x, y, _ float64) float64 { return geluGrad64(x, y) },
}

// maps64Go are the plain-Go twins.
var maps64Go = makeMaps64()

func makeMaps64() (maps [opCount64]mapFunc64) {
	for op, f := range formulas64 {
		maps[op] = func(n int, dst, x, y *float64, c float64) uint32 {
			d, xs, ys := unsafe.Slice(dst, n), unsafe.Slice(x, n), unsafe.Slice(y, n)
			for i := range d {
				d[i] = f(xs[i], ys[i], c)
			}
			return 0
		}
	}
	return maps
}

func sigmoid64(x float64) float64 {
	e := math.Exp(-math.Abs(x))
	if x < 0 {
		return e / (1 + e)
	}
	return 1 / (1 + e)
}

func sign64(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return x
}

func reLUGrad64(x, y float64) float64 {
	if x <= 0 {
		return 0
	}
	return y
}

func sum64Go(x []float64) float64 {
	var s [4]float64
	for i, v := range x {
		s[i&3] += v
	}
	return s[0] + s[1] + (s[2] + s[3])
}
