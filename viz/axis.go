package viz

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// tooLarge is where a value counts as infinite: the span of two such still fits a float64.
const tooLarge = 1e300

// finite is whether a point can be drawn.
func (p point) finite() bool { return math.Abs(p.x) <= tooLarge && math.Abs(p.y) <= tooLarge }

// axis is an interval of values, lo < hi, drawn from pixel from to pixel to.
type axis struct{ lo, hi, from, to float64 }

// span is the axis from the least to the greatest value.
func span(values []float64) axis { return axis{lo: slices.Min(values), hi: slices.Max(values)} }

// padded widens the axis by a part of itself, but not over a bound that the values keep. One value,
// or several that float64 hardly tells apart, get an interval around them.
func (a axis) padded(part, least, most float64) axis {
	if a.lo < least {
		least = math.Inf(-1)
	}
	if a.hi > most {
		most = math.Inf(1)
	}
	pad := part * (a.hi - a.lo)
	if size := math.Max(math.Abs(a.lo), math.Abs(a.hi)); a.hi-a.lo <= math.Max(1e-9*size, 1e-290) {
		pad = math.Max(0.1*size, 1e-280)
		if size == 0 {
			pad = 0.5
		}
	}
	a.lo, a.hi = math.Max(a.lo-pad, least), math.Min(a.hi+pad, most)
	return a
}

// at is the pixel of a value.
func (a axis) at(v float64) float64 { return a.from + (v-a.lo)/(a.hi-a.lo)*(a.to-a.from) }

// step is the smallest of 1, 2 and 5 times a power of ten that puts no more than count ticks on the
// axis; whole makes it 1 or more.
func (a axis) step(count int, whole bool) float64 {
	raw := (a.hi - a.lo) / float64(max(count, 1))
	power := math.Pow10(int(math.Floor(math.Log10(raw))))
	step := 10 * power
	for _, nice := range [...]float64{1, 2, 5} {
		if nice*power*(1+1e-9) >= raw { // 0.01 and a rounding error is 0.01
			step = nice * power
			break
		}
	}
	if whole {
		step = math.Max(step, 1)
	}
	return step
}

// mark is a labelled value of an axis.
type mark struct {
	value float64
	text  string
}

// marks are the multiples of the axis' step, written with as many digits as tell them apart. One
// says nothing of the scale: a step that leaves fewer than two is refined.
func (a axis) marks(count int, whole bool) []mark {
	size := math.Max(math.Abs(a.lo), math.Abs(a.hi))
	var out []mark
	for most := count; len(out) < 2 && most <= count+4; most++ {
		out = out[:0]
		step := a.step(most, whole)
		for i := math.Ceil(a.lo / step); i*step <= a.hi; i++ {
			out = append(out, mark{i * step, label(i*step, step, size)})
		}
	}
	return out
}

// units shorten large numbers that have few digits; beyond them, and below a thousandth, exponents do.
var units = [...]struct {
	from, size float64
	suffix     string
}{{1e12, 1e12, "T"}, {1e9, 1e9, "G"}, {1e6, 1e6, "M"}, {1e4, 1e3, "k"}, {1e-3, 1, ""}}

// label writes v, a multiple of step, on an axis whose greatest value by size is given.
func label(v, step, size float64) string {
	if v == 0 {
		return "0"
	}
	if size < 1e15 {
		for _, u := range units {
			if size >= u.from && (u.size == 1 || step >= u.size/100) {
				return minus(strconv.FormatFloat(v/u.size, 'f', decimals(step/u.size), 64) + u.suffix)
			}
		}
	}
	digits := 1 + max(0, int(math.Floor(math.Log10(math.Abs(v))))-int(math.Floor(math.Log10(step*1.001))))
	return minus(number(v, digits))
}

func decimals(step float64) int {
	// 1.001 keeps 0.1 from being read as a little less than a tenth.
	return max(0, -int(math.Floor(math.Log10(step*1.001))))
}

// number writes v with the given significant digits and an exponent without padding.
func number(v float64, digits int) string {
	s := strconv.FormatFloat(v, 'g', digits, 64)
	return strings.NewReplacer("e+0", "e", "e+", "e", "e-0", "e-").Replace(s)
}

// minus sets the sign as wide as a digit, as figures are.
func minus(s string) string { return strings.ReplaceAll(s, "-", "−") }
