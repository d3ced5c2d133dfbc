package main

import "math"

// mapParams is the signature of all kernels of maps; most ignore some of it.
const mapParams = "n int, dst, x, y *float32, c float32"

// maps are the kernels dst[i] = op(x[i], y[i], c).
func maps() []*loop {
	all := append(append(append(arithmetic(), unary()...), other()...), activations()...)
	for _, l := range all {
		l.params = mapParams
	}
	return all
}

// arithmetic are the functions of two vectors, or of a vector and a constant.
func arithmetic() (all []*loop) {
	for _, op := range []struct {
		name, doc string
		forms     string // V: x op y, C: x op c, R: c op x
		live      int
		exact     bool
		body      func(e *lanes, d, x, y values)
	}{
		{"add", "+", "VC", 3, false, (*lanes).sum},
		{"sub", "-", "VR", 3, false, (*lanes).sub},
		{"mul", "*", "VC", 3, false, (*lanes).mul},
		{"div", "/", "VCR", 3, false, (*lanes).div},
		{"max", "max", "VC", 5, true, (*lanes).max},
		{"min", "min", "VC", 4, true, (*lanes).min},
	} {
		for _, form := range op.forms {
			l := &loop{out: []string{"dst"}, live: op.live, exact: op.exact}
			switch form {
			case 'V':
				l.name, l.doc = op.name, "sets dst to x "+op.doc+" y."
				l.in = []string{"x", "y"}
			case 'C':
				l.name, l.doc = op.name+"C", "sets dst to x "+op.doc+" c."
				l.in, l.scalars = []string{"x"}, []string{"c"}
			case 'R':
				l.name, l.doc = op.name+"R", "sets dst to c "+op.doc+" x."
				l.in, l.scalars = []string{"x"}, []string{"c"}
			}
			l.body = func(e *lanes) []values {
				x, y := e.val("x"), e.val("c")
				if form == 'V' {
					y = e.val("y")
				}
				if form == 'R' {
					x, y = y, x
				}
				d := e.tmp()
				op.body(e, d, x, y)
				return []values{d}
			}
			all = append(all, l)
		}
	}
	return all
}

// max is the larger of x and y, NaN where either is. Of two zeros the instruction takes the second:
// both orders, joined, have the sign that is right.
func (e *lanes) max(d, x, y values) {
	t := e.tmp()
	e.larger(d, x, y)
	e.larger(t, y, x)
	e.and(d, d, t)
	e.or(t, x, y) // NaN, where either is
	e.where(unordered, d, x, y, t, d, e.tmp())
}

// min is the smaller of x and y. Where either is NaN, the two orders give x and y, which joined are
// NaN.
func (e *lanes) min(d, x, y values) {
	t := e.tmp()
	e.smaller(d, x, y)
	e.smaller(t, y, x)
	e.or(d, d, t)
}

const (
	sign = constant(1 << 31)
	bits = constant(1<<31 - 1)
)

