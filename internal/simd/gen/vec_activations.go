package main

import "math"

// activations are functions of networks, and their gradients by x where y is that by the result.
func activations() []*loop {
	swish := []constant{f(-3), f(3), f(1. / 6), 0}
	all := []*loop{
		{name: "gELU", doc: "sets dst to x/2 (1+erf(x/sqrt(2))).", live: 6, consts: expConsts, body: (*lanes).gelu},
		{name: "gELUGrad", doc: "sets dst to the gradient of GELU.", live: 7, consts: expConsts, body: (*lanes).geluGrad},
		{name: "siLU", doc: "sets dst to x*sigmoid(x).", live: 4, consts: append(expConsts, sign), body: func(e *lanes) []values {
			x, y, a, n := e.val("x"), e.tmp(), e.tmp(), e.tmp()
			e.sigmoid(y, x, a, n)
			e.mul(y, y, x)
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

func (e *lanes) gelu() []values {
	x, t, y, u, a, n := e.val("x"), e.tmp(), e.tmp(), e.tmp(), e.tmp(), e.tmp()
	e.mul(t, x, e.c(f(math.Sqrt2/2)))
	e.errorFunction(t, y, u, a, n)
	e.sum(y, y, e.c(f(1)))
	e.mul(x, x, e.c(f(.5)))
	e.mul(y, y, x)
	return []values{y}
}

func (e *lanes) geluGrad() []values {
	x, dy, t, y, u, a, n := e.val("x"), e.val("y"), e.tmp(), e.tmp(), e.tmp(), e.tmp(), e.tmp()
	e.mul(t, x, e.c(f(math.Sqrt2/2)))
	e.errorFunction(t, y, u, a, n)
	e.sum(y, y, e.c(f(1)))
	e.mul(y, y, dy)
	e.mul(y, y, e.c(f(.5)))

	e.mul(t, t, t)
	e.xor(t, t, e.c(sign))
	e.exp(u, t, n)
	e.mul(u, u, e.c(f(2/math.Sqrt(math.Pi))))
	e.mul(t, x, e.c(f(.5)))
	e.mul(t, t, dy)
	e.mul(u, u, t)
	e.mul(u, u, e.c(f(math.Sqrt2/2)))
	e.within(u, x, a, n)
	e.sum(y, y, u)
	return []values{y}
}
