package vec

import (
	"fmt"

	"github.com/plexaura/plexaura/internal/simd/isa"
)

// Op is an elementwise function of vectors x and y and a constant c.
type Op uint8

// The elementwise functions. Those named C and R take the constant as the right or the left
// operand. Exact ones compute nothing, and see and give denormals as they are; so is Log's operand.
// Others take denormals for zeros.
const (
	Add  Op = iota // x + y
	AddC           // x + c
	Sub            // x - y; x - c is AddC with -c
	SubR           // c - x
	Mul            // x * y
	MulC           // x * c
	Div            // x / y
	DivC           // x / c
	DivR           // c / x
	Max            // the larger, NaN where either is NaN; +0 is larger than -0; exact
	MaxC
	Min // the smaller, NaN where either is NaN; -0 is smaller than +0; exact
	MinC
	Neg     // -x
	Abs     // |x|
	Sqrt    // square root
	Exp     // e to the x, within 0.9 ulp
	Log     // natural logarithm, within 0.83 ulp, of denormals too
	Tanh    // hyperbolic tangent, within 1.38 ulp
	Sigmoid // 1/(1+exp(-x)), within 2.5 ulp
	Log1p   // log(1+x), within 0.9 ulp
	Expm1   // exp(x)-1, within 1.45 ulp
	Erf     // error function, within 1 ulp
	Sin     // sine, within 1.6 ulp
	Cos     // cosine, within 1.6 ulp
	Floor   // the greatest whole number not above x
	Round   // the nearest whole number, of two the even one
	Sign    // -1, 0 or 1; NaN for NaN, a zero for itself

	Pow      // x to the y, within .51 ulp; sees denormals, where it does not give them
	Axpy     // c*x + y, the product rounded too
	ReLUGrad // 0 where x <= 0, else y; exact: x is ReLU's operand or result

	// Activations, and their gradients by x where y is that by the result; of float64 there is only
	// GELU. GELU, GELUTanh and SiLU are within 1.3e-7 of |x|, the gradients of the first two within 2e-7 of |y|.
	// The others are computed as they are written here.
	GELU          // x/2 * (1 + erf(x/sqrt(2)))
	GELUGrad      // y/2 * (1 + erf(x/sqrt(2))) + y*x*exp(-x*x/2)/sqrt(2*pi), the last 0 where |x| > 1000
	SiLU          // x*sigmoid(x)
	SiLUGrad      // y*s + y*x*s*(1-s) of s = sigmoid(x), the last 0 where |x| > 1000
	GELUTanh      // x*sigmoid(u) of u = 2*sqrt(2/pi)*(x + 0.044715*x*x*x)
	GELUTanhGrad  // y*s + y*x*s*(1-s)*u' of s = sigmoid(u), the last 0 where |x| > 1000
	HardSwish     // 0 where x < -3, x where x >= 3, else x*(x+3)/6
	HardSwishGrad // 0 where x < -3, y where x >= 3, else y/6*(x+3) + y/6*x

	opCount

	opCount64 = SiLU // the other activations are of float32 only
)

// Doubles reports whether op has a kernel for float64.
func (op Op) Doubles() bool { return op < opCount64 }

// Operands returns how many vectors op reads: x, or x and y.
func (op Op) Operands() int {
	switch op {
	case Add, Sub, Mul, Div, Max, Min, Pow, Axpy, ReLUGrad, GELUGrad, SiLUGrad, GELUTanhGrad, HardSwishGrad:
		return 2
	}
	return 1
}

// mapFunc sets n > 0 elements of dst.
type mapFunc func(n int, dst, x, y *float32, c float32) (csr uint32)

// Kernels are the kernels of one level on vectors of float32.
type Kernels struct {
	width   int
	fmaLoop func(n int)

	maps   [opCount]mapFunc
	maps64 [opCount64]mapFunc64

	boolKernels
	gateKernels

	sum, dot, ordinary func(n int, x, y *float32) (csr uint32, total float32)
	sum64              func(n int, x, y *float64) (csr uint32, total float64)
	sum8               func(n int, dst, x, y *float32, stride int) (csr uint32)

	idsBeyond func(n int, ids *int32, last int32) uint32

	byRows     [opCount]rowsFunc[float32]
	byRows64   [opCount]rowsFunc[float64]
	repeat     func(rows, n int, dst, x *float32, stride int)
	repeat64   func(rows, n int, dst, x *float64, stride int)
	mixRows    mixFunc[float32]
	mixRows64  mixFunc[float64]
	copyPlanes func(planes, rows, n int, dst *float32, dstPlane, dstRow int, src *float32, srcPlane, srcRow int)
}

