package enginetest

import (
	"math"
	"math/rand/v2"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// source draws the elements of an input. A nil source draws bits: any value of the type.
type source func(r *rand.Rand) float64

// fill sets b from s.
func (s source) fill(r *rand.Rand, b engine.Buffer) {
	if s == nil {
		fillBits(r, b)
		return
	}
	v := make([]float64, b.Len())
	for i := range v {
		v[i] = s(r)
	}
	engine.Load(b, v)
}

func fillBits(r *rand.Rand, b engine.Buffer) {
	mem := b.Bytes()
	for i := range mem {
		mem[i] = byte(r.Uint32())
		if b.DType() == shape.Bool {
			mem[i] &= 1
		}
	}
}

// uniform draws from [lo, hi).
func uniform(lo, hi float64) source {
	return func(r *rand.Rand) float64 { return lo + (hi-lo)*r.Float64() }
}

// signed draws from [-1, 1).
var signed = uniform(-1, 1)

// whole draws whole numbers from lo to hi.
func whole(lo, hi int) source {
	return func(r *rand.Rand) float64 { return float64(lo + r.IntN(hi-lo+1)) }
}

// among draws from a list.
func among(v ...float64) source {
	return func(r *rand.Rand) float64 { return v[r.IntN(len(v))] }
}

// rarely draws from odd once in n times, else from s.
func rarely(n int, odd, s source) source {
	return func(r *rand.Rand) float64 {
		if r.IntN(n) == 0 {
			return odd(r)
		}
		return s(r)
	}
}

var (
	inf       = math.Inf(1)
	nan       = math.NaN()
	negZero   = math.Copysign(0, -1)
	nonFinite = among(nan, inf, -inf)
	noNumber  = among(nan)
	denormal  = among(0x1p-149, -0x1p-149, 0x1.8p-130, -0x1.8p-127, 0x1p-1074, -0x1p-1023)
)

// terms draws what products and sums are made of: numbers in [-1, 1), and rarely what is none or is
// denormal.
var terms = rarely(1500, oneOf(nonFinite, denormal), signed)

// oneOf draws from one of several.
func oneOf(of ...source) source {
	return func(r *rand.Rand) float64 { return of[r.IntN(len(of))](r) }
}

// corners are where functions are likely to be wrong: signed zeros, bounds of the range of
// results, the least normal and denormal numbers, halves and integers.
var corners = among(
	0, negZero, 1, -1, 0.5, -0.5, 1.5, -2.5, 2, 3, -3, 10, 100, -100,
	inf, -inf, nan,
	0x1p-126, -0x1p-126, 0x1p-149, -0x1p-149, 0x1.8p-130, 0x1p-24, -0x1p-24, 0x1p-1022, 0x1p-1074,
	math.MaxFloat32, -math.MaxFloat32, math.MaxFloat64, -math.MaxFloat64,
	88.5, 88.8, -87.2, -87.5, -103.5, -104.5, 709.5, 710, -745, -746, 9, -9, 17, -17,
	math.Pi, math.Pi/2, 1<<23, 1<<24+2, 1<<31, 1<<40, -1<<40, 1<<53,
)

// spread draws numbers of any sign and of magnitudes from 2^-20 to 2^20.
func spread(r *rand.Rand) float64 {
	v := math.Exp2(r.Float64()*40 - 20)
	if r.IntN(2) == 0 {
		return -v
	}
	return v
}

// anyOf draws numbers that d can hold.
func anyOf(d shape.DType) source {
	switch d {
	case shape.Bool:
		return whole(0, 1)
	case shape.Uint8:
		return whole(0, 255)
	case shape.Int32:
		return rarely(4, among(math.MinInt32, math.MaxInt32), whole(-20, 20))
	case shape.Int64:
		return rarely(4, among(math.MinInt64, 1<<62, 1<<53+2), whole(-20, 20))
	}
	return rarely(3, corners, spread)
}

// eighths draws numbers that sums and products of a few keep exactly, and corners.
var eighths = rarely(20, among(nan, inf, -inf, negZero), func(r *rand.Rand) float64 { return float64(r.IntN(129)-64) / 8 })
