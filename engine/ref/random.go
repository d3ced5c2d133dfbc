package ref

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/philox"
	"github.com/plexaura/plexaura/shape"
)

// BindRandom implements [engine.Randomer]. With s the [philox.Stream] of seed, stream and
// step, element i is s.Normal(i), or uniform: s.Uint32(i)/2^32 in float64, and in float32
// the same rounded down to a multiple of 2^-24, which keeps it below 1.
func (Engine) BindRandom(d engine.Distribution, stream uint64, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if len(in) != 1 || in[0].Type != shape.I64(2) {
		return unsupported("random", in)
	}
	switch {
	case d == engine.Normal && out.DType == shape.Float32:
		return bound(randomKernel(stream, normal[float32])), nil
	case d == engine.Normal && out.DType == shape.Float64:
		return bound(randomKernel(stream, normal[float64])), nil
	case d == engine.Uniform && out.DType == shape.Float32:
		return bound(randomKernel(stream, uniform32)), nil
	case d == engine.Uniform && out.DType == shape.Float64:
		return bound(randomKernel(stream, philox.Stream.Uniform)), nil
	}
	return unsupported("random", []engine.Operand{out})
}

func normal[T shape.Float](s philox.Stream, i uint64) T { return T(s.Normal(i)) }

func uniform32(s philox.Stream, i uint64) float32 { return unit32(s.Uint32(i)) }

func unit32(bits uint32) float32 { return float32(bits>>8) * 0x1p-24 }

func randomKernel[T shape.Float](stream uint64, draw func(philox.Stream, uint64) T) engine.Kernel {
	return func(c *engine.Call) error {
		rng := engine.Slice[int64](c.In[0])
		s := philox.Stream{Seed: uint64(rng[0]), ID: stream, Step: uint64(rng[1])}
		dst := engine.Slice[T](c.Out[0])
		for i := range dst {
			dst[i] = draw(s, uint64(i))
		}
		return nil
	}
}
