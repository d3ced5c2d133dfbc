package simd

import (
	"math"
	"unsafe"
)

// vectorsGo are the plain-Go twins.
func vectorsGo() vectors {
	v := vectors{
		width: 1, fmaLoop: fmaLoopGo,
		sum: func(n int, x, _ *float32) (uint32, float32) { return 0, sumGo(unsafe.Slice(x, n)) },
		dot: func(n int, x, y *float32) (uint32, float32) { return 0, dotGo(unsafe.Slice(x, n), unsafe.Slice(y, n)) },
		sum8: func(n int, dst, x, y *float32, stride int) uint32 {
			sum8Go(unsafe.Slice(dst, n), unsafe.Slice(x, 3*stride+n), unsafe.Slice(y, 3*stride+n), stride)
			return 0
		},
		conv: []convFunc{1: convGo}, convVecs: 1, convLanes: convLanesGo,
		convGrad: []gradFunc{1: convGradGo}, gradTaps: 1,
	}
	for op, f := range formulas {
		if f != nil {
			v.maps[op] = mapGo(f)
		}
	}
	for op, f := range exact {
		v.maps[op] = loopGo(f)
	}
	for op, f := range loops {
		v.maps[op] = loopGo(func(d, x, y []float32, c float32) { f(d, x, y, flush32(c)) })
	}
	return v
}

// formulas are the definitions of the elementwise functions that compute. Their operands and results
// are flushed around them.
var formulas = [opCount]func(x, y, c float32) float32{
	OpAdd:     func(x, y, _ float32) float32 { return x + y },
	OpAddC:    func(x, _, c float32) float32 { return x + c },
	OpSub:     func(x, y, _ float32) float32 { return x - y },
	OpSubR:    func(x, _, c float32) float32 { return c - x },
	OpMul:     func(x, y, _ float32) float32 { return x * y },
	OpMulC:    func(x, _, c float32) float32 { return x * c },
	OpDiv:     func(x, y, _ float32) float32 { return x / y },
	OpDivC:    func(x, _, c float32) float32 { return x / c },
	OpDivR:    func(x, _, c float32) float32 { return c / x },
	OpNeg:     func(x, _, _ float32) float32 { return -x },
	OpAbs:     func(x, _, _ float32) float32 { return max(x, -x) },
	OpSqrt:    func(x, _, _ float32) float32 { return float32(math.Sqrt(float64(x))) },
	OpExp:     func(x, _, _ float32) float32 { return float32(math.Exp(float64(x))) },
	OpTanh:    func(x, _, _ float32) float32 { return float32(math.Tanh(float64(x))) },
	OpSigmoid: func(x, _, _ float32) float32 { return float32(1 / (1 + math.Exp(-float64(x)))) },
	OpLog1p:   func(x, _, _ float32) float32 { return float32(math.Log1p(float64(x))) },
	OpExpm1:   func(x, _, _ float32) float32 { return float32(math.Expm1(float64(x))) },
	OpErf:     func(x, _, _ float32) float32 { return float32(math.Erf(float64(x))) },
	OpFloor:   func(x, _, _ float32) float32 { return float32(math.Floor(float64(x))) },
	OpSign: func(x, _, _ float32) float32 {
		switch {
		case x > 0:
			return 1
		case x < 0:
			return -1
		}
		return x
	},
	OpAxpy: func(x, y, c float32) float32 { return flush32(float32(c*x)) + y },
}

func mapGo(f func(x, y, c float32) float32) mapFunc {
	return func(n int, dst, x, y *float32, c float32) uint32 {
		d, xs, ys := unsafe.Slice(dst, n), unsafe.Slice(x, n), unsafe.Slice(y, n)
		c = flush32(c)
		for i := range d {
			d[i] = flush32(f(flush32(xs[i]), flush32(ys[i]), c))
		}
		return 0
	}
}

// loops are the commonest formulas once more, without a call for each element.
var loops = map[Op]func(d, x, y []float32, c float32){
	OpAdd: func(d, x, y []float32, _ float32) {
		for i := range d {
			d[i] = flush32(flush32(x[i]) + flush32(y[i]))
		}
	},
	OpAddC: func(d, x, _ []float32, c float32) {
		for i := range d {
			d[i] = flush32(flush32(x[i]) + c)
		}
	},
	OpSub: func(d, x, y []float32, _ float32) {
		for i := range d {
			d[i] = flush32(flush32(x[i]) - flush32(y[i]))
		}
	},
	OpMul: func(d, x, y []float32, _ float32) {
		for i := range d {
			d[i] = flush32(flush32(x[i]) * flush32(y[i]))
		}
	},
	OpMulC: func(d, x, _ []float32, c float32) {
		for i := range d {
			d[i] = flush32(flush32(x[i]) * c)
		}
	},
}

// exact are the functions that see denormals as they are, and give them.
var exact = map[Op]func(d, x, y []float32, c float32){
	OpMax: func(d, x, y []float32, _ float32) {
		for i := range d {
			d[i] = max(x[i], y[i])
		}
	},
	OpMaxC: func(d, x, _ []float32, c float32) {
		for i := range d {
			d[i] = max(x[i], c)
		}
	},
	OpMin: func(d, x, y []float32, _ float32) {
		for i := range d {
			d[i] = min(x[i], y[i])
		}
	},
	OpMinC: func(d, x, _ []float32, c float32) {
		for i := range d {
			d[i] = min(x[i], c)
		}
	},
	OpLog: func(d, x, _ []float32, _ float32) {
		for i := range d {
			d[i] = float32(math.Log(float64(x[i])))
		}
	},
	OpReLUGrad: func(d, x, y []float32, _ float32) {
		for i := range d {
			v := y[i]
			if x[i] <= 0 {
				v = 0
			}
			d[i] = v
		}
	},
}

func loopGo(f func(d, x, y []float32, c float32)) mapFunc {
	return func(n int, dst, x, y *float32, c float32) uint32 {
		f(unsafe.Slice(dst, n), unsafe.Slice(x, n), unsafe.Slice(y, n), c)
		return 0
	}
}

// sumGo keeps four sums, like lanes, but so few would lose much in float32.
func sumGo(x []float32) float32 {
	var s [4]float64
	for i, v := range x {
		s[i&3] += float64(flush32(v))
	}
	return float32(s[0] + s[1] + (s[2] + s[3]))
}

func sum8Go(dst, x, y []float32, stride int) {
	for i := range dst {
		a, b := flush32(four32(x[i:], stride)), flush32(four32(y[i:], stride))
		dst[i] = flush32(a + b)
	}
}

func four32(x []float32, stride int) float32 {
	a := flush32(flush32(x[0]) + flush32(x[stride]))
	return a + flush32(flush32(x[2*stride])+flush32(x[3*stride]))
}

func dotGo(x, y []float32) float32 {
	var s [4]float64
	for i, v := range x {
		s[i&3] += float64(flush32(v)) * float64(flush32(y[i]))
	}
	return float32(s[0] + s[1] + (s[2] + s[3]))
}

// fmaLoopGo is the loop in plain Go.
func fmaLoopGo(n int) {
	var s [12]float32
	x, y := float32(n), float32(1)
	for range n {
		for i := range s {
			s[i] += x * y
		}
	}
	keep(s)
}

//go:noinline
func keep([12]float32) {}
