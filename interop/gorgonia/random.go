package gorgonia

import (
	G "gorgonia.org/gorgonia"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/philox"
	"github.com/plexaura/plexaura/shape"
)

// draw is random numbers that are fed, since gorgonia's own cannot be repeated: the same that
// vm's engines make.
type draw struct {
	feed         *feed
	state        *graph.Node // seed and step
	distribution engine.Distribution
	stream       uint64
}

func random(c *call) *G.Node {
	state := c.node.In(0)
	if state.Kind() != graph.State {
		return c.fail("its generator is %v, which is computed; gorgonia is fed with random numbers, so that it must be a State", state)
	}
	leaf := c.leaf(c.unique("random"), c.dims(c.node))
	c.randoms = append(c.randoms, draw{newFeed(leaf), state, field[engine.Distribution](c, "Distribution"), field[uint64](c, "Stream")})
	return leaf
}

// fill draws the numbers for a seed and a step, and binds them.
func (d draw) fill(seed, step int64) error {
	s := philox.Stream{Seed: uint64(seed), ID: d.stream, Step: uint64(step)}
	if d.feed.f32 != nil {
		numbers := drawn(d.feed.f32, d.float32s(s))
		return G.Let(d.feed.to, valueOf(d.feed.to.Shape(), numbers))
	}
	numbers := drawn(d.feed.f64, d.float64s(s))
	return G.Let(d.feed.to, valueOf(d.feed.to.Shape(), numbers))
}

func drawn[T shape.Float](v []T, next func(i uint64) T) []T {
	for i := range v {
		v[i] = next(uint64(i))
	}
	return v
}

func (d draw) float64s(s philox.Stream) func(i uint64) float64 {
	if d.distribution == engine.Normal {
		return s.Normal
	}
	return s.Uniform
}

// float32s are uniform numbers of 24 bits, which float32 holds exactly and are below 1.
func (d draw) float32s(s philox.Stream) func(i uint64) float32 {
	if d.distribution == engine.Normal {
		return func(i uint64) float32 { return float32(s.Normal(i)) }
	}
	return func(i uint64) float32 { return float32(s.Uint32(i)>>8) * 0x1p-24 }
}
