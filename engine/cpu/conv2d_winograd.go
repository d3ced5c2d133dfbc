package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd"
)

// Convolutions of float32 with 3×3 filters and stride 1, between many channels, go by Winograd's
// algorithm, which multiplies a quarter as often. Its errors are up to 5e-6 of the largest result, ten times
// those of the other algorithms; and it would carry infinities and NaN to results that do not see
// them. Where there are any, the other algorithms are used.

func (e Engine) winogradConv2D(g conv, ep engine.Epilogue, exact func() engine.Bound) (engine.Bound, bool) {
	op, ok := g.convOp(ep)
	if !ok {
		return engine.Bound{}, false
	}
	plan, ok := simd.NewWinograd(e.simd, op)
	if !ok {
		return engine.Bound{}, false
	}
	return e.bindWinograd(plan, g.batch*g.channels*g.xPlane(), g.filters*g.depth(), ep, exact()), true
}

func (e Engine) winogradInputGrad(g conv, exact func() engine.Bound) (engine.Bound, bool) {
	adjoint, ok := g.adjoint()
	if !ok {
		return engine.Bound{}, false
	}
	op, ok := adjoint.convOp(engine.Epilogue{})
	if !ok {
		return engine.Bound{}, false
	}
	plan, ok := simd.NewWinogradFlipped(e.simd, op)
	if !ok {
		return engine.Bound{}, false
	}
	return e.bindWinograd(plan, g.batch*g.filters*g.yPlane(), g.filters*g.depth(), engine.Epilogue{}, exact()), true
}

// bindWinograd returns the kernel of plan for images and filters of so many elements, which runs exact where
// some are not finite.
func (e Engine) bindWinograd(plan *simd.Winograd, images, filters int, ep engine.Epilogue, exact engine.Bound) engine.Bound {
	var l layout
	finite := e.newFinite(&l, images, filters)
	scratch := reserve[float32](&l, 1, plan.Scratch())
	kernel := func(c *engine.Call) error {
		if !finite.holds(c) {
			return exact.Kernel(c)
		}
		plan.Run(e.pool, engine.Slice[float32](c.Out[0]), engine.Slice[float32](c.In[0]), engine.Slice[float32](c.In[1]), bias[float32](c, ep), scratch.of(c, 0))
		return nil
	}
	return engine.Bound{Kernel: kernel, Scratch: max(int(l), exact.Scratch), By: name, Alg: "winograd"}
}

// finite tells whether the first two inputs are of finite numbers. It may say no where one is beyond
// 1e16.
type finite struct {
	Engine
	pieces [2]int // of the inputs
	sums   region[float32]
	loop   *loop
}

// finitePiece is how many elements are looked at together.
const finitePiece = 1 << 14

func (e Engine) newFinite(l *layout, n0, n1 int) *finite {
	f := &finite{Engine: e, pieces: [2]int{(n0 + finitePiece - 1) / finitePiece, (n1 + finitePiece - 1) / finitePiece}}
	f.sums = reserve[float32](l, 1, f.pieces[0]+f.pieces[1])
	f.loop = e.newLoop(f.sums.n, finitePiece/16, f.sum)
	return f
}

// sum adds up the squares of pieces lo to hi.
func (f *finite) sum(c *engine.Call, _, lo, hi int) {
	sums := f.sums.of(c, 0)
	for i := lo; i < hi; i++ {
		v, at := engine.Slice[float32](c.In[0]), i*finitePiece
		if i >= f.pieces[0] {
			v, at = engine.Slice[float32](c.In[1]), (i-f.pieces[0])*finitePiece
		}
		piece := v[at:min(at+finitePiece, len(v))]
		sums[i] = f.simd.Dot(piece, piece)
	}
}

func (f *finite) holds(c *engine.Call) bool {
	f.loop.run(c)
	total := f.simd.Sum(f.sums.of(c, 0))
	return total-total == 0
}
