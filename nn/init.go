package nn

import (
	"math"
	"math/rand/v2"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// Constant sets every element to the same number.
type Constant = graph.Fill

// Uniform draws from the uniform distribution on [Lo,Hi).
type Uniform struct{ Lo, Hi float64 }

// Fill implements [graph.Initializer].
func (u Uniform) Fill(v []float64, _ shape.Type, r *rand.Rand) {
	for i := range v {
		v[i] = u.Lo + (u.Hi-u.Lo)*r.Float64()
	}
}

// Normal draws from the normal distribution with the given mean and standard deviation.
type Normal struct{ Mean, Std float64 }

// Fill implements [graph.Initializer].
func (n Normal) Fill(v []float64, _ shape.Type, r *rand.Rand) {
	for i := range v {
		v[i] = n.Mean + n.Std*r.NormFloat64()
	}
}

// GlorotUniform draws from a uniform distribution with variance 2/(fan-in + fan-out), for layers
// followed by tanh or similar functions (Glorot and Bengio, Understanding the difficulty of
// training deep feedforward neural networks, 2010, eq. 16).
type GlorotUniform struct{}

// Fill implements [graph.Initializer].
func (GlorotUniform) Fill(v []float64, t shape.Type, r *rand.Rand) {
	in, out := fans(t.Shape)
	uniformVariance(2/(in+out)).Fill(v, t, r)
}

// GlorotNormal is [GlorotUniform] with the normal distribution.
type GlorotNormal struct{}

// Fill implements [graph.Initializer].
func (GlorotNormal) Fill(v []float64, t shape.Type, r *rand.Rand) {
	in, out := fans(t.Shape)
	Normal{Std: math.Sqrt(2 / (in + out))}.Fill(v, t, r)
}

// HeUniform draws from a uniform distribution with variance 2/fan-in, for layers followed by ReLU
// (He et al., Delving Deep into Rectifiers, 2015, eq. 10).
type HeUniform struct{}

// Fill implements [graph.Initializer].
func (HeUniform) Fill(v []float64, t shape.Type, r *rand.Rand) {
	in, _ := fans(t.Shape)
	uniformVariance(2/in).Fill(v, t, r)
}

// HeNormal is [HeUniform] with the normal distribution. If FanOut is set it uses fan-out instead of
// fan-in, which preserves the variance of gradients rather than that of activations (eq. 14).
type HeNormal struct{ FanOut bool }

// Fill implements [graph.Initializer].
func (h HeNormal) Fill(v []float64, t shape.Type, r *rand.Rand) {
	fan, out := fans(t.Shape)
	if h.FanOut {
		fan = out
	}
	Normal{Std: math.Sqrt(2 / fan)}.Fill(v, t, r)
}

// uniformVariance returns the uniform distribution around 0 with the given variance.
func uniformVariance(variance float64) Uniform {
	b := math.Sqrt(3 * variance)
	return Uniform{-b, b}
}

// fans returns fan-in and fan-out of a weight (out, in, kernel...). For a scalar or vector both are
// its length.
func fans(s shape.Shape) (in, out float64) {
	if s.Rank() < 2 {
		n := float64(s.Len())
		return n, n
	}
	taps := 1
	for i := 2; i < s.Rank(); i++ {
		taps *= s.Int(i)
	}
	return float64(s.Int(1) * taps), float64(s.Int(0) * taps)
}

// standard returns the default of layers, which is PyTorch's: both weight and bias are uniform on
// ±1/sqrt(fan-in), from LeCun et al., Efficient BackProp, 1998, up to a constant factor.
func standard(fanIn int) Uniform {
	b := 1 / math.Sqrt(float64(max(fanIn, 1)))
	return Uniform{-b, b}
}

// or returns i, or d if i is nil.
func or(i, d graph.Initializer) graph.Initializer {
	if i == nil {
		return d
	}
	return i
}
