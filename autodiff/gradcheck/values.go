package gradcheck

import (
	"math/rand/v2"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// Values chooses the elements of an input. Finite differences evaluate a function up to 0.002 to
// either side, so values must be farther than that from kinks.
type Values func(r *rand.Rand, v []float64)

// Normal chooses values from the normal distribution with mean 0 and variance 1.
func Normal(r *rand.Rand, v []float64) {
	for i := range v {
		v[i] = r.NormFloat64()
	}
}

// Uniform returns Values between lo and hi.
func Uniform(lo, hi float64) Values {
	return func(r *rand.Rand, v []float64) {
		for i := range v {
			v[i] = lo + (hi-lo)*r.Float64()
		}
	}
}

// Positive chooses values between 0.5 and 2.
func Positive(r *rand.Rand, v []float64) { Uniform(0.5, 2)(r, v) }

// NonZero chooses values of either sign, at least 0.2 away from zero.
func NonZero(r *rand.Rand, v []float64) {
	Uniform(0.2, 2)(r, v)
	for i := range v {
		if r.IntN(2) == 0 {
			v[i] = -v[i]
		}
	}
}

// Spread chooses values at least 0.05 apart from each other and from zero, in random order. Finite
// differences then do not change the order of any two of them, nor any maximum.
func Spread(r *rand.Rand, v []float64) {
	for i, k := range r.Perm(len(v)) {
		v[i] = (float64(k) - float64(len(v)/2) + 0.5) * 0.1
	}
}

// IDs returns Values that are integers from 0 to k-1. IDs(2) serves as a mask.
func IDs(k int) Values {
	return func(r *rand.Rand, v []float64) {
		for i := range v {
			v[i] = float64(r.IntN(k))
		}
	}
}

// Fixed returns Values that repeat the given ones.
func Fixed(values ...float64) Values {
	return func(_ *rand.Rand, v []float64) {
		for i := range v {
			v[i] = values[i%len(values)]
		}
	}
}

// feed is a value that is passed to programs. A float64 feed can be changed in place.
type feed struct {
	tensor *tensor.Dense
	v      []float64 // the memory of a float64 tensor
	dims   []int
}

func newFeed(t shape.Type, v []float64) *feed {
	f := &feed{dims: t.Ints()}
	mem := engine.BufferAt(engine.Aligned(t.Bytes()), t.DType, t.Len())
	engine.Load(mem, v)
	if t.DType == shape.Float64 {
		f.v = engine.Slice[float64](mem)
	}
	f.tensor = engine.DenseOf(t.Shape, mem)
	return f
}

// index returns the position of element i, axis by axis.
func (f *feed) index(i int) []int {
	at := make([]int, len(f.dims))
	for k := len(at) - 1; k >= 0; k-- {
		at[k] = i % f.dims[k]
		i /= f.dims[k]
	}
	return at
}
