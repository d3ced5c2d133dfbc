package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/nhwc"
	"github.com/plexaura/plexaura/shape"
)

// stemAlg is what Bound.Alg calls a convolution of images in rows to channels last.
const stemAlg = "nhwc stem"

// stemChannels is the most channels of images that a network begins with. Their windows are multiplied where they lie: it
// takes as long to convert the images, and to copy their windows, as to multiply.
const stemChannels = 8

// stems reports whether the convolution of images x in rows gives channels last.
func stems(c engine.Conv2D, x shape.Type) bool {
	return c.Groups == 1 && x.Int(1) <= stemChannels
}

// arrangedForward adds to b, a convolution of images in rows whose result has type y and which returns out, that it
// can have channels last: its images too, but for those of few channels.
func (e Engine) arrangedForward(b engine.Bound, c engine.Conv2D, in []engine.Operand, y shape.Type, out engine.Operand) engine.Bound {
	gain := e.nhwcGain(c, forward, in[0].Type, in[1].Type, y)
	images := 1
	if gain != 0 && stems(c, in[0].Type) {
		images = 0
	}
	return e.arranged(b, channelsLast, gain, images, in, out)
}

// stemResultCost is what it takes to write a result, in multiplications, and stemTurnCost to turn it to rows.
const (
	stemResultCost = 12
	stemTurnCost   = 2
)

func (e Engine) stemWork(g convolution) int {
	lanes := isa.RoundUp(g.filters, e.simd.Gemm.F32.Width)
	return g.batch * g.yPlane() * lanes * (g.depth() + stemResultCost)
}

// directWork is the work of the direct kernel, whose vectors have windows of a row, as stemWork is that of filters in vectors.
func (e Engine) directWork(g convolution) int {
	lanes := isa.RoundUp(g.OW, e.simd.Gemm.F32.Width)
	return g.batch*g.OH*lanes*g.filters*(g.depth()+directResultCost) + sortWork(g)
}

// directGradWork is the work of the direct gradient of filters, with filters in vectors, or at half the speed windows of a row.
func (e Engine) directGradWork(g convolution) int {
	width := e.simd.Gemm.F32.Width
	lanes := min(g.OW*isa.RoundUp(g.filters, width), 2*g.filters*isa.RoundUp(g.OW, width))
	return g.batch*g.OH*lanes*(g.depth()+stemResultCost) + sortWork(g)
}

// sortWork is the work of sorting the elements of images by their place within a stride, before both direct kernels.
func sortWork(g convolution) int {
	if g.SW == 1 {
		return 0
	}
	return directSortCost * g.images()
}

// stemToRows binds a convolution of images in rows whose result is in rows too.
func (e Engine) stemToRows(g convolution, ep engine.Epilogue) engine.Bound {
	plan := nhwc.NewStemToRows(e.simd.NHWC, g.nhwcOp(ep))
	return e.bindStem(plan, plan.Tasks(), plan.ScratchLen(), nil, func(c *engine.Call, _ int, packed, scratch []float32, i int) {
		plan.Run(engine.Slice[float32](c.Out[0]), engine.Slice[float32](c.In[0]), packed, bias[float32](c, ep), scratch, i, i+1)
	})
}

// stemOf plans a convolution of images in rows whose result, of type y, has channels last.
func (e Engine) stemOf(c engine.Conv2D, in []engine.Operand, y shape.Type, act isa.Act) *nhwc.Stem {
	g := convOf(c, in[0].Type, in[1].Type, y)
	op := g.nhwcOp(c.Epilogue)
	op.Act = act
	return nhwc.NewStem(e.simd.NHWC, op)
}

// bindsStem returns an error where no kernel makes a result of type y from images in rows.
func (e Engine) bindsStem(c engine.Conv2D, in []engine.Operand, y shape.Type) error {
	if !stems(c, in[0].Type) || y.Len() == 0 || in[0].Len() == 0 || !e.lastable(in[0].Type, in[1].Type, y) {
		return engine.Unsupported(name, "NHWC Conv2D of images in rows", in)
	}
	return nil
}

