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
	plan, ok := e.winograd(g, ep, simd.NewWinograd)
	if !ok {
		return engine.Bound{}, false
	}
	return e.bindWinograd(g.images(), g.weights(), plan.Scratch(), exact(), func(c *engine.Call, a, b, out, scratch []float32) {
		plan.Run(e.pool, out, a, b, bias[float32](c, ep), scratch)
	}), true
}

func (e Engine) winogradInputGrad(g conv, exact func() engine.Bound) (engine.Bound, bool) {
	adjoint, ok := g.adjoint()
	if !ok {
		return engine.Bound{}, false
	}
	plan, ok := e.winograd(adjoint, engine.Epilogue{}, simd.NewWinogradFlipped)
	if !ok {
		return engine.Bound{}, false
	}
	return e.bindWinograd(g.results(), g.weights(), plan.Scratch(), exact(), func(_ *engine.Call, a, b, out, scratch []float32) {
		plan.Run(e.pool, out, a, b, nil, scratch)
	}), true
}

func (e Engine) winogradFilterGrad(g conv, exact func() engine.Bound) (engine.Bound, bool) {
	plan, ok := e.winograd(g, engine.Epilogue{}, simd.NewWinograd)
	if !ok || !plan.HasGrad() {
		return engine.Bound{}, false
	}
	return e.bindWinograd(g.images(), g.results(), plan.GradScratch(), exact(), func(_ *engine.Call, a, b, out, scratch []float32) {
		plan.RunGrad(e.pool, out, a, b, scratch)
	}), true
}

// winograd plans the convolution, or reports false.
func (e Engine) winograd(g conv, ep engine.Epilogue, plan func(*simd.Kernels, simd.ConvOp) (*simd.Winograd, bool)) (*simd.Winograd, bool) {
	op, ok := g.convOp(ep)
	if !ok {
		return nil, false
	}
	return plan(e.simd, op)
}

// bindWinograd returns the kernel that runs on inputs of n0 and n1 elements, in so much scratch memory, or runs
// exact where some are not finite.
func (e Engine) bindWinograd(n0, n1, scratch int, exact engine.Bound, run func(c *engine.Call, a, b, out, scratch []float32)) engine.Bound {
	var l layout
	finite := e.newFinite(&l, n0, n1)
	own := reserve[float32](&l, 1, scratch)
	kernel := func(c *engine.Call) error {
		if !finite.holds(c) {
			return exact.Kernel(c)
		}
		run(c, engine.Slice[float32](c.In[0]), engine.Slice[float32](c.In[1]), engine.Slice[float32](c.Out[0]), own.of(c, 0))
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
