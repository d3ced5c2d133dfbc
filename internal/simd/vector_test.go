package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// specials are the values that kernels get wrong first.
var specials = []float32{0, float32(math.Copysign(0, -1)), 1, -1, float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)),
	math.MaxFloat32, -math.MaxFloat32, 0x1p-126, -0x1p-126, math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32, 0x1p-127,
	88.7, 89, -87.3, -87.4, -104, -105, 128, 0.625, -0.625, 0.5, 2, 1e-10, -1e-10, 30, -30, 1e10}

// mixed is n random values of many magnitudes, some special.
func mixed(rng *rand.Rand, n int) []float32 {
	s := make([]float32, n)
	for i := range s {
		switch rng.IntN(8) {
		case 0:
			s[i] = specials[rng.IntN(len(specials))]
		case 1:
			s[i] = float32(math.Ldexp(rng.Float64()*2-1, rng.IntN(40)-20))
		default:
			s[i] = rng.Float32()*8 - 4
		}
	}
	return s
}

// ulps is the distance between floats in units of want's last place; 0 for two NaN or equal values.
func ulps(got float32, want float64) float64 {
	w := float32(want)
	if got == w || got != got && w != w {
		return 0
	}
	if math.IsInf(float64(got), 0) || math.IsInf(want, 0) || got != got || w != w {
		return math.Inf(1)
	}
	_, exp := math.Frexp(want)
	return math.Abs(float64(got)-want) / math.Ldexp(1, max(exp, -125)-24)
}

// precise are the functions in float64, for operands that are flushed where they are not exact.
var precise = map[Op]func(x float64) float64{
	OpExp: math.Exp, OpLog: math.Log, OpTanh: math.Tanh, OpSqrt: math.Sqrt,
	OpSigmoid: func(x float64) float64 { return 1 / (1 + math.Exp(-x)) },
	OpLog1p:   math.Log1p, OpExpm1: math.Expm1, OpErf: math.Erf, OpFloor: math.Floor,
}

// maxULP is what the doc comments of the functions promise.
var maxULP = map[Op]float64{OpExp: .9, OpLog: .83, OpTanh: 1.38, OpSigmoid: 2.5, OpSqrt: .5, OpLog1p: .9, OpExpm1: 1.45, OpErf: 1, OpFloor: 0}

// TestFunctionsAreAccurate walks through all magnitudes of both signs, some thousand in each binade.
func TestFunctionsAreAccurate(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		step := uint64(2053) // of 2^32 bit patterns; prime
		if testing.Short() {
			step = 16411
		}
		x := make([]float32, callLen)
		y := make([]float32, callLen)
		worst := map[Op]float64{}
		at := map[Op]float32{}
		for bits := uint64(0); bits < 1<<32; {
			for i := range x {
				x[i] = math.Float32frombits(uint32(bits))
				bits += step
			}
			for op, f := range precise {
				k.Map(op, y, x, nil, 0)
				for i, v := range x {
					if exact[op] == nil {
						v = flush(v)
					}
					want := f(float64(v))
					if math.Abs(want) < 0x1p-126 {
						want = math.Copysign(0, want)
						if y[i] == 0x1p-126 { // rounded up to the smallest normal
							continue
						}
					}
					if u := ulps(y[i], want); u > worst[op] {
						worst[op], at[op] = u, v
					}
				}
			}
		}
		for op, limit := range maxULP {
			t.Logf("%v: %.3f ulp at %v", op, worst[op], at[op])
			require.LessOrEqual(t, worst[op], limit, "%v at %v", op, at[op])
		}
	})
}

// TestMapAgreesWithFormulas compares all levels with the formulas, at odd lengths and alignments.
func TestMapAgreesWithFormulas(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(7, 7))
		for op := range opCount {
			if formulas[op] == nil {
				continue
			}
			for range 60 {
				n := rng.IntN(150)
				x, y := mixed(rng, n+3)[rng.IntN(4):][:n], mixed(rng, n+3)[rng.IntN(4):][:n]
				c := mixed(rng, 1)[0]
				checkMap(t, k, op, x, y, c)
			}
		}
	})
}

func checkMap(t *testing.T, k *Kernels, op Op, x, y []float32, c float32) {
	dst := make([]float32, len(x)+2)
	dst[len(x)] = 42
	k.Map(op, dst[:len(x)], x, y, c)
	require.EqualValues(t, 42, dst[len(x)])
	limit := max(maxULP[op], 0.51)
	for i := range x {
		a, b, d := flush(x[i]), flush(y[i]), flush(c)
		want := float64(flush(formulas[op](a, b, d)))
		if math.Abs(want) < 0x1p-125 && math.Abs(float64(dst[i])) < 0x1p-125 {
			continue // to flush before or after rounding is the processor's choice
		}
		if f := precise[op]; f != nil {
			want = f(float64(a))
		}
		require.LessOrEqual(t, ulps(dst[i], want), limit, "%v: x %v y %v c %v: got %v, want %v", op, a, b, d, dst[i], want)
	}
}

