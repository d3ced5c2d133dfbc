package vec

import "math"

// These are the definitions of the activations that are more than a line.

const sqrtHalf = math.Sqrt2 / 2

// widest is the magnitude up to which an activation that is constant beyond has a slope.
const widest = 1000

func gelu(x float32) float32 { return float32(gelu64(float64(x))) }

func gelu64(x float64) float64 { return x * (math.Erfc(-x*sqrtHalf) / 2) }

func geluGrad(x, y float32) float32 { return float32(geluGrad64(float64(x), float64(y))) }

func geluGrad64(x, y float64) float64 {
	root, slope := x*(math.Sqrt2/2), 0.
	if -widest <= x && x <= widest {
		slope = y * (x / 2) * (math.Exp(-root*root) * (2 / math.SqrtPi)) * (math.Sqrt2 / 2)
	}
	return y*(math.Erf(root)+1)/2 + slope
}

func siluGrad(x, y float32) float32 {
	s, slope := float32(sigmoid64(float64(x))), float32(0)
	if -widest <= x && x <= widest {
		slope = y * x * (s * (1 - s))
	}
	return y*s + slope
}

// geluInner is u of which GELUTanh takes the sigmoid, and geluInnerGrad its derivative.
func geluInner(x float64) float64 { return 2 * math.Sqrt2 / math.SqrtPi * (x + .044715*x*x*x) }

func geluInnerGrad(x float64) float64 { return 2 * math.Sqrt2 / math.SqrtPi * (1 + 3*.044715*x*x) }

func geluTanh(x float32) float32 { return float32(float64(x) * sigmoid64(geluInner(float64(x)))) }

func geluTanhGrad(x, y float32) float32 {
	v, slope := float64(x), 0.
	s := sigmoid64(geluInner(v))
	if -widest <= x && x <= widest {
		slope = v * s * (1 - s) * geluInnerGrad(v)
	}
	return float32(float64(y) * (s + slope))
}

func hardSwish(x float32) float32 {
	switch {
	case x < -3:
		return 0
	case x >= 3:
		return x
	}
	return x * (x + 3) * (1. / 6)
}

func hardSwishGrad(x, y float32) float32 {
	switch {
	case x < -3:
		return 0
	case x >= 3:
		return y + 0
	}
	return y*(1./6)*(x+3) + y*(1./6)*x
}
