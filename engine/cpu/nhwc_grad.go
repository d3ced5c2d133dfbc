package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/nhwc"
	"github.com/plexaura/plexaura/shape"
)

// nhwcInputGrad binds the gradient of images with channels last.
func (e Engine) nhwcInputGrad(c engine.Conv2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if out.Layout != channelsLast || !sameDType(shape.Float32, engine.Types(in)) {
		return engine.Bound{}, engine.Unsupported(name, "NHWC Conv2DInputGrad", in)
	}
	g := convOf(c, out.Type, in[1].Type, in[0].Type)
	op := g.nhwcOp(engine.Epilogue{})
	if g.depthwise() {
		op.C = g.groups
		return e.withMap(len(in), out, func(t *mapTail) engine.Bound {
			return e.bindDepthwise(nhwc.NewDepthwiseInputGrad(e.simd.NHWC, op.Window, op.N), engine.Epilogue{}, t)
		}), nil
	}
	choice := e.nhwcInputGradCandidates(op)
	exact := e.withMap(len(in), out, func(t *mapTail) engine.Bound {
		b := e.exactNHWCInputGrad(op, t)
		b.Choice = choice
		return b
	})
	if choose(exact.Choice) == nhwcWinogradAlg {
		exact.Then = nil
		plan, _ := nhwc.NewWinogradInputGrad(e.simd.NHWC, op)
		b := e.bindNHWCWinograd(plan, engine.Epilogue{}, exact)
		b.Narrow = nil // exact is given filters that are not rounded
		return b, nil
	}
	return exact, nil
}

// exactNHWCInputGrad binds the gradient without Winograd's algorithm, with a tail.
func (e Engine) exactNHWCInputGrad(op nhwc.Op, t *mapTail) engine.Bound {
	if plan, ok := nhwc.NewGroupedInputGrad(e.simd.NHWC, op); ok {
		return e.bindNHWC(plan, plan.Form(), engine.Epilogue{}, t)
	}
	return e.bindNHWC(nhwc.NewInputGrad(e.simd.NHWC, op), nil, engine.Epilogue{}, t)
}

// nhwcFilterGrad binds the gradient of the filters from images with channels last.
func (e Engine) nhwcFilterGrad(c engine.Conv2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if in[1].Layout != channelsLast || out.Layout != engine.Rows || !sameDType(shape.Float32, engine.Types(in)) {
		return engine.Bound{}, engine.Unsupported(name, "NHWC Conv2DFilterGrad", in)
	}
	g := convOf(c, in[0].Type, out.Type, in[1].Type)
	op := g.nhwcOp(engine.Epilogue{})
	if g.depthwise() {
		op.C = g.groups
		return e.bindDepthwiseFilterGrad(nhwc.NewDepthwiseFilterGrad(e.simd.NHWC, op.Window, op.N)), nil
	}
	exact := e.bindNHWCFilterGrad(nhwc.NewFilterGrad(e.simd.NHWC, op))
	exact.Choice = e.nhwcGradCandidates(op)
	if choose(exact.Choice) == nhwcWinogradAlg {
		plan, _ := nhwc.NewWinogradFilterGrad(e.simd.NHWC, op)
		return e.bindNHWCWinogradGrad(plan, exact), nil
	}
	return exact, nil
}

func (e Engine) bindNHWCFilterGrad(plan *nhwc.FilterGrad) engine.Bound {
	var l layout
	var scratch, room region[float32]
	sums := reserve[float32](&l, 1, plan.SumsLen())
	tasks := e.newLoop(plan.Tasks(), vectorCost(plan.Work())/max(plan.Tasks(), 1), func(c *engine.Call, slot, lo, hi int) {
		plan.Run(sums.of(c, 0), engine.Slice[float32](c.In[0]), engine.Slice[float32](c.In[1]), scratch.of(c, slot), lo, hi)
	})
	totals := e.newLoop(plan.Totals(), plan.SumsLen()/max(plan.Totals(), 1), func(c *engine.Call, slot, lo, hi int) {
		plan.Total(engine.Slice[float32](c.Out[0]), sums.of(c, 0), room.of(c, slot), lo, hi)
	})
	scratch, room = reserve[float32](&l, tasks.slots, plan.ScratchLen()), reserve[float32](&l, totals.slots, plan.TotalScratch())
	kernel := func(c *engine.Call) error {
		tasks.run(c)
		totals.run(c)
		return nil
	}
	return engine.Bound{Kernel: kernel, Scratch: int(l), By: name, Alg: nhwcAlg}
}

// bindNHWCWinogradGrad returns the kernel of plan, or of exact where numbers are not finite. A group of
// tiles is transformed, then multiplied.
func (e Engine) bindNHWCWinogradGrad(plan *nhwc.WinogradFilterGrad, exact engine.Bound) engine.Bound {
	var l layout
	tiles, sums := reserve[float32](&l, 1, plan.TilesLen()), reserve[float32](&l, 1, plan.SumsLen())
	total, group := reserve[float32](&l, 1, plan.TotalLen()), reserve[int32](&l, 1, 1)
	transform := e.newFiniteLoop(&l, plan.Transforms(), 4000, plan.CellsLen(), func(c *engine.Call, cells []float32, lo, hi int) bool {
		return plan.Transform(tiles.of(c, 0), engine.Slice[float32](c.In[0]), engine.Slice[float32](c.In[1]), cells, int(group.of(c, 0)[0]), lo, hi)
	})
	products := e.newLoop(plan.Tasks(), chunkWork, func(c *engine.Call, _, lo, hi int) {
		plan.Run(sums.of(c, 0), tiles.of(c, 0), int(group.of(c, 0)[0]), lo, hi)
	})
	var cells region[float32]
	totals := e.newLoop(plan.Totals(), plan.TotalLen()/max(plan.Totals(), 1), func(c *engine.Call, slot, lo, hi int) {
		plan.Total(total.of(c, 0), sums.of(c, 0), cells.of(c, slot), lo, hi)
	})
	cells = reserve[float32](&l, totals.slots, plan.CellsLen())
	kernel := func(c *engine.Call) error {
		for i := range plan.Groups() {
			group.of(c, 0)[0] = int32(i)
			if !transform.holds(c) {
				return exact.Kernel(c)
			}
			products.run(c)
		}
		totals.run(c)
		plan.Turn(engine.Slice[float32](c.Out[0]), total.of(c, 0))
		return nil
	}
	return engine.Bound{Kernel: kernel, Scratch: max(int(l), exact.Scratch), By: name, Alg: nhwcWinogradAlg, Choice: exact.Choice}
}

func (e Engine) bindDepthwiseFilterGrad(plan *nhwc.DepthwiseFilterGrad) engine.Bound {
	var l layout
	sums := reserve[float32](&l, 1, plan.SumsLen())
	tasks := e.newLoop(plan.Tasks(), vectorCost(plan.Work())/max(plan.Tasks(), 1), func(c *engine.Call, _, lo, hi int) {
		plan.Run(sums.of(c, 0), engine.Slice[float32](c.In[0]), engine.Slice[float32](c.In[1]), lo, hi)
	})
	kernel := func(c *engine.Call) error {
		tasks.run(c)
		plan.Total(engine.Slice[float32](c.Out[0]), sums.of(c, 0))
		return nil
	}
	return engine.Bound{Kernel: kernel, Scratch: int(l), By: name, Alg: depthwiseAlg, Choice: []engine.Candidate{{Alg: depthwiseAlg, Work: plan.Work()}}}
}
