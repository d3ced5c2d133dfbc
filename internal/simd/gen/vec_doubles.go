package main

import (
	"fmt"
	"math"
	"strings"
)

// doubles are float64 vectors, with the same registers.
func (t *target) doubles() *target {
	other := *t
	other.elem = 8
	return &other
}

// suffix is what names of kernels of float64 have.
func (t *target) suffix() string {
	if t.elem == 8 {
		return "64"
	}
	return ""
}

// doubleParams is the signature of the maps of float64.
const doubleParams = "n int, dst, x, y *float64, c float64"

// doubleVectors writes the kernels on vectors of float64. They see denormals, and give them: they are
// for those who want digits.
func doubleVectors(t *target) string {
	t = t.doubles()
	var s strings.Builder
	s.WriteString("\tmaps64: [opCount64]mapFunc64{\n")
	for _, l := range append(append(arithmetic(), unaryDoubles()...), otherDoubles()...) {
		field := strings.ToUpper(l.name[:1]) + l.name[1:]
		l.name, l.params, l.exact = l.name+"64", doubleParams, true
		l.emit(t)
		fmt.Fprintf(&s, "\t\t%s: %s%s,\n", field, l.name, t.name)
	}
	s.WriteString("\t},\n")
	sum := reductions()[0]
	sum.name, sum.params = "sum64", "n int, x, y *float64"
	sum.emit(t)
	fmt.Fprintf(&s, "\tsum64: sum64%s,\n", t.name)
	return s.String()
}

const (
	sign64 = constant(1 << 63)
	bits64 = constant(1<<63 - 1)
)

// unaryDoubles are the functions of x.
func unaryDoubles() []*loop {
	all := []*loop{
		{name: "neg", doc: "sets dst to -x.", live: 1, consts: []constant{sign64}, body: func(e *lanes) []values {
			x := e.val("x")
			e.xor(x, x, e.c(sign64))
			return []values{x}
		}},
		{name: "abs", doc: "sets dst to |x|.", live: 1, consts: []constant{bits64}, body: func(e *lanes) []values {
			x := e.val("x")
			e.and(x, x, e.c(bits64))
			return []values{x}
		}},
		{name: "sqrt", doc: "sets dst to the square root of x.", live: 1, body: func(e *lanes) []values {
			x := e.val("x")
			e.sqrt(x, x)
			return []values{x}
		}},
		{name: "floor", doc: "sets dst to the greatest whole number not above x.", live: 1, body: func(e *lanes) []values {
			x := e.val("x")
			e.round(x, x, downwards)
			return []values{x}
		}},
		{name: "round", doc: "sets dst to the nearest whole number, of two the even one.", live: 1, body: func(e *lanes) []values {
			x := e.val("x")
			e.round(x, x, nearest)
			return []values{x}
		}},
		{name: "exp", doc: "sets dst to e to the x.", live: 4, consts: expConsts64, body: func(e *lanes) []values {
			x, y := e.val("x"), e.tmp()
			e.exp64(y, x, e.tmp(), e.tmp(), expPoly64)
			return []values{y}
		}},
		{name: "sigmoid", doc: "sets dst to 1/(1+exp(-x)).", live: 5, consts: expConsts64, body: (*lanes).sigmoid64},
		{name: "tanh", doc: "sets dst to the hyperbolic tangent of x.", live: 5, consts: expConsts64, body: (*lanes).tanh64},
		{name: "log", doc: "sets dst to the natural logarithm of x.", live: 6, consts: logConsts64, body: (*lanes).log64},
		{name: "erf", doc: "sets dst to the error function of x.", live: 6, consts: expConsts64, body: func(e *lanes) []values {
			x, y := e.val("x"), e.tmp()
			e.errorFunction64(y, x, e.tmp(), e.tmp(), e.tmp(), e.tmp())
			return []values{y}
		}},
		{name: "gELU", doc: "sets dst to x/2 (1+erf(x/sqrt(2))).", live: 7, consts: expConsts64, body: (*lanes).gelu64},
	}
	for _, l := range all {
		l.in, l.out = []string{"x"}, []string{"dst"}
	}
	return all
}

