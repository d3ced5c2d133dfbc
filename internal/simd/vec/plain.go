package vec

import (
	"math"
	"unsafe"

	"github.com/plexaura/plexaura/internal/simd/isa"
)

// plain are the plain-Go twins.
var plain = makePlain()

func makePlain() Kernels {
	v := Kernels{
		width: 1, fmaLoop: fmaLoopGo,
		sum: func(n int, x, _ *float32) (uint32, float32) { return 0, sumGo(unsafe.Slice(x, n)) },
		dot: func(n int, x, y *float32) (uint32, float32) { return 0, dotGo(unsafe.Slice(x, n), unsafe.Slice(y, n)) },
		ordinary: func(n int, x, y *float32) (uint32, float32) {
			return 0, ordinaryGo(unsafe.Slice(x, n), unsafe.Slice(y, n))
		},
		sum8: func(n int, dst, x, y *float32, stride int) uint32 {
			sum8Go(unsafe.Slice(dst, n), unsafe.Slice(x, 3*stride+n), unsafe.Slice(y, 3*stride+n), stride)
			return 0
		},
		idsBeyond: idsBeyondGo,
		repeat:    repeatGo[float32], repeat64: repeatGo[float64], copyPlanes: copyPlanesGo, mixRows: mixRowsGo[float32], mixRows64: mixRowsGo[float64],
	}
	v.maps64, v.sum64 = maps64Go, func(n int, x, _ *float64) (uint32, float64) { return 0, sum64Go(unsafe.Slice(x, n)) }
	for op, f := range formulas {
		if f != nil {
			v.maps[op] = mapGo(f)
		}
	}
	for op, f := range exact {
		v.maps[op] = loopGo(f)
	}
	for op, f := range loops {
		v.maps[op] = loopGo(func(d, x, y []float32, c float32) { f(d, x, y, isa.Flush32(c)) })
	}
	for op := range opCount {
		if ByRows(op) {
			v.byRows[op], v.byRows64[op] = plainRows(v.maps[op]), plainRows(v.maps64[op])
		}
	}
	return v
}

// formulas are the definitions of the elementwise functions that compute. Their operands and
// results are flushed around them.
var formulas = [opCount]func(x, y, c float32) float32{
	Add:     func(x, y, _ float32) float32 { return x + y },
	AddC:    func(x, _, c float32) float32 { return x + c },
	Sub:     func(x, y, _ float32) float32 { return x - y },
	SubR:    func(x, _, c float32) float32 { return c - x },
	Mul:     func(x, y, _ float32) float32 { return x * y },
	MulC:    func(x, _, c float32) float32 { return x * c },
	Div:     func(x, y, _ float32) float32 { return x / y },
	DivC:    func(x, _, c float32) float32 { return x / c },
	DivR:    func(x, _, c float32) float32 { return c / x },
	Neg:     func(x, _, _ float32) float32 { return -x },
	Abs:     func(x, _, _ float32) float32 { return max(x, -x) },
	Sqrt:    func(x, _, _ float32) float32 { return float32(math.Sqrt(float64(x))) },
	Exp:     func(x, _, _ float32) float32 { return float32(math.Exp(float64(x))) },
	Tanh:    func(x, _, _ float32) float32 { return float32(math.Tanh(float64(x))) },
	Sigmoid: func(x, _, _ float32) float32 { return float32(1 / (1 + math.Exp(-float64(x)))) },
	Log1p:   func(x, _, _ float32) float32 { return float32(math.Log1p(float64(x))) },
	Expm1:   func(x, _, _ float32) float32 { return float32(math.Expm1(float64(x))) },
	Erf:     func(x, _, _ float32) float32 { return float32(math.Erf(float64(x))) },
	Sin:     func(x, _, _ float32) float32 { return float32(math.Sin(float64(x))) },
	Cos:     func(x, _, _ float32) float32 { return float32(math.Cos(float64(x))) },
	Floor:   func(x, _, _ float32) float32 { return float32(math.Floor(float64(x))) },
	Round:   func(x, _, _ float32) float32 { return float32(math.RoundToEven(float64(x))) },
	Sign: func(x, _, _ float32) float32 {
		switch {
		case x > 0:
			return 1
		case x < 0:
			return -1
		}
		return x
	},
	Pow:           func(x, y, _ float32) float32 { return float32(math.Pow(float64(x), float64(y))) },
	GELU:          func(x, _, _ float32) float32 { return gelu(x) },
	GELUGrad:      func(x, y, _ float32) float32 { return geluGrad(x, y) },
	SiLU:          func(x, _, _ float32) float32 { return float32(float64(x) * sigmoid64(float64(x))) },
	SiLUGrad:      func(x, y, _ float32) float32 { return siluGrad(x, y) },
	GELUTanh:      func(x, _, _ float32) float32 { return geluTanh(x) },
	GELUTanhGrad:  func(x, y, _ float32) float32 { return geluTanhGrad(x, y) },
	HardSwish:     func(x, _, _ float32) float32 { return hardSwish(x) },
	HardSwishGrad: func(x, y, _ float32) float32 { return hardSwishGrad(x, y) },
	Axpy:          func(x, y, c float32) float32 { return isa.Flush32(float32(c*x)) + y },
}