// unary are the functions of x.
func unary() []*loop {
	all := []*loop{
		{name: "neg", doc: "sets dst to -x.", live: 1, consts: []constant{f(-1)}, body: func(e *lanes) []values {
			// Unlike 0 - x and x ^ sign, this negates 0 and flushes denormals.
			x := e.val("x")
			e.mul(x, x, e.c(f(-1)))
			return []values{x}
		}},
		{name: "abs", doc: "sets dst to |x|.", live: 1, consts: []constant{bits, f(1)}, body: func(e *lanes) []values {
			x := e.val("x")
			e.and(x, x, e.c(bits))
			e.mul(x, x, e.c(f(1))) // flushes denormals
			return []values{x}
		}},
		{name: "sqrt", doc: "sets dst to the square root of x.", live: 1, body: func(e *lanes) []values {
			x := e.val("x")
			e.sqrt(x, x)
			return []values{x}
		}},
		{name: "exp", doc: "sets dst to e to the x.", live: 3, consts: expConsts, body: func(e *lanes) []values {
			x, y := e.val("x"), e.tmp()
			e.exp(y, x, e.tmp())
			return []values{y}
		}},
		{name: "sigmoid", doc: "sets dst to 1/(1+exp(-x)).", live: 3, consts: append(expConsts, sign), body: func(e *lanes) []values {
			x, y := e.val("x"), e.tmp()
			e.xor(x, x, e.c(sign))
			e.exp(y, x, e.tmp())
			e.sum(y, y, e.c(f(1)))
			e.set(x, f(1))
			e.div(y, x, y)
			return []values{y}
		}},
		{name: "tanh", doc: "sets dst to the hyperbolic tangent of x.", live: 4, consts: append(expConsts, tanhConsts...), body: (*lanes).tanh},
		{name: "log", doc: "sets dst to the natural logarithm of x.", live: 5, consts: append([]constant{smallest, belowNormal}, logConsts...), exact: true, body: (*lanes).log},
		{name: "log1p", doc: "sets dst to log(1+x).", live: 6, consts: logConsts, body: (*lanes).log1p},
		{name: "expm1", doc: "sets dst to exp(x)-1.", live: 5, consts: expConsts, body: (*lanes).expm1},
		{name: "erf", doc: "sets dst to the error function of x.", live: 5, consts: expConsts, body: (*lanes).erf},
		{name: "sin", doc: "sets dst to the sine of x, of which the magnitude is at most 2^17.", live: 6, consts: trigConsts, body: func(e *lanes) []values { return e.sine(0) }},
		{name: "cos", doc: "sets dst to the cosine of x, of which the magnitude is at most 2^17.", live: 6, consts: trigConsts, body: func(e *lanes) []values { return e.sine(1) }},
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
		{name: "sign", doc: "sets dst to -1, 0 or 1 by the sign of x, NaN for NaN.", live: 3, consts: []constant{0, f(1), f(-1)}, body: func(e *lanes) []values {
			x, y, t := e.val("x"), e.tmp(), e.tmp()
			e.mul(x, x, e.c(f(1))) // flushes denormals
			e.where(greater, y, x, e.c(0), e.c(f(1)), x, t)
			e.where(less, y, x, e.c(0), e.c(f(-1)), y, t)
			return []values{y}
		}},
	}
	for _, l := range all {
		l.in, l.out = []string{"x"}, []string{"dst"}
	}
	return all
}

// other are functions of x and y.
func other() []*loop {
	all := []*loop{
		{name: "axpy", doc: "sets dst to c*x + y, the product rounded.", live: 2, scalars: []string{"c"}, body: func(e *lanes) []values {
			x, y := e.val("x"), e.val("y")
			e.mul(x, x, e.val("c")) // and no fused step, so that the bits are those of two
			e.sum(y, x, y)
			return []values{y}
		}},
		{name: "reLUGrad", doc: "sets dst to 0 where x <= 0, and to y elsewhere.", live: 3, consts: []constant{0}, exact: true, body: func(e *lanes) []values {
			x, y := e.val("x"), e.val("y")
			zero := e.all(e.pinned[0])
			e.where(notLessEqual, y, x, zero, y, zero, e.tmp())
			return []values{y}
		}},
	}
	for _, l := range all {
		l.in, l.out = []string{"x", "y"}, []string{"dst"}
	}
	return all
}

// The exponential reduces x to r = x - n ln 2 with |r| <= ln(2)/2, ln 2 in two parts, and
// takes 1 + r + r^2 P(r) times 2^n. P is the minimax polynomial of Cephes' expf (S. Moshier).
var (
	log2e   = f(1.4426950408889634)
	ln2High = f(0.693359375)
	ln2Low  = f(-2.12194440e-4)
	expPoly = []constant{f(1.9875691500e-4), f(1.3981999507e-3), f(8.3334519073e-3), f(4.1665795894e-2), f(1.6666665459e-1), f(5.0000001201e-1)}

	expConsts = append([]constant{log2e, ln2High, ln2Low, f(1), f(-104), f(89), 127}, expPoly...)
)

