package simd

import (
	"fmt"
)

// Op is an elementwise function of vectors x and y and a constant c.
type Op uint8

// The elementwise functions. Those named C and R take the constant as the right or the left operand.
// Exact ones compute nothing, and see and give denormals as they are; so is OpLog's operand. Others take
// denormals for zeros.
const (
	OpAdd  Op = iota // x + y
	OpAddC           // x + c
	OpSub            // x - y; x - c is OpAddC with -c
	OpSubR           // c - x
	OpMul            // x * y
	OpMulC           // x * c
	OpDiv            // x / y
	OpDivC           // x / c
	OpDivR           // c / x
	OpMax            // the larger, NaN where either is NaN; +0 is larger than -0; exact
	OpMaxC
	OpMin // the smaller, NaN where either is NaN; -0 is smaller than +0; exact
	OpMinC
	OpNeg     // -x
	OpAbs     // |x|
	OpSqrt    // square root
	OpExp     // e to the x, within 0.9 ulp
	OpLog     // natural logarithm, within 0.83 ulp, of denormals too
	OpTanh    // hyperbolic tangent, within 1.38 ulp
	OpSigmoid // 1/(1+exp(-x)), within 2.5 ulp
	OpLog1p   // log(1+x), within 0.9 ulp
	OpExpm1   // exp(x)-1, within 1.45 ulp
	OpErf     // error function, within 1 ulp
	OpFloor   // the greatest whole number not above x
	OpSign    // -1, 0 or 1; NaN for NaN, a zero for itself

	OpAxpy     // c*x + y, the product rounded too
	OpReLUGrad // 0 where x <= 0, else y; exact: x is ReLU's operand or result

	opCount
)

// Operands returns how many vectors op reads: x, or x and y.
func (op Op) Operands() int {
	switch op {
	case OpAdd, OpSub, OpMul, OpDiv, OpMax, OpMin, OpAxpy, OpReLUGrad:
		return 2
	}
	return 1
}

// mapFunc sets n > 0 elements of dst.
type mapFunc func(n int, dst, x, y *float32, c float32) (csr uint32)

// vectors are the kernels of one level on vectors of float32.
type vectors struct {
	width   int
	fmaLoop func(n int)

	conv                []convFunc // by filters
	convVecs, convLanes int        // vectors in a panel, outputs in a vector
	convGrad            []gradFunc // by filters
	gradTaps            int        // elements of a filter that convGrad computes

	maps [opCount]mapFunc

	boolKernels

	sum, dot func(n int, x, y *float32) (csr uint32, total float32)
	sum8     func(n int, dst, x, y *float32, stride int) (csr uint32)
}

// Map sets dst[i] = op(x[i], y[i], c) for each element of dst. x, and y where op reads it, are
// at least as long as dst; either may be dst itself, but not overlap it otherwise.
func (k *Kernels) Map(op Op, dst, x, y []float32, c float32) {
	f := k.maps[op]
	x = x[:len(dst)]
	if op.Operands() < 2 {
		y = x
	}
	y = y[:len(dst)]
	for len(dst) > 0 {
		n := min(len(dst), callLen)
		f(n, &dst[0], &x[0], &y[0], c)
		dst, x, y = dst[n:], x[n:], y[n:]
	}
}

// Sum returns the sum of x, whose order depends on its length alone.
func (k *Kernels) Sum(x []float32) float32 { return fold(k.sum, k.sumLen(), x, x) }

// SumRows sets dst to the sum of eight rows, by halves: of rows of dst's length that begin stride elements after
// each other in x. Either the first row is dst itself, or none overlaps it.
func (k *Kernels) SumRows(dst, x []float32, stride int) {
	x = x[:7*stride+len(dst)]
	for len(dst) > 0 {
		n := min(len(dst), callLen/8)
		k.sum8(n, &dst[0], &x[0], &x[4*stride], stride)
		dst, x = dst[n:], x[n:]
	}
}

// Dot returns the sum of x[i]*y[i], whose order depends on x's length alone. y is at least as
// long.
func (k *Kernels) Dot(x, y []float32) float32 {
	return fold(k.dot, k.sumLen(), x, y[:len(x)])
}

// sumLen is the most elements that are added up in float32, in the lanes of four vectors. More would lose digits:
// the error of a sum of equal numbers grows with the terms of a lane, which are 16.
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
	return flush(float32(total))
}

// String returns the function as it is written.
func (op Op) String() string {
	if op < opCount {
		return opNames[op]
	}
	return fmt.Sprintf("Op(%d)", uint8(op))
}

var opNames = [opCount]string{
	OpAdd: "x+y", OpAddC: "x+c", OpSub: "x-y", OpSubR: "c-x", OpMul: "x*y", OpMulC: "x*c",
	OpDiv: "x/y", OpDivC: "x/c", OpDivR: "c/x", OpMax: "max(x,y)", OpMaxC: "max(x,c)",
	OpMin: "min(x,y)", OpMinC: "min(x,c)", OpNeg: "-x", OpAbs: "abs(x)", OpSqrt: "sqrt(x)",
	OpExp: "exp(x)", OpLog: "log(x)", OpTanh: "tanh(x)", OpSigmoid: "sigmoid(x)",
	OpLog1p: "log1p(x)", OpExpm1: "expm1(x)", OpErf: "erf(x)", OpFloor: "floor(x)", OpSign: "sign(x)",
	OpAxpy: "c*x+y", OpReLUGrad: "relu'(x)*y",
}