// stemConv2D binds a convolution of images in rows whose result has channels last.
func (e Engine) stemConv2D(c engine.Conv2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if err := e.bindsStem(c, in, out.Type); err != nil {
		return engine.Bound{}, err
	}
	return e.withTail(len(in), out, activation(c.Epilogue), func(act isa.Act, t *mapTail) engine.Bound {
		plan := e.stemOf(c, in, out.Type, act)
		return e.bindStem(plan, plan.Tasks(), plan.ScratchLen(), t, func(call *engine.Call, slot int, packed, scratch []float32, i int) {
			plan.Run(engine.Slice[float32](call.Out[0]), engine.Slice[float32](call.In[0]), packed, bias[float32](call, c.Epilogue), scratch, i, i+1)
			from, to := plan.Task(i)
			t.apply(call, slot, from, to)
		})
	}), nil
}

// stemConvPool is stemConv2D followed by a pooling, of whose result y a task makes a strip.
func (e Engine) stemConvPool(c engine.Conv2D, p engine.Pool2D, in []engine.Operand, y shape.Type, out engine.Operand) (engine.Bound, error) {
	if err := e.bindsStem(c, in, y); err != nil {
		return engine.Bound{}, err
	}
	plan := e.stemOf(c, in, y, activation(c.Epilogue))
	windows := poolOf(p, y, out.Type).Window
	windows.C = plan.M
	var strips []stemStrip
	scratch, results := 0, 0
	for _, s := range e.stemStrips(p, y, out.Type) {
		part := stemStrip{conv: plan.Strip(s.lo, s.hi), pool: nhwc.NewPool(e.simd.NHWC, s.of(windows), 1, nil), first: s.first * windows.OW * plan.M}
		scratch, results = max(scratch, part.conv.ScratchLen()), max(results, part.conv.Results())
		strips = append(strips, part)
	}
	image, maxima := in[0].Len()/plan.N, out.Len()/plan.N
	return e.bindStem(plan, plan.N*len(strips), results+scratch, nil, func(call *engine.Call, _ int, packed, scratch []float32, i int) {
		n, s := i/len(strips), &strips[i%len(strips)]
		y := scratch[:results]
		s.conv.Run(y, nth(engine.Slice[float32](call.In[0]), n, image), packed, bias[float32](call, c.Epilogue), scratch[results:], 0, s.conv.Tasks())
		s.pool.Max(nth(engine.Slice[float32](call.Out[0]), n, maxima)[s.first:], y, 0, s.pool.Tasks())
	}), nil
}

// stemStrip is some rows of windows of a pooling: the convolution whose results they look at, and where their maxima begin.
type stemStrip struct {
	conv  *nhwc.Stem
	pool  *nhwc.Pool
	first int
}

// stemStripBytes is about how much of a convolution's result stays in the second-level cache.
const stemStripBytes = 512 << 10

func (e Engine) stemStrips(p engine.Pool2D, y, out shape.Type) []poolStrip {
	return poolStrips(poolOf(p, y, out), y.Int(0), y.Bytes(), stemStripBytes)
}

// bindStem returns the kernel that does so many tasks of plan by run, each with so much scratch memory.
func (e Engine) bindStem(plan *nhwc.Stem, tasks, scratchLen int, t *mapTail, run func(call *engine.Call, slot int, packed, scratch []float32, i int)) engine.Bound {
	var l layout
	var scratch region[float32]
	packed := e.packer(filterPacking{plan.PackedLen(), plan.Packs(), plan.Form(), plan.Pack})
	loop := e.newLoop(tasks, vectorCost(plan.Work())/max(tasks, 1), func(c *engine.Call, slot, lo, hi int) {
		for i := lo; i < hi; i++ {
			run(c, slot, packed.of(c), scratch.of(c, slot), i)
		}
	})
	scratch = reserve[float32](&l, loop.slots, scratchLen)
	t.reserve(&l, loop.slots)
	b := packed.bind(&l, stemAlg, loop.kernel())
	b.Choice = []engine.Candidate{{Alg: stemAlg, Work: plan.Work()}}
	return b
}