// exp sets p to e to the x; x and n are scratch from there on.
func (e *lanes) exp(p, x, n values) {
	// Beyond these bounds the result is 0 or infinite; in this order NaN stays.
	e.set(n, f(-104))
	e.larger(x, n, x)
	e.set(n, f(89))
	e.smaller(x, n, x)
	e.mul(n, x, e.c(log2e))
	e.round(n, n, nearest)
	e.submul(x, n, e.c(ln2High))
	e.submul(x, n, e.c(ln2Low))
	e.poly(p, x, expPoly)
	e.horner(p, x, e.c(f(1)))
	e.horner(p, x, e.c(f(1)))
	if e.mask == opmask {
		e.each(func(i int) { e.VSCALEFPS(n[i], p[i], p[i]) })
		return
	}
	// 2^n in two factors, since n may be beyond the exponents of either end.
	e.toInt(n, n)
	e.right(x, n, 1)
	e.subi(n, n, x)
	for _, half := range []values{x, n} {
		e.addi(half, half, e.c(127))
		e.left(half, half, 23)
		e.mul(p, p, half)
	}
}

// expm1 reduces as exp does, and adds 2^n - 1 to 2^n (exp(r)-1), both halved: 2^128 is infinite.
func (e *lanes) expm1() []values {
	x, y, r, n, t := e.val("x"), e.tmp(), e.tmp(), e.tmp(), e.tmp()
	e.set(n, f(-20)) // there the result is -1
	e.larger(r, n, x)
	e.set(n, f(89))
	e.smaller(r, n, r)
	e.mul(n, r, e.c(log2e))
	e.round(n, n, nearest)
	e.submul(r, n, e.c(ln2High))
	e.submul(r, n, e.c(ln2Low))
	e.poly(y, r, expPoly)
	e.mul(t, r, r)
	e.horner(y, t, r)
	e.toInt(n, n)
	e.addi(n, n, e.c(126))
	e.left(n, n, 23)
	e.sum(r, n, e.c(f(-0.5)))
	e.horner(y, n, r)
	e.sum(y, y, y)

	// Near 0 it is x, whose half may be denormal.
	e.mul(t, x, e.c(f(1)))
	e.and(r, x, e.c(bits))
	e.where(less, y, r, e.c(f(0x1p-26)), t, y, r)
	return []values{y}
}

// poly is the polynomial in x with these coefficients, the highest first.
func (e *lanes) poly(d, x values, coef []constant) {
	e.set(d, coef[0])
	for _, c := range coef[1:] {
		e.horner(d, x, e.c(c))
	}
}

// Hyperbolic tangent: near 0 an odd polynomial (Cephes' tanhf), elsewhere 1 - 2/(exp(2|x|)+1).
var (
	tanhPoly   = []constant{f(-5.70498872745e-3), f(2.06390887954e-2), f(-5.37397155531e-2), f(1.33314422036e-1), f(-3.33332819422e-1)}
	tanhConsts = append([]constant{bits, sign, f(2), f(0.625)}, tanhPoly...)
)

func (e *lanes) tanh() []values {
	x, y, a, n := e.val("x"), e.tmp(), e.tmp(), e.tmp()
	e.hyperbolic(a, x, y, n)
	return []values{a}
}

// hyperbolic sets a to the hyperbolic tangent of x; y and n are scratch.
func (e *lanes) hyperbolic(a, x, y, n values) {
	e.and(a, x, e.c(bits))
	e.sum(a, a, a)
	e.exp(y, a, n)
	e.sum(y, y, e.c(f(1)))
	e.set(a, f(2))
	e.div(y, a, y)
	e.set(a, f(1))
	e.sub(y, a, y)

	e.mul(n, x, x)
	e.poly(a, n, tanhPoly)
	e.mul(a, a, n)
	e.and(n, x, e.c(bits))
	e.horner(a, n, n)
	e.where(less, a, n, e.c(f(0.625)), a, y, n)
	e.and(n, x, e.c(sign))
	e.or(a, a, n)
}