func mapGo(f func(x, y, c float32) float32) mapFunc {
	return func(n int, dst, x, y *float32, c float32) uint32 {
		d, xs, ys := unsafe.Slice(dst, n), unsafe.Slice(x, n), unsafe.Slice(y, n)
		c = isa.Flush32(c)
		for i := range d {
			d[i] = isa.Flush32(f(isa.Flush32(xs[i]), isa.Flush32(ys[i]), c))
		}
		return 0
	}
}

// loops are the commonest formulas once more, without a call for each element.
var loops = map[Op]func(d, x, y []float32, c float32){
	Add: func(d, x, y []float32, _ float32) {
		for i := range d {
			d[i] = isa.Flush32(isa.Flush32(x[i]) + isa.Flush32(y[i]))
		}
	},
	AddC: func(d, x, _ []float32, c float32) {
		for i := range d {
			d[i] = isa.Flush32(isa.Flush32(x[i]) + c)
		}
	},
	Sub: func(d, x, y []float32, _ float32) {
		for i := range d {
			d[i] = isa.Flush32(isa.Flush32(x[i]) - isa.Flush32(y[i]))
		}
	},
	Mul: func(d, x, y []float32, _ float32) {
		for i := range d {
			d[i] = isa.Flush32(isa.Flush32(x[i]) * isa.Flush32(y[i]))
		}
	},
	MulC: func(d, x, _ []float32, c float32) {
		for i := range d {
			d[i] = isa.Flush32(isa.Flush32(x[i]) * c)
		}
	},
}

// exact are the functions that see denormals as they are, and give them.
var exact = map[Op]func(d, x, y []float32, c float32){
	Max: func(d, x, y []float32, _ float32) {
		for i := range d {
			d[i] = max(x[i], y[i])
		}
	},
	MaxC: func(d, x, _ []float32, c float32) {
		for i := range d {
			d[i] = max(x[i], c)
		}
	},
	Min: func(d, x, y []float32, _ float32) {
		for i := range d {
			d[i] = min(x[i], y[i])
		}
	},
	MinC: func(d, x, _ []float32, c float32) {
		for i := range d {
			d[i] = min(x[i], c)
		}
	},
	Log: func(d, x, _ []float32, _ float32) {
		for i := range d {
			d[i] = float32(math.Log(float64(x[i])))
		}
	},
	ReLUGrad: func(d, x, y []float32, _ float32) {
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
		s[i&3] += float64(isa.Flush32(v))
	}
	return float32(s[0] + s[1] + (s[2] + s[3]))
}

func sum8Go(dst, x, y []float32, stride int) {
	for i := range dst {
		a, b := isa.Flush32(four32(x[i:], stride)), isa.Flush32(four32(y[i:], stride))
		dst[i] = isa.Flush32(a + b)
	}
}

func four32(x []float32, stride int) float32 {
	a := isa.Flush32(isa.Flush32(x[0]) + isa.Flush32(x[stride]))
	return a + isa.Flush32(isa.Flush32(x[2*stride])+isa.Flush32(x[3*stride]))
}

func dotGo(x, y []float32) float32 {
	var s [4]float64
	for i, v := range x {
		s[i&3] += float64(isa.Flush32(v)) * float64(isa.Flush32(y[i]))
	}
	return float32(s[0] + s[1] + (s[2] + s[3]))
}

func ordinaryGo(x, y []float32) float32 {
	n := 0
	for i, v := range x {
		if isOrdinary(v, y[i]) {
			n++
		}
	}
	return float32(n)
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