// TestExactFunctionsSeeDenormals: as comparisons do, so that a maximum equals one of its operands, and one
// condition has one answer.
func TestExactFunctionsSeeDenormals(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(7, 9))
		tiny := func(n int) []float32 {
			s := mixed(rng, n)
			for i := range s {
				if rng.IntN(2) == 0 {
					s[i] = math.Float32frombits(rng.Uint32() & (1<<31 | 1<<rng.IntN(24) - 1))
				}
			}
			return s
		}
		for op, f := range exact {
			for n := range 150 {
				x, y, got, want := tiny(n), tiny(n), make([]float32, n), make([]float32, n)
				c := tiny(1)[0]
				k.Map(op, got, x, y, c)
				f(want, x, y, c)
				for i := range got {
					same := math.Float32bits(got[i]) == math.Float32bits(want[i]) || got[i] != got[i] && want[i] != want[i]
					if u := ulps(got[i], float64(want[i])); !same && (maxULP[op] == 0 || u > 1) {
						require.Fail(t, "different", "%v: x %v y %v c %v: %v, want %v", op, x[i], y[i], c, got[i], want[i])
					}
				}
			}
		}
	})
}

// TestReLUGradSeesDenormals: it is what a rectifier's result says.
func TestReLUGradSeesDenormals(t *testing.T) {
	nan, denormal := float32(math.NaN()), float32(math.SmallestNonzeroFloat32)
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(7, 8))
		for n := range 150 {
			x, y, got, want := mixed(rng, n), mixed(rng, n), make([]float32, n), make([]float32, n)
			for i := range x {
				if x[i] <= 0 {
					continue
				}
				want[i] = y[i]
			}
			k.Map(OpReLUGrad, got, x, y, 0)
			requireBits(t, want, got)
		}
		x, got := []float32{denormal, -denormal, 0, nan, -nan}, make([]float32, 5)
		k.Map(OpReLUGrad, got, x, []float32{1, 2, 3, 4, denormal}, 0)
		requireBits(t, []float32{1, 0, 0, 4, denormal}, got)
	})
}

func TestMapInPlace(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(8, 8))
		for op := range opCount {
			x, y := randoms[float32](rng, 75), randoms[float32](rng, 75)
			want := make([]float32, 75)
			k.Map(op, want, x, y, 0.5)
			k.Map(op, x, x, y, 0.5)
			requireBits(t, want, x)
		}
	})
}

// requireBits compares exactly, signs of zeros and NaN included.
func requireBits(t *testing.T, want, got []float32) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		w, g := want[i], got[i]
		if math.Float32bits(w) != math.Float32bits(g) && (w == w || g == g) {
			require.Fail(t, "different", "element %d: %v, want %v", i, g, w)
		}
	}
}

