package main

import (
	"math"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A piecewise function of numbers from 0 on is a polynomial of the distance from the nearest whole
// number k, for each k below 7, and 0 beyond. The instruction that permutes a vector by an index
// picks the coefficients.
type piecewise struct {
	name  string
	scale float64 // what the argument is multiplied by
	rows  []lookup
}

// lookup are the coefficients of a power, by k.
type lookup [pieces]float64

const pieces = 8

// magic is a number whose sum with a whole number k from 0 on has k in its last bits.
const magic = 3 << 22

// newPiecewise makes polynomials of that degree, which equal f(x/scale) at Chebyshev's nodes. The
// last one is 0.
func newPiecewise(name string, scale float64, degree int, f func(x float64) float64) *piecewise {
	p := &piecewise{name, scale, make([]lookup, degree+1)}
	for k := range pieces - 1 {
		low := -.5
		if k == 0 {
			low = 0
		}
		for i, c := range interpolate(low, .5, degree, func(t float64) float64 { return f((float64(k) + t) / scale) }) {
			p.rows[degree-i][k] = c
		}
	}
	return p
}

// interpolate returns the coefficients, from the constant on, of the polynomial that equals f at Chebyshev's
// nodes between low and high: by Newton's divided differences, which it expands.
func interpolate(low, high float64, degree int, f func(x float64) float64) []float64 {
	n := degree + 1
	x, d := make([]float64, n), make([]float64, n)
	for i := range n {
		x[i] = (low+high)/2 + (high-low)/2*math.Cos(math.Pi*(float64(i)+.5)/float64(n))
		d[i] = f(x[i])
	}
	for order := 1; order < n; order++ {
		for i := n - 1; i >= order; i-- {
			d[i] = (d[i] - d[i-1]) / (x[i] - x[i-order])
		}
	}
	c := make([]float64, n)
	for i := n - 1; i >= 0; i-- { // c = c*(X - x[i]) + d[i]
		for k := n - 1; k > 0; k-- {
			c[k] = c[k-1] - x[i]*c[k]
		}
		c[0] = d[i] - x[i]*c[0]
	}
	return c
}

// end is where the function is 0 from, or a little beyond.
func (p *piecewise) end() constant { return f(7 / p.scale) }

func (p *piecewise) constants() []constant {
	return []constant{bits, f(magic), f(p.scale), p.end(), f(1)}
}

// memory is a vector that repeats the coefficients of row i.
func (p *piecewise) memory(t *target, i int) operand.Mem {
	words := make([]uint32, t.width())
	for k := range words {
		words[k] = math.Float32bits(float32(p.rows[i][k%pieces]))
	}
	return t.table(p.name+string(rune('a'+i)), words)
}

// pick sets d to the coefficients of row i by the last bits of index.
func (e *lanes) pick(d, index values, i int) {
	var row operand.Op
	if row = e.coefficients[i]; e.coefficients[i] == nil {
		row = e.piecewise.memory(e.target, i)
	}
	e.each(func(k int) { e.VPERMPS(row, index[k], d[k]) })
}

// distribution sets y to F(x) = 1 - F(-x), of which the loop's piecewise function gives F(-|x|). a, k
// and c are scratch.
func (e *lanes) distribution(y, x, a, k, c values) {
	p := e.piecewise
	e.and(a, x, e.c(bits))
	e.set(k, p.end())
	e.smaller(a, k, a) // in this order NaN stays
	e.set(k, f(magic))
	e.addmul(k, a, e.c(f(p.scale)))
	e.sub(c, k, e.c(f(magic)))
	e.each(func(i int) { e.VFMSUB132PS(e.c(f(p.scale))[i], c[i], a[i]) })
	e.pick(y, k, 0)
	for i := range p.rows[1:] {
		e.pick(c, k, i+1)
		e.horner(y, a, c)
	}
	e.set(c, f(1))
	e.sub(c, c, y)
	e.signed(y, x, y, c)
}

// signed is d = x has a sign ? a : b.
func (e *lanes) signed(d, x, a, b values) {
	e.each(func(i int) {
		if e.mask == opmask {
			e.VPMOVD2M(x[i], reg.K2)
			e.VBLENDMPS(a[i], b[i], reg.K2, d[i])
			return
		}
		e.VBLENDVPS(x[i], a[i], b[i], d[i])
	})
}