// The logarithm takes m = x/2^k from sqrt(1/2) to sqrt(2) and f = m - 1: f - f^2/2 + f^3 P(f) +
// k ln 2, with P of Cephes' logf.
var (
	logPoly = []constant{f(7.0376836292e-2), f(-1.1514610310e-1), f(1.1676998740e-1), f(-1.2420140846e-1), f(1.4249322787e-1),
		f(-1.6668057665e-1), f(2.0000714765e-1), f(-2.4999993993e-1), f(3.3333331174e-1)}
	sqrtHalf    = constant(0x3f3504f3)
	infinity    = constant(0x7f800000)
	negInfinity = constant(0xff800000)
	notANumber  = constant(0x7fc00000)
	smallest    = f(0x1p-126)
	belowNormal = constant(149 << 23)
	logConsts   = append([]constant{sqrtHalf, f(1), f(0.5), ln2High, ln2Low, infinity, negInfinity, notANumber, 0}, logPoly...)
)

func (e *lanes) log() []values {
	x, k, m, p, t := e.val("x"), e.tmp(), e.tmp(), e.tmp(), e.tmp()
	// A denormal's bits are a whole number of 2^-149, which as a float has an exponent to lower.
	e.toFloat(p, x)
	e.subi(p, p, e.c(belowNormal))
	e.where(less, p, x, e.c(smallest), p, x, t)
	e.logarithm(x, p, k, m, p, t, func() {})
	return []values{p}
}

// log1p is the logarithm of u = 1+x, and (x-(u-1))/u for what u has lost of x.
func (e *lanes) log1p() []values {
	x, u, k, m, p, t := e.val("x"), e.tmp(), e.tmp(), e.tmp(), e.tmp(), e.tmp()
	e.sum(u, x, e.c(f(1)))
	e.logarithm(u, u, k, m, p, t, func() {
		e.sub(t, u, e.c(f(1)))
		e.sub(t, x, t)
		e.div(t, t, u)
		e.sum(p, p, t)
	})
	e.and(t, x, e.c(sign)) // that of -0
	e.or(p, p, t)
	return []values{p}
}

// logarithm sets p to that of x, whose bits may be in p, with an exponent that floats do not have;
// t is free where correct adds to the small terms.
func (e *lanes) logarithm(x, bits, k, m, p, t values, correct func()) {
	e.subi(k, bits, e.c(sqrtHalf))
	e.right(k, k, 23)
	e.left(m, k, 23)
	e.subi(m, bits, m)
	e.toFloat(k, k)
	e.sub(m, m, e.c(f(1)))

	e.poly(p, m, logPoly)
	e.mul(t, m, m)
	e.mul(p, p, m)
	e.mul(p, p, t)
	e.addmul(p, k, e.c(ln2Low))
	e.submul(p, t, e.c(f(0.5)))
	correct()
	e.sum(p, p, m)
	e.addmul(p, k, e.c(ln2High))

	// 0 gives -Inf, less gives NaN, +Inf and NaN give themselves.
	e.set(k, negInfinity)
	e.set(m, 0)
	e.where(lessEqual, p, x, m, k, p, t)
	e.set(k, notANumber)
	e.where(less, p, x, m, k, p, t)
	e.set(k, infinity)
	e.where(less, p, x, k, p, x, t) // not less: infinite or NaN
}