// otherDoubles are functions of x and y.
func otherDoubles() []*loop {
	return append(other(), &loop{name: "gELUGrad", doc: "sets dst to the gradient of GELU.", in: []string{"x", "y"}, out: []string{"dst"},
		live: 8, consts: expConsts64, body: (*lanes).geluGrad64})
}

// The exponential is that of float32, with Taylor's polynomial: its next term is 4e-18 at most.
var (
	log2e64     = d(math.Log2E)
	ln2High64   = d(0x1.62e42fefa39efp-1)
	ln2Low64    = d(0x1.abc9e3b39803fp-56)
	bias64      = d(0x1.8p52 + 1023) // whose sum with a whole number n has n + 1023 in its last bits
	expPoly64   = inverseFactorials(13, 2)
	expConsts64 = append([]constant{log2e64, ln2High64, ln2Low64, d(1)}, expPoly64...)
)

// inverseFactorials are 1/from!, ... 1/to!.
func inverseFactorials(from, to int) (all []constant) {
	for n := from; n >= to; n-- {
		all = append(all, d(1/math.Gamma(float64(n+1))))
	}
	return all
}

// exp64 sets p to e to the x, by 1 + x + x^2 P(x) near 0; x, n and t are scratch from there on.
func (e *lanes) exp64(p, x, n, t values, poly []constant) {
	// Beyond these bounds the result is 0 or infinite; in this order NaN stays.
	e.set(n, d(-746))
	e.larger(x, n, x)
	e.set(n, d(710))
	e.smaller(x, n, x)
	e.mul(n, x, e.c(log2e64))
	e.round(n, n, nearest)
	e.submul(x, n, e.c(ln2High64))
	e.submul(x, n, e.c(ln2Low64))
	e.poly(p, x, poly)
	e.horner(p, x, e.c(d(1)))
	e.horner(p, x, e.c(d(1)))
	if e.mask == opmask {
		e.each(func(i int) { e.VSCALEFPD(n[i], p[i], p[i]) })
		return
	}
	// 2^n in two factors, since n may be beyond the exponents of either end.
	e.mul(t, n, e.c(d(.5)))
	e.round(t, t, nearest)
	e.sub(n, n, t)
	for _, half := range []values{t, n} {
		e.sum(half, half, e.c(bias64))
		e.left(half, half, 52)
		e.mul(p, p, half)
	}
}

// sigmoid64 takes the exponential of -|x|, which does not overflow.
func (e *lanes) sigmoid64() []values {
	x, y, a, n, t := e.val("x"), e.tmp(), e.tmp(), e.tmp(), e.tmp()
	e.and(a, x, e.c(bits64))
	e.xor(a, a, e.c(sign64))
	e.exp64(y, a, n, t, expPoly64)
	e.sum(a, y, e.c(d(1)))
	e.set(n, d(1))
	e.set(t, 0)
	e.where(less, y, x, t, y, n, t)
	e.div(y, y, a)
	return []values{y}
}

// tanh64 is 1 - 2/(exp(2|x|)+1), and below .625 Cephes' x + x^3 P(x^2)/Q(x^2).
func (e *lanes) tanh64() []values {
	p := []constant{d(-9.64399179425052238628e-1), d(-9.92877231001918586564e1), d(-1.61468768441708447952e3)}
	q := []constant{d(1), d(1.12811678491632931402e2), d(2.23548839060100448583e3), d(4.84406305325125486048e3)}
	x, y, a, n, t := e.val("x"), e.tmp(), e.tmp(), e.tmp(), e.tmp()
	e.and(a, x, e.c(bits64))
	e.sum(a, a, a)
	e.exp64(y, a, n, t, expPoly64)
	e.sum(y, y, e.c(d(1)))
	e.set(a, d(2))
	e.div(y, a, y)
	e.set(a, d(1))
	e.sub(y, a, y)
	e.and(t, x, e.c(sign64))
	e.or(y, y, t)

	e.mul(n, x, x)
	e.poly(a, n, p)
	e.poly(t, n, q)
	e.div(a, a, t)
	e.mul(a, a, n)
	e.horner(a, x, x)
	e.and(n, x, e.c(bits64))
	e.where(less, y, n, e.c(d(.625)), a, y, n)
	e.and(n, x, e.c(sign64)) // that of -0
	e.or(y, y, n)
	return []values{y}
}

