package vec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/simdtest"
)

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
	Exp: math.Exp, Log: math.Log, Tanh: math.Tanh, Sqrt: math.Sqrt,
	Sigmoid: func(x float64) float64 { return 1 / (1 + math.Exp(-x)) },
	Log1p:   math.Log1p, Expm1: math.Expm1, Erf: math.Erf, Floor: math.Floor, Round: math.RoundToEven,
	Sin: math.Sin, Cos: math.Cos,
}

// maxULP is what the doc comments of the functions promise.
var maxULP = map[Op]float64{Exp: .9, Log: .83, Tanh: 1.38, Sigmoid: 2.5, Sqrt: .5, Log1p: .9, Expm1: 1.45, Erf: 1, Floor: 0, Round: 0, Sin: 1.6, Cos: 1.6, Pow: 1}

// TestFunctionsAreAccurate walks through all magnitudes of both signs, some thousand in each
// binade.
func TestFunctionsAreAccurate(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		step := uint64(2053) // of 2^32 bit patterns; prime
		if testing.Short() {
			step = 16411
		}
		x := make([]float32, isa.CallLen)
		y := make([]float32, isa.CallLen)
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
						v = isa.Flush(v)
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
			if formulas[op] == nil || op == Pow || op >= GELU {
				continue // powers and activations have tests of their own
			}
			for range 60 {
				n := rng.IntN(150)
				x, y := simdtest.Mixed(rng, n+3)[rng.IntN(4):][:n], simdtest.Mixed(rng, n+3)[rng.IntN(4):][:n]
				c := simdtest.Mixed(rng, 1)[0]
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
		a, b, d := isa.Flush(x[i]), isa.Flush(y[i]), isa.Flush(c)
		want := float64(isa.Flush(formulas[op](a, b, d)))
		if math.Abs(want) < 0x1p-125 && math.Abs(float64(dst[i])) < 0x1p-125 {
			continue // to flush before or after rounding is the processor's choice
		}
		if f := precise[op]; f != nil {
			want = f(float64(a))
		}
		require.LessOrEqual(t, ulps(dst[i], want), limit, "%v: x %v y %v c %v: got %v, want %v", op, a, b, d, dst[i], want)
	}
}

// TestExactFunctionsSeeDenormals: as comparisons do, so that a maximum equals one of its operands,
// and one condition has one answer.
func TestExactFunctionsSeeDenormals(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(7, 9))
		tiny := func(n int) []float32 {
			s := simdtest.Mixed(rng, n)
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
			x, y, got, want := simdtest.Mixed(rng, n), simdtest.Mixed(rng, n), make([]float32, n), make([]float32, n)
			for i := range x {
				if x[i] <= 0 {
					continue
				}
				want[i] = y[i]
			}
			k.Map(ReLUGrad, got, x, y, 0)
			simdtest.RequireBits(t, want, got)
		}
		x, got := []float32{denormal, -denormal, 0, nan, -nan}, make([]float32, 5)
		k.Map(ReLUGrad, got, x, []float32{1, 2, 3, 4, denormal}, 0)
		simdtest.RequireBits(t, []float32{1, 0, 0, 4, denormal}, got)
	})
}

func TestMapInPlace(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(8, 8))
		for op := range opCount {
			x, y := simdtest.Randoms[float32](rng, 75), simdtest.Randoms[float32](rng, 75)
			want := make([]float32, 75)
			k.Map(op, want, x, y, 0.5)
			k.Map(op, x, x, y, 0.5)
			simdtest.RequireBits(t, want, x)
		}
	})
}