// At returns the kernels for a level, or nil where there are none.
func At(l isa.Level) *Kernels {
	k, ok := tables[l]
	if !ok {
		return nil
	}
	return &k
}

// FMALoop does multiply-adds of float32 on registers for about a microsecond a turn, and returns
// how many floating-point operations it did: the yardstick of the other kernels.
func (k *Kernels) FMALoop(turns int) (operations int) {
	const each = 256
	for range turns {
		k.fmaLoop(each)
	}
	const vectors, mulAdd = 12, 2
	return turns * each * vectors * mulAdd * k.width
}

// Map sets dst[i] = op(x[i], y[i], c) for each element of dst. x, and y where op reads it, are
// at least as long as dst; either may be dst itself, but not overlap it otherwise.
func (k *Kernels) Map(op Op, dst, x, y []float32, c float32) {
	switch op {
	case Sin, Cos:
		k.turn(op, dst, x)
		return
	case Pow:
		k.power(dst, x, y)
		return
	}
	k.mapAll(op, dst, x, y, c)
}

func (k *Kernels) mapAll(op Op, dst, x, y []float32, c float32) {
	f := k.maps[op]
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

// Sum returns the sum of x, whose order depends only on its length.
func (k *Kernels) Sum(x []float32) float32 { return fold(k.sum, k.sumLen(), x, x) }

// SumRows sets dst to the sum of eight rows, by halves: of rows of dst's length that begin stride
// elements after each other in x. Either the first row is dst itself, or none overlaps it.
func (k *Kernels) SumRows(dst, x []float32, stride int) {
	x = x[:7*stride+len(dst)]
	for len(dst) > 0 {
		n := min(len(dst), isa.CallLen/8)
		k.sum8(n, &dst[0], &x[0], &x[4*stride], stride)
		dst, x = dst[n:], x[n:]
	}
}

// Dot returns the sum of x[i]*y[i], whose order depends only on x's length. y is at least as
// long.
func (k *Kernels) Dot(x, y []float32) float32 {
	return fold(k.dot, k.sumLen(), x, y[:len(x)])
}

// sumLen is the most elements that are added up in float32, in the lanes of four vectors. More
// would lose digits: the error of a sum of equal numbers grows with the terms of a lane, which are
// 16.
func (k *Kernels) sumLen() int { return max(4*16*k.width, 512) }

// fold adds up the totals of pieces of at most most elements in float64.
func fold(f func(n int, x, y *float32) (uint32, float32), most int, x, y []float32) float32 {
	total := 0.0
	for len(x) > 0 {
		n := min(len(x), most)
		_, part := f(n, &x[0], &y[0])
		total += float64(part)
		x, y = x[n:], y[n:]
	}
	return isa.Flush(float32(total))
}

// String returns the function as it is written.
func (op Op) String() string {
	if op < opCount {
		return opNames[op]
	}
	return fmt.Sprintf("Op(%d)", uint8(op))
}

var opNames = [opCount]string{
	Add: "x+y", AddC: "x+c", Sub: "x-y", SubR: "c-x", Mul: "x*y", MulC: "x*c",
	Div: "x/y", DivC: "x/c", DivR: "c/x", Max: "max(x,y)", MaxC: "max(x,c)",
	Min: "min(x,y)", MinC: "min(x,c)", Neg: "-x", Abs: "abs(x)", Sqrt: "sqrt(x)",
	Exp: "exp(x)", Log: "log(x)", Tanh: "tanh(x)", Sigmoid: "sigmoid(x)",
	Sin: "sin(x)", Cos: "cos(x)", Log1p: "log1p(x)", Expm1: "expm1(x)", Erf: "erf(x)", Floor: "floor(x)", Round: "round(x)", Sign: "sign(x)",
	GELU: "gelu(x)", GELUGrad: "gelu'(x)*y", SiLU: "silu(x)", SiLUGrad: "silu'(x)*y", GELUTanh: "gelutanh(x)", GELUTanhGrad: "gelutanh'(x)*y", HardSwish: "hardswish(x)", HardSwishGrad: "hardswish'(x)*y",
	Pow: "pow(x,y)", Axpy: "c*x+y", ReLUGrad: "relu'(x)*y",
}
