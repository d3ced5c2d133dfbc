package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/philox"
	"github.com/plexaura/plexaura/shape"
)

// BindRandom implements [engine.Randomer] with the numbers that ref's kernel gives.
func (e Engine) BindRandom(d engine.Distribution, stream uint64, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindRandom(d, stream, in, out)
	if err != nil {
		return b, err
	}
	draw, cost := e.uniform32, 3
	switch {
	case d == engine.Normal && out.DType == shape.Float32:
		draw, cost = normal[float32], 160
	case d == engine.Normal:
		draw, cost = normal[float64], 160
	case out.DType == shape.Float64:
		draw, cost = uniform64, 40
	}
	blocks := e.newLoop((out.Len()+3)/4, cost, func(c *engine.Call, _, lo, hi int) {
		rng := engine.Slice[int64](c.In[0])
		s := philox.Stream{Seed: uint64(rng[0]), ID: stream, Step: uint64(rng[1])}
		draw(c, s, lo*4, min(hi*4, out.Len()))
	})
	b.Kernel, b.By = blocks.kernel(), name
	return b, nil
}

// uniform32 and the others set elements lo to hi, lo being a multiple of 4: a block gives four
// uniform ones.

func (e Engine) uniform32(c *engine.Call, s philox.Stream, lo, hi int) {
	e.simd.Random.Uniform(engine.Slice[float32](c.Out[0])[lo:hi], s, uint64(lo))
}

func uniform64(c *engine.Call, s philox.Stream, lo, hi int) {
	dst := engine.Slice[float64](c.Out[0])[:hi]
	for i := lo; i < hi; i += 4 {
		words := s.Block(uint64(i / 4))
		for k := range dst[i:min(i+4, hi)] {
			dst[i+k] = float64(words[k]) * 0x1p-32
		}
	}
}

func normal[T shape.Float](c *engine.Call, s philox.Stream, lo, hi int) {
	dst := engine.Slice[T](c.Out[0])
	for i := lo; i < hi; i++ {
		dst[i] = T(s.Normal(uint64(i)))
	}
}