// The error function is an odd polynomial near 0, elsewhere 1 - exp(P(|x|)); after N. Juffa.
var (
	erfBound = f(0.927734375)
	erfPoly  = []constant{f(-5.96761703e-4), f(4.99119423e-3), f(-2.67681349e-2), f(1.12819925e-1), f(-3.76125336e-1), f(1.28379166e-1)}
	erfcPoly = []constant{f(-1.06777877e-1), f(-6.34846687e-1), f(-1.28717512e-1)}
)

func (e *lanes) erf() []values {
	x, y, u, a, n := e.val("x"), e.tmp(), e.tmp(), e.tmp(), e.tmp()
	e.errorFunction(x, y, u, a, n)
	return []values{y}
}

// errorFunction sets y to that of x; u, a and n are scratch.
func (e *lanes) errorFunction(x, y, u, a, n values) {
	e.and(a, x, e.c(bits))
	e.mul(n, a, a)
	e.set(y, f(-1.72853470e-5))
	e.horner(y, a, e.c(f(3.83197126e-4)))
	e.set(u, f(-3.88396438e-3))
	e.horner(u, a, e.c(f(2.42546219e-2)))
	e.horner(y, n, u)
	for _, c := range erfcPoly {
		e.horner(y, a, e.c(c))
	}
	e.xor(u, a, e.c(sign))
	e.horner(y, a, u)
	e.exp(u, y, n)
	e.set(y, f(1))
	e.sub(u, y, u)

	e.mul(n, x, x)
	e.poly(y, n, erfPoly)
	e.horner(y, x, x)
	e.and(n, x, e.c(sign))
	e.where(less, y, a, e.c(erfBound), y, u, a)
	e.or(y, y, n)
}

// Sine and cosine take n = round(2x/pi) and r = x - n pi/2, with pi/2 in three parts: each
// difference is exact where much of it cancels. Of r in [-pi/4, pi/4] they are the polynomials of
// Cephes' sinf and cosf; n says which of them, and the sign.
var (
	halfPi     = []constant{f(0x1.921fb6p+0), f(-0x1.777a5cp-25), f(-0x1.ee59dap-50)}
	sinPoly    = []constant{f(-1.9515295891e-4), f(8.3321608736e-3), f(-1.6666654611e-1)}
	cosPoly    = []constant{f(2.443315711809948e-5), f(-1.388731625493765e-3), f(4.166664568298827e-2)}
	trigConsts = append(append([]constant{f(2 / math.Pi), f(1), f(-.5), sign, bits, 1, f(0x1p-12)}, halfPi...), append(sinPoly, cosPoly...)...)
)

// sine is the sine of x + quarter pi/2.
func (e *lanes) sine(quarter int) []values {
	x, n, s, c, z, r := e.val("x"), e.tmp(), e.tmp(), e.tmp(), e.tmp(), e.tmp()
	e.mul(n, x, e.c(f(2/math.Pi)))
	e.round(n, n, nearest)
	e.mul(r, x, e.c(f(1)))
	for _, part := range halfPi {
		e.submul(r, n, e.c(part))
	}
	e.toInt(n, n)
	if quarter == 1 {
		e.addi(n, n, e.c(1))
	}
	e.mul(z, r, r)
	e.poly(c, z, cosPoly)
	e.horner(c, z, e.c(f(-.5)))
	e.horner(c, z, e.c(f(1)))
	e.poly(s, z, sinPoly)
	e.mul(s, s, z)
	e.horner(s, r, r)

	// An odd n takes the cosine, and its second bit the other sign.
	e.left(z, n, 31)
	e.right(z, z, 31)
	e.xor(c, c, s)
	e.and(c, c, z)
	e.xor(s, s, c)
	e.right(n, n, 1)
	e.left(n, n, 31)
	e.xor(s, s, n)
	if quarter == 0 { // near 0 it is x, whose zeros have a sign
		e.mul(r, x, e.c(f(1)))
		e.and(z, r, e.c(bits))
		e.where(less, s, z, e.c(f(0x1p-12)), r, s, z)
	}
	return []values{s}
}
