package viz

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// tooLarge is the magnitude from which a value counts as infinite. The difference of two smaller
// values does not overflow.
const tooLarge = 1e300

// finite reports whether a point can be drawn.
func (p point) finite() bool { return math.Abs(p.x) <= tooLarge && math.Abs(p.y) <= tooLarge }

// axis is an interval of values, lo < hi, drawn from pixel from to pixel to. On a logarithmic axis
// lo and hi are logarithms to base 10.
type axis struct {
	lo, hi, from, to float64
	log              bool
}

// has reports whether v can be shown on the axis.
func (a axis) has(v float64) bool { return !a.log || v >= 1/tooLarge }

// scale returns v on the scale of the axis.
func (a axis) scale(v float64) float64 {
	if a.log {
		return math.Log10(v)
	}
	return v
}

// over returns the axis from the smallest to the largest of scaled values.
func (a axis) over(scaled []float64) axis {
	a.lo, a.hi = slices.Min(scaled), slices.Max(scaled)
	return a
}

// padded widens the axis by a fraction of its length, but not beyond a bound that the values keep.
// A single value, or several that float64 hardly distinguishes, get an interval around them.
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
		if size == 0 || a.log {
			pad = 0.5
		}
	}
	a.lo, a.hi = math.Max(a.lo-pad, least), math.Min(a.hi+pad, most)
	return a
}

// at returns the pixel of a value.
func (a axis) at(v float64) float64 { return a.from + (a.scale(v)-a.lo)/(a.hi-a.lo)*(a.to-a.from) }

// step returns the smallest of 1, 2 and 5 times a power of ten with which the axis has at most
// count ticks. With whole it is at least 1.
func (a axis) step(count int, whole bool) float64 {
	raw := (a.hi - a.lo) / float64(max(count, 1))
	power := math.Pow10(int(math.Floor(math.Log10(raw))))
	step := 10 * power
	for _, nice := range [...]float64{1, 2, 5} {
		if nice*power*(1+1e-9) >= raw { // tolerates rounding errors
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

// marks returns the multiples of the axis' step, with as many digits as needed to distinguish them.
// A single mark does not show the scale: a step that leaves fewer than two is refined.
func (a axis) marks(count int, whole bool) []mark {
	if a.log {
		return a.decades(count)
	}
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

// decades returns the marks of a logarithmic axis: powers of ten and, if there are few, 2 and 5
// times each. A short interval is nearly linear, and marked as if it were.
func (a axis) decades(count int) (out []mark) {
	if a.hi-a.lo < 0.7 {
		return axis{lo: math.Pow(10, a.lo), hi: math.Pow(10, a.hi)}.marks(count, false)
	}
	times := []float64{1}
	if a.hi-a.lo < 2 {
		times = []float64{1, 2, 5}
	}
	for most := max(count, 1); len(out) < 2 && most <= count+4; most++ {
		out = out[:0]
		each := math.Max(1, math.Ceil((a.hi-a.lo)/float64(most)))
		for e := math.Floor(a.lo/each) * each; e <= a.hi; e += each {
			for _, t := range times {
				if at := e + math.Log10(t); at >= a.lo-1e-9 && at <= a.hi+1e-9 {
					v := t * math.Pow(10, e)
					out = append(out, mark{v, power(v)})
				}
			}
		}
	}
	return out
}

// power formats a mark of a logarithmic axis.
func power(v float64) string {
	for _, u := range units[:4] {
		if v >= u.from && v < 1e15 {
			return strconv.FormatFloat(v/u.size, 'g', 6, 64) + u.suffix
		}
	}
	if v >= 0.999e-3 && v < 1e15 {
		return strconv.FormatFloat(v, 'g', 6, 64)
	}
	return minus(exponents.Replace(strconv.FormatFloat(v, 'e', 0, 64)))
}

// units abbreviate large numbers with few digits. Larger numbers, and those below a thousandth,
// have an exponent.
var units = [...]struct {
	from, size float64
	suffix     string
}{{1e12, 1e12, "T"}, {1e9, 1e9, "G"}, {1e6, 1e6, "M"}, {1e4, 1e3, "k"}, {1e-3, 1, ""}}

// label formats v, a multiple of step, on an axis with the given largest magnitude.
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
	// 1.001 makes up for a rounding error in 0.1.
	return max(0, -int(math.Floor(math.Log10(step*1.001))))
}

// number formats v with the given number of significant digits, and an exponent without padding.
func number(v float64, digits int) string {
	return exponents.Replace(strconv.FormatFloat(v, 'g', digits, 64))
}

var exponents = strings.NewReplacer("e+0", "e", "e+", "e", "e-0", "e-")

// minus makes the sign as wide as a digit.
func minus(s string) string { return strings.ReplaceAll(s, "-", "−") }
