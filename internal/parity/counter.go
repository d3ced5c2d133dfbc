package parity

import (
	"fmt"
	"math"
	"slices"
)

// count returns the integers that the numbers of tensor p are made from: 0 to 1008 in a fixed
// order.
func count(i, p int) int { return (7919*i + 131*p) % 1009 }

// rounded returns v rounded to float32.
func rounded(v float64) float64 { return float64(float32(v)) }

// counter returns the n elements of tensor p, from -scale to scale, as in pytorch/common.py.
func counter(p, n int, scale float64) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = rounded((float64(count(i, p))/504.5 - 1) * scale)
	}
	return v
}

// kinds are the kinds of pytorch/ops.py: element i of an input, where c is the number of the
// counter and k the integer it is made from.
var kinds = map[string]func(c float64, k, i int) float64{
	"plain":    func(c float64, _, _ int) float64 { return c },
	"positive": func(c float64, _, _ int) float64 { return rounded(math.Abs(c) + .25) },
	"wide":     func(c float64, _, _ int) float64 { return rounded(20 * c) },
	"large":    func(c float64, _, _ int) float64 { return rounded(1e4 * c) },
	"chance":   func(c float64, _, _ int) float64 { return math.Abs(c) },
	"ties":     func(_ float64, k, _ int) float64 { return float64(k % 3) },
	"sides":    func(_ float64, _, i int) float64 { return float64(1 - 2*(i%2)) },
	"edges":    func(_ float64, _, i int) float64 { return edges[i] },
	"kinks":    func(_ float64, _, i int) float64 { return kinks[i] },
	"ids":      func(_ float64, k, _ int) float64 { return float64(k % 3) },
	"mask":     func(_ float64, k, _ int) float64 { return truth(k%3 == 0) },
	"most":     func(_ float64, k, _ int) float64 { return truth(k%3 != 0) },
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

var (
	inf   = math.Inf(1)
	edges = []float64{0, math.Copysign(0, -1), 1, -1, 2.5, -2.5, .5, -.5, 30, -30, 800, -800, inf, -inf, math.NaN()}
	kinks = []float64{-3, 3, 0, -1, 1, -2, 2, 4, -4}
)

// values returns the n elements of input p of a kind.
func values(kind string, p, n int) ([]float64, error) {
	f, ok := kinds[kind]
	if !ok {
		return nil, fmt.Errorf("no kind %q of input", kind)
	}
	v := counter(p, n, 1)
	for i, c := range v {
		v[i] = f(c, count(i, p), i)
	}
	return v, nil
}

// whole is the largest number of elements of a tensor that are kept.
const whole = 1000

// kept returns the elements of v that are kept: all, or [whole] of them, evenly spaced.
func kept(v []float64) []float64 {
	n := len(v)
	if n <= whole {
		return slices.Clone(v)
	}
	some := make([]float64, whole)
	for k := range some {
		start, end := k*n/whole, (k+1)*n/whole
		some[k] = v[start+7919*k%(end-start)]
	}
	return some
}
