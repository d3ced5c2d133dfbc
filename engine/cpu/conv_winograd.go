package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/window"
	"github.com/plexaura/plexaura/internal/simd/winograd"
	"github.com/plexaura/plexaura/shape"
)

// Convolutions of float32 with 3×3 or 5×5 filters and stride 1, between many channels, go by
// Winograd's algorithm, which multiplies 4 or 2.8 times less often; conv_cost.go says when. Its
// errors are up to 1e-5 of the largest result, ten times those of the other algorithms; and it
// would carry infinities and NaN to results that do not see them. Where there are any, the other
// algorithms are used.

// winogradConv2D offers the filters' transform as packing.
func (e Engine) winogradConv2D(g convolution, ep engine.Epilogue, other engine.Bound) engine.Bound {
	plan := e.winograd(g, ep, winograd.New)
	var l layout
	finite := e.newFinite(&l, 0, g.images())
	own := reserve[float32](&l, 1, plan.ScratchTransformed())
	rest := max(int(l), other.Scratch)
	at := reserve[byte](&l, 1, packedBytes(plan))
	pack := e.packWinograd(&l, plan, 1, g.weights())
	kernel := func(c *engine.Call) error {
		packed := c.Packed.Bytes()
		if !c.Packed.Valid() {
			packed = at.of(c, 0)
			pack(c, packed)
		}
		ready, filters := packedFilters(plan, packed)
		if *ready == 0 || !finite.holds(c) {
			return withoutPacked(c, other.Kernel)
		}
		plan.RunTransformed(e.pool, engine.Slice[float32](c.Out[0]), engine.Slice[float32](c.In[0]), filters, bias[float32](c, ep), own.of(c, 0))
		return nil
	}
	b := engine.Bound{Kernel: kernel, Scratch: max(int(l), other.Scratch), By: name, Alg: winogradAlg}
	b.Packing = e.winogradPacking(plan, g.weights())
	b.Packing.Rest = rest
	return b
}

// winogradPacking packs n elements of filters.
func (e Engine) winogradPacking(plan *winograd.Plan, n int) engine.Packing {
	var l layout
	pack := e.packWinograd(&l, plan, 0, n)
	kernel := func(c *engine.Call) error {
		pack(c, engine.Slice[byte](c.Out[0]))
		return nil
	}
	return engine.Packing{In: 1, Bytes: packedBytes(plan), Kernel: kernel, Scratch: int(l)}
}

// Packed filters are a number that is 0 where some filter is not finite, in a cache line of its
// own, and the transformed filters.

func packedBytes(plan *winograd.Plan) int { return lineBytes + 4*plan.Filters() }

func packedFilters(plan *winograd.Plan, packed []byte) (ready *float32, filters []float32) {
	all := engine.Slice[float32](engine.BufferAt(packed, shape.Float32, packedBytes(plan)/4))
	return &all[0], all[lineBytes/4:]
}

// packWinograd returns what packs the n elements of a call's input.
func (e Engine) packWinograd(l *layout, plan *winograd.Plan, input, n int) func(c *engine.Call, packed []byte) {
	finite := e.newFinite(l, input, n)
	scratch := reserve[float32](l, 1, plan.TransformScratch())
	return func(c *engine.Call, packed []byte) {
		ready, filters := packedFilters(plan, packed)
		if *ready = 0; !finite.holds(c) {
			return
		}
		*ready = 1
		plan.Transform(e.pool, filters, engine.Slice[float32](c.In[input]), scratch.of(c, 0))
	}
}

func (e Engine) winogradInputGrad(g convolution, exact engine.Bound) engine.Bound {
	adjoint, _ := g.adjoint()
	plan := e.winograd(adjoint, engine.Epilogue{}, winograd.NewFlipped)
	return e.bindWinograd(g.results(), g.weights(), plan.Scratch(), exact, func(a, b, out, scratch []float32) {
		plan.Run(e.pool, out, a, b, nil, scratch)
	})
}

func (e Engine) winogradFilterGrad(g convolution, exact engine.Bound) engine.Bound {
	plan := e.winograd(g, engine.Epilogue{}, winograd.New)
	return e.bindWinograd(g.images(), g.results(), plan.GradScratch(), exact, func(a, b, out, scratch []float32) {
		plan.RunGrad(e.pool, out, a, b, scratch)
	})
}

// winograd plans the convolution, which is one that the algorithm takes.
func (e Engine) winograd(g convolution, ep engine.Epilogue, plan func(*winograd.Kernels, window.Conv) (*winograd.Plan, bool)) *winograd.Plan {
	op, _ := g.convOp(ep)
	p, _ := plan(e.simd.Winograd, op)
	return p
}

// bindWinograd returns the kernel that runs on inputs of n0 and n1 elements, in so much scratch
// memory, or runs exact where some are not finite.
func (e Engine) bindWinograd(n0, n1, scratch int, exact engine.Bound, run func(a, b, out, scratch []float32)) engine.Bound {
	var l layout
	first, second := e.newFinite(&l, 0, n0), e.newFinite(&l, 1, n1)
	own := reserve[float32](&l, 1, scratch)
	kernel := func(c *engine.Call) error {
		if !first.holds(c) || !second.holds(c) {
			return exact.Kernel(c)
		}
		run(engine.Slice[float32](c.In[0]), engine.Slice[float32](c.In[1]), engine.Slice[float32](c.Out[0]), own.of(c, 0))
		return nil
	}
	return engine.Bound{Kernel: kernel, Scratch: max(int(l), exact.Scratch), By: name, Alg: winogradAlg}
}

// finite checks that all numbers of an input are finite. It may say no if one is beyond 1e16.
type finite struct {
	Engine
	input int
	sums  region[float32] // of pieces
	loop  *loop
}

// finitePiece is how many elements are looked at together.
const finitePiece = 1 << 14

// newFinite is for an input of n elements.
func (e Engine) newFinite(l *layout, input, n int) *finite {
	f := &finite{Engine: e, input: input}
	f.sums = reserve[float32](l, 1, (n+finitePiece-1)/finitePiece)
	f.loop = e.newLoop(f.sums.n, finitePiece/16, f.sum)
	return f
}

// sum adds up the squares of pieces lo to hi.
func (f *finite) sum(c *engine.Call, _, lo, hi int) {
	v, sums := engine.Slice[float32](c.In[f.input]), f.sums.of(c, 0)
	for i := lo; i < hi; i++ {
		piece := v[i*finitePiece : min((i+1)*finitePiece, len(v))]
		sums[i] = f.simd.Vec.Dot(piece, piece)
	}
}

func (f *finite) holds(c *engine.Call) bool {
	f.loop.run(c)
	total := f.simd.Vec.Sum(f.sums.of(c, 0))
	return total-total == 0
}