func TestSpecialValues(t *testing.T) {
	nan, inf, negZero := float32(math.NaN()), float32(math.Inf(1)), float32(math.Copysign(0, -1))
	denormal := float32(0x1p-130)
	eachLevel(t, func(t *testing.T, k *Kernels) {
		for _, c := range []struct {
			op         Op
			x, y, want float32
		}{
			{Max, nan, 1, nan}, {Max, 1, nan, nan}, {Min, nan, 1, nan}, {Min, 1, nan, nan},
			{Neg, 0, 0, negZero}, {Neg, denormal, 0, negZero}, {Abs, -inf, 0, inf}, {Abs, negZero, 0, 0},
			{Exp, -inf, 0, 0}, {Exp, inf, 0, inf}, {Exp, nan, 0, nan}, {Exp, 0, 0, 1},
			{Log, 0, 0, -inf}, {Log, negZero, 0, -inf}, {Log, -1, 0, nan}, {Log, inf, 0, inf}, {Log, nan, 0, nan},
			{Log, denormal, 0, -90.10913}, {Log, -denormal, 0, nan}, {Log, 1, 0, 0}, {Log, -inf, 0, nan},
			{Tanh, inf, 0, 1}, {Tanh, -inf, 0, -1}, {Tanh, nan, 0, nan}, {Tanh, negZero, 0, negZero},
			{Sigmoid, inf, 0, 1}, {Sigmoid, -inf, 0, 0}, {Sigmoid, nan, 0, nan}, {Sigmoid, 0, 0, 0.5},
			{ReLUGrad, nan, 5, 5}, {ReLUGrad, 0, 5, 0}, {ReLUGrad, 1, nan, nan}, {ReLUGrad, -1, inf, 0},
			{Max, negZero, 0, 0}, {Max, 0, negZero, 0}, {Min, negZero, 0, negZero}, {Min, 0, negZero, negZero}, {Max, negZero, negZero, negZero},
			{Erf, inf, 0, 1}, {Erf, -inf, 0, -1}, {Erf, nan, 0, nan}, {Erf, negZero, 0, negZero}, {Erf, 1e20, 0, 1},
			{Log1p, -1, 0, -inf}, {Log1p, -2, 0, nan}, {Log1p, inf, 0, inf}, {Log1p, -inf, 0, nan}, {Log1p, nan, 0, nan}, {Log1p, negZero, 0, negZero}, {Log1p, 1e-20, 0, 1e-20},
			{Expm1, -inf, 0, -1}, {Expm1, inf, 0, inf}, {Expm1, nan, 0, nan}, {Expm1, negZero, 0, negZero}, {Expm1, 0x1p-126, 0, 0x1p-126}, {Expm1, 89, 0, inf},
			{Sin, negZero, 0, negZero}, {Sin, inf, 0, nan}, {Sin, nan, 0, nan}, {Sin, denormal, 0, 0}, {Cos, 0, 0, 1}, {Cos, -inf, 0, nan}, {Cos, nan, 0, nan},
			{Floor, -.5, 0, -1}, {Floor, negZero, 0, negZero}, {Floor, inf, 0, inf}, {Floor, nan, 0, nan}, {Floor, 0x1p30, 0, 0x1p30},
			{Round, -.5, 0, negZero}, {Round, 2.5, 0, 2}, {Round, -3.5, 0, -4}, {Round, negZero, 0, negZero}, {Round, -inf, 0, -inf}, {Round, nan, 0, nan}, {Round, 0x1.000002p23, 0, 0x1.000002p23},
			{Sign, nan, 0, nan}, {Sign, negZero, 0, negZero}, {Sign, -inf, 0, -1}, {Sign, 3, 0, 1}, {Sign, denormal, 0, 0},
			{Mul, denormal, inf, nan}, {Mul, denormal, 1, 0}, {Add, denormal, denormal, 0},
			{Mul, 0x1p-100, 0x1p-30, 0}, {Div, 1, denormal, inf}, {Sqrt, negZero, 0, negZero}, {Sqrt, -1, 0, nan},
			{Axpy, denormal, 1, 1}, {ReLUGrad, denormal, 1, 1}, {Max, denormal, 0, denormal}, {Min, denormal, 1, denormal}, {MaxC, denormal, 0, 1}, {MinC, denormal, 0, denormal},
		} {
			for _, n := range []int{1, 16, 67} { // rest, one vector, unrolled
				x, y, got, want := simdtest.Repeat(c.x, n), simdtest.Repeat(c.y, n), make([]float32, n), simdtest.Repeat(c.want, n)
				k.Map(c.op, got, x, y, 1)
				simdtest.RequireBits(t, want, got)
			}
		}
	})
}

func TestSumAndDot(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(9, 9))
		for _, n := range []int{0, 1, 3, 7, 8, 15, 16, 17, 63, 64, 65, 100, 1000, 20011} {
			x, y := simdtest.Randoms[float32](rng, n), simdtest.Randoms[float32](rng, n+1)
			sum, dot := 0.0, 0.0
			for i := range x {
				sum += float64(x[i])
				dot += float64(x[i]) * float64(y[i])
			}
			require.InDelta(t, sum, float64(k.Sum(x)), 1e-6*float64(n+1))
			require.InDelta(t, dot, float64(k.Dot(x, y)), 1e-6*float64(n+1))
		}
		require.True(t, math.IsNaN(float64(k.Sum([]float32{1, float32(math.NaN())}))))
		require.EqualValues(t, 0, k.Sum(simdtest.Repeat(0x1p-130, 1000)))
	})
}

// TestSumRows: at every length, with rows apart, adjoining, and into the first of them.
func TestSumRows(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(9, 11))
		for _, n := range []int{0, 1, 2, 7, 8, 9, 15, 16, 17, 33, 63, 64, 65, 130, 1023, 1025, 2600} {
			for _, stride := range []int{n, n + 1, n + 17} {
				x := simdtest.Mixed(rng, 8*stride+n)
				want, got := make([]float32, n), make([]float32, n)
				if n > 0 {
					sum8Go(want, x, x[4*stride:], stride)
				}
				k.SumRows(got, x, stride)
				simdtest.RequireBits(t, want, got)
				k.SumRows(x[:n], x, stride)
				simdtest.RequireBits(t, want, x[:n])
			}
		}
	})
}

func BenchmarkMap(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	const n = 2048 // three vectors are in the first-level cache
	x, y, dst := simdtest.Randoms[float32](rng, n), simdtest.Randoms[float32](rng, n), make([]float32, n)
	for _, l := range isa.Levels() {
		for _, op := range []Op{Add, Max, ReLUGrad, Exp, Log, Tanh, Sigmoid, Pow, GELU, GELUGrad, GELUTanh, GELUTanhGrad} {
			b.Run(fmt.Sprintf("%v/%v", op, l), func(b *testing.B) {
				for b.Loop() {
					with(l).Map(op, dst, x, y, 1)
				}
				b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds()/1e9, "Gelem/s")
			})
		}
	}
}
