package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/conv"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/window"
	"github.com/plexaura/plexaura/shape"
)

// Convolutions of float32 in one group need not unfold the image: vector kernels find it where it
// is.

// convOp is the convolution as package simd takes it, or false if that has none like it.
func (g *convolution) convOp(ep engine.Epilogue) (op window.Conv, ok bool) {
	if g.groups > 1 || g.Top < 0 || g.Left < 0 {
		return op, false
	}
	op = window.Conv{N: g.batch, M: g.filters, Window: g.Window, Act: activation(ep)}
	if ep.Bias {
		op.Bias = isa.RowBias
	}
	return op, true
}

// direct plans the convolution, which is one that package simd has.
func (e Engine) direct(g convolution, ep engine.Epilogue) *conv.Plan {
	op, _ := g.convOp(ep)
	plan, _ := conv.New(e.simd.Conv, op)
	return plan
}

func (e Engine) directConv2D(g convolution, ep engine.Epilogue) engine.Bound {
	plan := e.direct(g, ep)
	var l layout
	scratch := reserve[float32](&l, 1, plan.Scratch())
	kernel := func(c *engine.Call) error {
		plan.Run(e.pool, engine.Slice[float32](c.Out[0]), engine.Slice[float32](c.In[0]), engine.Slice[float32](c.In[1]), bias[float32](c, ep), scratch.of(c, 0))
		return nil
	}
	return engine.Bound{Kernel: kernel, Scratch: int(l), By: name, Alg: directAlg}
}

// adjoint is the convolution of dy that gives the gradient of the image, if the stride is 1:
// with the filters turned round, and filters and channels in each other's place.
func (g convolution) adjoint() (convolution, bool) {
	a := g
	a.C, a.filters, a.H, a.W, a.OH, a.OW = g.filters, g.C, g.OH, g.OW, g.H, g.W
	a.Top, a.Left = g.DH*(g.KH-1)-g.Top, g.DW*(g.KW-1)-g.Left
	return a, g.SH == 1 && g.SW == 1
}

func (e Engine) directInputGrad(g convolution) engine.Bound {
	adjoint, _ := g.adjoint()
	plan := e.direct(adjoint, engine.Epilogue{})
	var l layout
	turned := reserve[float32](&l, 1, g.filters*g.depth())
	scratch := reserve[float32](&l, 1, plan.Scratch())
	kernel := func(c *engine.Call) error {
		w := turned.of(c, 0)
		flip(&g, w, engine.Slice[float32](c.In[1]))
		plan.Run(e.pool, engine.Slice[float32](c.Out[0]), engine.Slice[float32](c.In[0]), w, nil, scratch.of(c, 0))
		return nil
	}
	return engine.Bound{Kernel: kernel, Scratch: int(l), By: name, Alg: directAlg}
}

// flip sets dst (C,O,KH,KW) to the filters w (O,C,KH,KW) turned round.
func flip[T shape.Float](g *convolution, dst, w []T) {
	taps := g.taps()
	for o := range g.filters {
		for c := range g.C {
			from := w[(o*g.C+c)*taps:][:taps]
			to := dst[(c*g.filters+o)*taps:][:taps]
			for k, v := range from {
				to[taps-1-k] = v
			}
		}
	}
}

func (e Engine) directFilterGrad(g convolution) engine.Bound {
	plan := e.direct(g, engine.Epilogue{})
	var l layout
	scratch := reserve[float32](&l, 1, plan.GradScratch())
	kernel := func(c *engine.Call) error {
		plan.RunGrad(e.pool, engine.Slice[float32](c.Out[0]), engine.Slice[float32](c.In[0]), engine.Slice[float32](c.In[1]), scratch.of(c, 0))
		return nil
	}
	return engine.Bound{Kernel: kernel, Scratch: int(l), By: name, Alg: directAlg}
}