func TestSpecialValues(t *testing.T) {
	nan, inf, negZero := float32(math.NaN()), float32(math.Inf(1)), float32(math.Copysign(0, -1))
	denormal := float32(0x1p-130)
	eachLevel(t, func(t *testing.T, k *Kernels) {
		for _, c := range []struct {
			op         Op
			x, y, want float32
		}{
			{OpMax, nan, 1, nan}, {OpMax, 1, nan, nan}, {OpMin, nan, 1, nan}, {OpMin, 1, nan, nan},
			{OpNeg, 0, 0, negZero}, {OpNeg, denormal, 0, negZero}, {OpAbs, -inf, 0, inf}, {OpAbs, negZero, 0, 0},
			{OpExp, -inf, 0, 0}, {OpExp, inf, 0, inf}, {OpExp, nan, 0, nan}, {OpExp, 0, 0, 1},
			{OpLog, 0, 0, -inf}, {OpLog, negZero, 0, -inf}, {OpLog, -1, 0, nan}, {OpLog, inf, 0, inf}, {OpLog, nan, 0, nan},
			{OpLog, denormal, 0, -90.10913}, {OpLog, -denormal, 0, nan}, {OpLog, 1, 0, 0}, {OpLog, -inf, 0, nan},
			{OpTanh, inf, 0, 1}, {OpTanh, -inf, 0, -1}, {OpTanh, nan, 0, nan}, {OpTanh, negZero, 0, negZero},
			{OpSigmoid, inf, 0, 1}, {OpSigmoid, -inf, 0, 0}, {OpSigmoid, nan, 0, nan}, {OpSigmoid, 0, 0, 0.5},
			{OpReLUGrad, nan, 5, 5}, {OpReLUGrad, 0, 5, 0}, {OpReLUGrad, 1, nan, nan}, {OpReLUGrad, -1, inf, 0},
			{OpMax, negZero, 0, 0}, {OpMax, 0, negZero, 0}, {OpMin, negZero, 0, negZero}, {OpMin, 0, negZero, negZero}, {OpMax, negZero, negZero, negZero},
			{OpErf, inf, 0, 1}, {OpErf, -inf, 0, -1}, {OpErf, nan, 0, nan}, {OpErf, negZero, 0, negZero}, {OpErf, 1e20, 0, 1},
			{OpLog1p, -1, 0, -inf}, {OpLog1p, -2, 0, nan}, {OpLog1p, inf, 0, inf}, {OpLog1p, -inf, 0, nan}, {OpLog1p, nan, 0, nan}, {OpLog1p, negZero, 0, negZero}, {OpLog1p, 1e-20, 0, 1e-20},
			{OpExpm1, -inf, 0, -1}, {OpExpm1, inf, 0, inf}, {OpExpm1, nan, 0, nan}, {OpExpm1, negZero, 0, negZero}, {OpExpm1, 0x1p-126, 0, 0x1p-126}, {OpExpm1, 89, 0, inf},
			{OpFloor, -.5, 0, -1}, {OpFloor, negZero, 0, negZero}, {OpFloor, inf, 0, inf}, {OpFloor, nan, 0, nan}, {OpFloor, 0x1p30, 0, 0x1p30},
			{OpSign, nan, 0, nan}, {OpSign, negZero, 0, negZero}, {OpSign, -inf, 0, -1}, {OpSign, 3, 0, 1}, {OpSign, denormal, 0, 0},
			{OpMul, denormal, inf, nan}, {OpMul, denormal, 1, 0}, {OpAdd, denormal, denormal, 0},
			{OpMul, 0x1p-100, 0x1p-30, 0}, {OpDiv, 1, denormal, inf}, {OpSqrt, negZero, 0, negZero}, {OpSqrt, -1, 0, nan},
			{OpAxpy, denormal, 1, 1}, {OpReLUGrad, denormal, 1, 1}, {OpMax, denormal, 0, denormal}, {OpMin, denormal, 1, denormal}, {OpMaxC, denormal, 0, 1}, {OpMinC, denormal, 0, denormal},
		} {
			for _, n := range []int{1, 16, 67} { // rest, one vector, unrolled
				x, y, got, want := repeat(c.x, n), repeat(c.y, n), make([]float32, n), repeat(c.want, n)
				k.Map(c.op, got, x, y, 1)
				requireBits(t, want, got)
			}
		}
	})
}

func repeat(x float32, n int) []float32 {
	s := make([]float32, n)
	for i := range s {
		s[i] = x
	}
	return s
}

func TestSumAndDot(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(9, 9))
		for _, n := range []int{0, 1, 3, 7, 8, 15, 16, 17, 63, 64, 65, 100, 1000, 20011} {
			x, y := randoms[float32](rng, n), randoms[float32](rng, n+1)
			sum, dot := 0.0, 0.0
			for i := range x {
				sum += float64(x[i])
				dot += float64(x[i]) * float64(y[i])
			}
			require.InDelta(t, sum, float64(k.Sum(x)), 1e-6*float64(n+1))
			require.InDelta(t, dot, float64(k.Dot(x, y)), 1e-6*float64(n+1))
		}
		require.True(t, math.IsNaN(float64(k.Sum([]float32{1, float32(math.NaN())}))))
		require.EqualValues(t, 0, k.Sum(repeat(0x1p-130, 1000)))
	})
}

// TestSumRows: at every length, with rows apart, adjoining, and into the first of them.
func TestSumRows(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(9, 11))
		for _, n := range []int{0, 1, 2, 7, 8, 9, 15, 16, 17, 33, 63, 64, 65, 130, 1023, 1025, 2600} {
			for _, stride := range []int{n, n + 1, n + 17} {
				x := mixed(rng, 8*stride+n)
				want, got := make([]float32, n), make([]float32, n)
				if n > 0 {
					sum8Go(want, x, x[4*stride:], stride)
				}
				k.SumRows(got, x, stride)
				requireBits(t, want, got)
				k.SumRows(x[:n], x, stride)
				requireBits(t, want, x[:n])
			}
		}
	})
}

func BenchmarkMap(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	x, y, dst := randoms[float32](rng, 4096), randoms[float32](rng, 4096), make([]float32, 4096)
	for _, l := range Levels() {
		for _, op := range []Op{OpAdd, OpMax, OpReLUGrad, OpExp, OpLog, OpTanh, OpSigmoid} {
			b.Run(fmt.Sprintf("%v/%v", op, l), func(b *testing.B) {
				for b.Loop() {
					With(l).Map(op, dst, x, y, 1)
				}
				b.ReportMetric(4096*float64(b.N)/b.Elapsed().Seconds()/1e9, "Gelem/s")
			})
		}
	}
}