// The logarithm is FreeBSD's: of x = 2^k (1+f) with 1+f from sqrt(1/2) to sqrt(2), and s = f/(2+f).
var (
	sqrtHalf64  = constant(0x3fe6a09e667f3bcd)
	logPoly64   = []constant{d(1.479819860511658591e-1), d(1.531383769920937332e-1), d(1.818357216161805012e-1), d(2.222219843214978396e-1), d(2.857142874366239149e-1), d(3.999999999940941908e-1), d(6.666666666666735130e-1)}
	logHigh64   = d(6.93147180369123816490e-1)
	logLow64    = d(1.90821492927058770002e-10)
	fraction64  = constant(1<<52 - 1)
	whole64     = d(0x1p52) // whose sum with a whole number n below has n in its last bits
	logConsts64 = append([]constant{sqrtHalf64, logHigh64, logLow64, d(1), d(.5), d(2), fraction64, whole64}, logPoly64...)
)

func (e *lanes) log64() []values {
	x, k, f, r, s, t := e.val("x"), e.tmp(), e.tmp(), e.tmp(), e.tmp(), e.tmp()
	// A denormal is scaled, and its exponent lowered.
	e.mul(r, x, e.c(d(0x1p54)))
	e.where(less, f, x, e.c(d(0x1p-1022)), r, x, t)
	e.set(s, d(0x1p52+1023+54))
	e.set(k, d(0x1p52+1023))
	e.where(less, s, x, e.c(d(0x1p-1022)), s, k, t)

	e.logarithm64(f, k, r, s, t)

	// 0 gives -Inf, less gives NaN, +Inf and NaN give themselves.
	e.set(k, d(math.Inf(-1)))
	e.set(s, 0)
	e.where(lessEqual, f, x, s, k, f, t)
	e.set(k, d(math.NaN()))
	e.where(less, f, x, s, k, f, t)
	e.set(k, d(math.Inf(1)))
	e.where(less, f, x, k, f, x, t)
	return []values{f}
}

// logarithm64 sets f to its logarithm, for a positive normal number; s is 2^52 and what the exponent
// is too large by, and k, r and t are scratch.
func (e *lanes) logarithm64(f, k, r, s, t values) {
	e.subi(f, f, e.c(sqrtHalf64-1023<<52))
	e.logicalRight(k, f, 52)
	e.or(k, k, e.c(whole64))
	e.sub(k, k, s)
	e.and(f, f, e.c(fraction64))
	e.addi(f, f, e.c(sqrtHalf64))
	e.sub(f, f, e.c(d(1)))

	e.sum(s, f, e.c(d(2)))
	e.div(s, f, s)
	e.mul(t, s, s)
	e.poly(r, t, logPoly64)
	e.mul(r, r, t)
	e.mul(t, f, f)
	e.mul(t, t, e.c(d(.5)))
	e.sum(r, r, t)
	e.mul(r, r, s)
	e.addmul(r, k, e.c(logLow64))
	e.sub(t, t, r)
	e.sub(f, f, t)
	e.addmul(f, k, e.c(logHigh64))
}

// The power of positive normal float32 numbers is computed in float64, by fewer terms of the
// exponential: those up to r^8, the next of which is below 2e-10.
var powConsts = []constant{sqrtHalf64, logHigh64, logLow64, d(1), d(.5), d(2), fraction64, whole64, log2e64, ln2High64, ln2Low64}

// power writes the kernel of powers.
func power() *loop {
	return &loop{name: "pow", doc: "sets dst to x to the y, of which x is positive and normal, and y finite.", params: mapParams,
		in: []string{"x", "y"}, out: []string{"dst"}, live: 6, narrow: true, consts: powConsts,
		body: func(e *lanes) []values {
			x, y, k, r, s, u := e.val("x"), e.val("y"), e.tmp(), e.tmp(), e.tmp(), e.tmp()
			e.set(s, d(0x1p52+1023))
			e.logarithm64(x, k, r, s, u)
			e.mul(x, x, y)
			e.exp64(y, x, k, r, expPoly64[len(expPoly64)-7:])
			return []values{y}
		}}
}

