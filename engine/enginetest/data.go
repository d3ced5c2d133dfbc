package enginetest

import (
	"math"
	"math/rand/v2"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// source returns a function that draws the elements of an input. A nil source draws random bits:
// any value of the type.
type source func(r *rand.Rand) (draw func() float64)

// fill sets b from s.
func (s source) fill(r *rand.Rand, b engine.Buffer) {
	if s == nil {
		fillBits(r, b)
		return
	}
	draw, v := s(r), make([]float64, b.Len())
	for i := range v {
		v[i] = draw()
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

// each returns a source that draws every element by f.
func each(f func(r *rand.Rand) float64) source {
	return func(r *rand.Rand) func() float64 { return func() float64 { return f(r) } }
}

// uniform returns a source of numbers in [lo, hi).
func uniform(lo, hi float64) source {
	return each(func(r *rand.Rand) float64 { return lo + (hi-lo)*r.Float64() })
}

// signed draws numbers in [-1, 1).
var signed = uniform(-1, 1)

// whole returns a source of whole numbers from lo to hi.
func whole(lo, hi int) source {
	return each(func(r *rand.Rand) float64 { return float64(lo + r.IntN(hi-lo+1)) })
}

// among returns a source that draws from a list.
func among(v ...float64) source {
	return each(func(r *rand.Rand) float64 { return v[r.IntN(len(v))] })
}

// mixed returns a source that draws from odd once in n times, and otherwise from s.
func mixed(n int, odd, s source) source {
	return func(r *rand.Rand) func() float64 {
		strange, plain := odd(r), s(r)
		return func() float64 {
			if r.IntN(n) == 0 {
				return strange()
			}
			return plain()
		}
	}
}

// rarely is mixed for half of the inputs. The others are drawn only from s: a single NaN can hide
// everything else in an input, and values that are not finite may select another algorithm.
func rarely(n int, odd, s source) source {
	strange := mixed(n, odd, s)
	return func(r *rand.Rand) func() float64 {
		if r.IntN(2) == 0 {
			return s(r)
		}
		return strange(r)
	}
}

// oneOf returns a source that draws from one of several.
func oneOf(of ...source) source {
	return func(r *rand.Rand) func() float64 {
		var draws []func() float64
		for _, s := range of {
			draws = append(draws, s(r))
		}
		return func() float64 { return draws[r.IntN(len(draws))]() }
	}
}

// peaks draws rows of n numbers in [-1, 1), each with one that is far above the others, or below
// them if height is negative: in the first row the last, and in each following row one nearer to
// the front.
func peaks(rows, n int, height float64) source {
	return func(r *rand.Rand) func() float64 {
		i, plain := -1, signed(r)
		return func() float64 {
			i++
			if row := i / n; i%n == n-1-row*n/rows%n {
				return height * (1 + r.Float64())
			}
			return plain()
		}
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

// terms draws factors and terms of products and sums: numbers in [-1, 1), and rarely a denormal or
// a value that is not finite.
var terms = rarely(1500, oneOf(nonFinite, denormal), signed)

// corners are values for which functions are likely to be wrong: signed zeros, limits of the range
// of results, the smallest normal and denormal numbers, halves and integers.
var corners = among(
	0, negZero, 1, -1, 0.5, -0.5, 1.5, -2.5, 2, 3, -3, 10, 100, -100,
	inf, -inf, nan,
	0x1p-126, -0x1p-126, 0x1p-149, -0x1p-149, 0x1.8p-130, 0x1p-24, -0x1p-24, 0x1p-1022, 0x1p-1074,
	math.MaxFloat32, -math.MaxFloat32, math.MaxFloat64, -math.MaxFloat64,
	88.5, 88.8, -87.2, -87.5, -103.5, -104.5, 709.5, 710, -745, -746, 9, -9, 17, -17,
	math.Pi, math.Pi/2, 1<<23, 1<<24+2, 1<<31, 1<<40, -1<<40, 1<<53,
)

// spread draws numbers of any sign and of magnitudes from 2^-20 to 2^20.
var spread = each(func(r *rand.Rand) float64 {
	v := magnitude(r)
	if r.IntN(2) == 0 {
		return -v
	}
	return v
})

func magnitude(r *rand.Rand) float64 { return math.Exp2(r.Float64()*40 - 20) }

// anyOf returns a source of numbers that d can represent.
func anyOf(d shape.DType) source {
	switch d {
	case shape.Bool:
		return whole(0, 1)
	case shape.Uint8:
		return whole(0, 255)
	case shape.Int8:
		return whole(-128, 127)
	case shape.BFloat16, shape.Float16:
		return nil // NaN of any payload, and numbers of any size
	case shape.Int32:
		return mixed(4, among(math.MinInt32, math.MaxInt32), whole(-20, 20))
	case shape.Int64:
		return mixed(4, among(math.MinInt64, 1<<62, 1<<53+2), whole(-20, 20))
	}
	return mixed(3, corners, spread)
}

// eighths draws numbers of which small sums and products are exact, and corners.
var eighths = rarely(20, among(nan, inf, -inf, negZero), each(func(r *rand.Rand) float64 { return float64(r.IntN(129)-64) / 8 }))

// halfway draws numbers of type from that lie between two neighbours of type to, halfway or next
// to that, and those of type to.
func halfway(to, from shape.DType) source {
	return each(func(r *rand.Rand) float64 {
		two := newBuffer(to, 2)
		bits := r.Uint32() % (1<<(8*to.Width()) - 1)
		for i := range two.Bytes() {
			two.Bytes()[i] = byte((bits + uint32(i/to.Width())) >> (8 * (i % to.Width()))) // little-endian; elsewhere, others
		}
		v := engine.Floats(two)
		middle := v[0]/2 + v[1]/2
		if r.IntN(4) == 0 || math.IsInf(middle, 0) {
			middle = v[0]
		}
		switch towards := math.Inf(r.IntN(2)*2 - 1); {
		case r.IntN(2) == 0:
		case from == shape.Float32:
			middle = float64(math.Nextafter32(float32(middle), float32(towards)))
		default:
			middle = math.Nextafter(middle, towards)
		}
		if !from.Holds(middle) {
			return math.Trunc(math.Mod(middle, 100))
		}
		return middle
	})
}
