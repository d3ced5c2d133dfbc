package main

import "math"

// activations are functions of networks, and their gradients by x where y is that by the result.
func activations() []*loop {
	swish := []constant{f(-3), f(3), f(1. / 6), 0}
	all := []*loop{
		{name: "gELU", doc: "sets dst to x/2 (1+erf(x/sqrt(2))).", live: 5, piecewise: normalTail, consts: normalTail.constants(), body: func(e *lanes) []values {
			x, y := e.val("x"), e.tmp()
			e.distribution(y, x, e.tmp(), e.tmp(), e.tmp())
			e.mul(y, y, x)
			return []values{y}
		}},
		{name: "gELUGrad", doc: "sets dst to the gradient of GELU.", live: 6, piecewise: geluSlope, consts: geluSlope.constants(), body: func(e *lanes) []values {
			x, dy, y := e.val("x"), e.val("y"), e.tmp()
			e.distribution(y, x, e.tmp(), e.tmp(), e.tmp())
			e.mul(y, y, dy)
			return []values{y}
		}},
		{name: "gELUTanh", doc: "sets dst to x*sigmoid(u), u = 2 sqrt(2/pi) (x+0.044715x^3).", live: 4, consts: append(expConsts, tanhGELU...), body: func(e *lanes) []values {
			x, y, a, n := e.val("x"), e.tmp(), e.tmp(), e.tmp()
			e.mul(n, x, x)
			e.set(a, f(-geluLinear))
			e.submul(a, n, e.c(f(geluCubic)))
			e.mul(a, a, x)
			e.exp(y, a, n)
			e.sum(y, y, e.c(f(1)))
			e.div(y, x, y)
			return []values{y}
		}},
		{name: "gELUTanhGrad", doc: "sets dst to the gradient of GELUTanh.", live: 5, consts: append(expConsts, tanhGELU...), body: (*lanes).geluTanhGrad},
		{name: "siLU", doc: "sets dst to x*sigmoid(x).", live: 4, consts: append(expConsts, sign), body: func(e *lanes) []values {
			x, y, a, n := e.val("x"), e.tmp(), e.tmp(), e.tmp()
			e.xor(a, x, e.c(sign))
			e.exp(y, a, n)
			e.sum(y, y, e.c(f(1)))
			e.div(y, x, y)
			return []values{y}
		}},
		{name: "siLUGrad", doc: "sets dst to the gradient of SiLU.", live: 5, consts: append(expConsts, sign), body: (*lanes).siluGrad},
		{name: "hardSwish", doc: "sets dst to 0 where x < -3, x where x >= 3, and x(x+3)/6 elsewhere.", live: 4, consts: swish, body: func(e *lanes) []values {
			x, y, t := e.val("x"), e.tmp(), e.tmp()
			e.sum(y, x, e.c(f(3)))
			e.mul(y, y, x)
			e.mul(y, y, e.c(f(1./6)))
			e.bend(y, x, x, t)
			return []values{y}
		}},
		{name: "hardSwishGrad", doc: "sets dst to the gradient of HardSwish.", live: 5, consts: swish, body: func(e *lanes) []values {
			x, dy, y, t := e.val("x"), e.val("y"), e.tmp(), e.tmp()
			e.mul(t, dy, e.c(f(1./6)))
			e.sum(y, x, e.c(f(3)))
			e.mul(y, y, t)
			e.mul(t, t, x)
			e.sum(y, y, t)
			e.bend(y, x, dy, t)
			return []values{y}
		}},
	}
	for _, l := range all {
		l.in, l.out = []string{"x"}, []string{"dst"}
		if l.name[len(l.name)-4:] == "Grad" {
			l.in = []string{"x", "y"}
		}
	}
	return all
}

// bend sets y to 0 where x < -3 and to above where x >= 3; t is scratch.
func (e *lanes) bend(y, x, above, t values) {
	const greaterEqual = 0x1d
	e.where(greaterEqual, y, x, e.c(f(3)), above, y, t)
	e.set(t, 0)
	e.sum(y, y, t) // no zero is negative, as after the sum of what is apart in the definition
	e.where(less, y, x, e.c(f(-3)), t, y, e.tmp())
}

// sigmoid sets y to 1/(1+exp(-x)); a and n are scratch.
func (e *lanes) sigmoid(y, x, a, n values) {
	e.xor(a, x, e.c(sign))
	e.exp(y, a, n)
	e.sum(y, y, e.c(f(1)))
	e.set(a, f(1))
	e.div(y, a, y)
}

// within sets d to 0 where |x| > 1000; t is scratch.
func (e *lanes) within(d, x, t, zero values) {
	e.and(t, x, e.c(bits))
	e.set(zero, 0)
	e.where(lessEqual, d, t, e.c(f(1000)), d, zero, t)
}

func (e *lanes) siluGrad() []values {
	x, dy, s, t, n := e.val("x"), e.val("y"), e.tmp(), e.tmp(), e.tmp()
	e.sigmoid(s, x, t, n)
	e.set(t, f(1))
	e.sub(t, t, s)
	e.mul(t, t, s)
	e.mul(n, dy, x)
	e.mul(t, t, n)
	e.mul(s, s, dy)
	e.within(t, x, n, dy)
	e.sum(s, s, t)
	return []values{s}
}

// The normal distribution function of -x, and its sum with the product of -x and the density, which is the slope of
// GELU at -x. The errors of the polynomials are below 4e-8, and what is beyond their ends is below 4e-9.
var (
	normalTail = newPiecewise("normalTail", 1.125, 6, func(x float64) float64 { return math.Erfc(x*(math.Sqrt2/2)) / 2 })
	geluSlope  = newPiecewise("geluSlope", 1, 7, func(x float64) float64 {
		return math.Erfc(x*(math.Sqrt2/2))/2 - x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
	})
)

// The coefficients of 2 sqrt(2/pi) (x + 0.044715x^3).
const (
	geluLinear = 1.5957691216057308
	geluCubic  = geluLinear * .044715
)

var tanhGELU = []constant{f(-geluLinear), f(geluCubic)}

// geluTanhGrad is dy*s + dy*x*s*(1-s)*u' of s = sigmoid(u). Where s is near 1, 1-s has the digits of exp(-u)*s.
func (e *lanes) geluTanhGrad() []values {
	x, dy, s, t, n := e.val("x"), e.val("y"), e.tmp(), e.tmp(), e.tmp()
	e.mul(n, x, x)
	e.set(t, f(-geluLinear))
	e.submul(t, n, e.c(f(geluCubic)))
	e.mul(t, t, x)
	e.set(n, f(88))
	e.smaller(t, n, t) // so that the exponential is finite
	e.exp(s, t, n)
	e.sum(n, s, e.c(f(1)))
	e.set(t, f(1))
	e.div(t, t, n)
	e.mul(s, s, t)
	e.mul(s, s, t)
	e.mul(t, t, dy)
	e.mul(s, s, dy)
	e.mul(s, s, x)
	e.mul(n, x, x)
	e.set(dy, f(geluLinear))
	e.addmul(dy, n, e.c(f(3*geluCubic)))
	e.mul(s, s, dy)
	e.within(s, x, n, dy)
	e.sum(s, s, t)
	return []values{s}
}