// The error function is x P(x^2) below 1, and elsewhere 1 - exp(-x^2) Q(t) with t = (x-3)/(x+3).
// Both polynomials interpolate at Chebyshev's nodes; their relative errors are 2e-17 and 2e-16.
var (
	erfPoly64 = []constant{d(5.957176147748911e-11), d(-1.1372848856791674e-09), d(1.4659775274047436e-08), d(-1.6350312701054695e-07),
		d(1.6461000484121368e-06), d(-1.4925595266831182e-05), d(0.0001205533111164271), d(-0.000854832698083379), d(0.0052239776248180145),
		d(-0.026866170645076792), d(0.11283791670954879), d(-0.3761263890318375), d(1.1283791670955126)}
	erfcPoly64 = []constant{d(-5.518836192754829e-08), d(1.197458866912152e-06), d(2.0030978624293597e-06), d(-7.984056456119058e-06),
		d(-1.2836860311377703e-05), d(6.405977406817114e-05), d(4.525282045928791e-05), d(-0.0005970623557586562), d(0.0007077465809813593),
		d(0.004269136355789601), d(-0.0243924993229705), d(0.07166583719739641), d(-0.15011593650071775), d(0.24560380171233623),
		d(-0.3262335600430375), d(0.17900115118138996)}
)

// errorFunction64 sets y to the error function of x; the others are scratch.
func (e *lanes) errorFunction64(y, x, a, n, t, u values) {
	e.and(a, x, e.c(bits64))
	e.set(n, d(6.5)) // from 5.93 on it is 1
	e.smaller(a, n, a)
	e.sum(t, a, e.c(d(3)))
	e.sub(n, a, e.c(d(3)))
	e.div(u, n, t)
	e.poly(y, u, erfcPoly64)
	e.mul(a, a, a)
	e.xor(a, a, e.c(sign64))
	e.exp64(u, a, n, t, expPoly64)
	e.mul(u, u, y)
	e.set(y, d(1))
	e.sub(u, y, u)
	e.and(a, x, e.c(sign64))
	e.or(u, u, a)

	e.mul(n, x, x)
	e.poly(y, n, erfPoly64)
	e.mul(y, y, x)
	e.and(a, x, e.c(bits64))
	e.where(less, y, a, e.c(d(1)), y, u, a)
}

func (e *lanes) gelu64() []values {
	x, z, y := e.val("x"), e.tmp(), e.tmp()
	e.mul(z, x, e.c(d(math.Sqrt2/2)))
	e.errorFunction64(y, z, e.tmp(), e.tmp(), e.tmp(), e.tmp())
	e.sum(y, y, e.c(d(1)))
	e.mul(x, x, e.c(d(.5)))
	e.mul(y, y, x)
	return []values{y}
}

func (e *lanes) geluGrad64() []values {
	x, dy, z, y, u, t, a, n := e.val("x"), e.val("y"), e.tmp(), e.tmp(), e.tmp(), e.tmp(), e.tmp(), e.tmp()
	e.mul(z, x, e.c(d(math.Sqrt2/2)))
	e.errorFunction64(y, z, a, n, t, u)
	e.sum(y, y, e.c(d(1)))
	e.mul(y, y, dy)
	e.mul(y, y, e.c(d(.5)))

	e.mul(z, z, z)
	e.xor(z, z, e.c(sign64))
	e.exp64(u, z, n, t, expPoly64)
	e.mul(u, u, e.c(d(2/math.Sqrt(math.Pi))))
	e.mul(z, x, e.c(d(.5)))
	e.mul(z, z, dy)
	e.mul(u, u, z)
	e.mul(u, u, e.c(d(math.Sqrt2/2)))
	e.and(t, x, e.c(bits64))
	e.set(n, 0)
	e.where(lessEqual, u, t, e.c(d(1000)), u, n, t)
	e.sum(y, y, u)
	return []values{y}
}
