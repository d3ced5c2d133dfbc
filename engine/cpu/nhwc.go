package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/nhwc"
	"github.com/plexaura/plexaura/shape"
)

// channelsLast is the layout (N,H,W,C).
var channelsLast = engine.Layout{Axis: 1, Block: engine.All}

// lastable reports whether kernels take tensors of all these types with channels last.
func (e Engine) lastable(ts ...shape.Type) bool {
	if !e.simd.NHWC.Vector() {
		return false
	}
	for _, t := range ts {
		if t.DType != shape.Float32 || !channelsLast.Fits(t) {
			return false
		}
	}
	return true
}

// nhwcConv2D binds a convolution of images with channels last.
func (e Engine) nhwcConv2D(c engine.Conv2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if out.Layout != channelsLast || !sameDType(shape.Float32, engine.Types(in)) {
		return engine.Bound{}, engine.Unsupported(name, "NHWC Conv2D", in)
	}
	g := convOf(c, in[0].Type, in[1].Type, out.Type)
	act := isa.NoAct
	if c.Epilogue.ReLU {
		act = isa.ReLU
	}
	if g.depthwise() {
		w := g.Window
		w.C = g.groups
		return e.bindDepthwise(nhwc.NewDepthwise(e.simd.NHWC, w, g.batch, c.Epilogue.Bias, act), c.Epilogue), nil
	}
	op := nhwc.Op{Window: g.Window, N: g.batch, Groups: g.groups, M: g.filters, Bias: c.Epilogue.Bias, Act: act}
	return e.bindNHWC(nhwc.NewConv(e.simd.NHWC, op), c.Epilogue), nil
}

// depthwise reports whether each channel has one filter.
func (g *convolution) depthwise() bool { return g.C == 1 && g.filters == 1 }

// What Bound.Alg calls the algorithms.
const (
	nhwcAlg      = "nhwc"
	depthwiseAlg = "nhwc depthwise"
)

// bindNHWC returns the kernel that unfolds the images, where that is done first, and multiplies.
func (e Engine) bindNHWC(plan *nhwc.Conv, ep engine.Epilogue) engine.Bound {
	var l layout
	var shared, scratch region[float32]
	packed := e.packer(filterPacking{plan.PackedLen(), plan.Packs(), plan.Form(), plan.Pack})
	unfold := e.newLoop(plan.Unfolds(), vectorCost(4*plan.SharedLen())/max(plan.Unfolds(), 1), func(c *engine.Call, _, lo, hi int) {
		plan.Unfold(shared.of(c, 0), engine.Slice[float32](c.In[0]), lo, hi)
	})
	tasks := e.newLoop(plan.Tasks(), vectorCost(plan.Work())/max(plan.Tasks(), 1), func(c *engine.Call, slot, lo, hi int) {
		plan.Run(engine.Slice[float32](c.Out[0]), engine.Slice[float32](c.In[0]), packed.of(c), bias[float32](c, ep),
			shared.of(c, 0), scratch.of(c, slot), lo, hi)
	})
	shared, scratch = reserve[float32](&l, 1, plan.SharedLen()), reserve[float32](&l, tasks.slots, plan.ScratchLen())
	return packed.bind(&l, nhwcAlg, func(c *engine.Call) {
		unfold.run(c)
		tasks.run(c)
	})
}

func (e Engine) bindDepthwise(plan *nhwc.Depthwise, ep engine.Epilogue) engine.Bound {
	var l layout
	packed := e.packer(filterPacking{plan.PackedLen(), 1, [2]int{plan.C, plan.KH * plan.KW}, func(packed, w []float32, _, _ int) { plan.Pack(packed, w) }})
	tasks := e.newLoop(plan.Tasks(), vectorCost(plan.Work())/max(plan.Tasks(), 1), func(c *engine.Call, _, lo, hi int) {
		plan.Run(engine.Slice[float32](c.Out[0]), engine.Slice[float32](c.In[0]), packed.of(c), bias[float32](c, ep), lo, hi)
	})
	return packed.bind(&l, depthwiseAlg, tasks.run)
}

// nhwcPool returns the kernel that pools images with channels last by f.
func (e Engine) nhwcPool(p engine.Pool2D, in []engine.Operand, out engine.Operand, counted func(axis, o int) int,
	f func(p *nhwc.Pool, y, x []float32, lo, hi int)) (engine.Bound, error) {
	x := in[0]
	if out.Layout != channelsLast || !e.lastable(x.Type, out.Type) {
		return engine.Bound{}, engine.Unsupported(name, "NHWC pooling", in)
	}
	w := windowOf(p.Kernel, p.Stride, p.Dilation, p.Pad, x.Type, out.Type)
	w.C = x.Int(1)
	plan := nhwc.NewPool(e.simd.NHWC, w, x.Int(0), counted)
	rows := e.newLoop(plan.Tasks(), vectorCost(4*plan.Work())/max(plan.Tasks(), 1), func(c *engine.Call, _, lo, hi int) {
		f(plan, engine.Slice[float32](c.Out[0]), engine.Slice[float32](c.In[0]), lo, hi)
	})
	return engine.Bound{Kernel: rows.kernel(), By: name, Alg: nhwcAlg}, nil
}

// reduceLast reduces x, whose channels are last, in its memory (N,1,H,W,C). The axes that are kept
// have to be in order there.
func (e Engine) reduceLast(r engine.Reduction, axes engine.Axes, x, out engine.Operand) (engine.Bound, error) {
	if !keepsOrder(axes) {
		return engine.Bound{}, engine.Unsupported(name, "NHWC "+r.String(), []engine.Operand{x})
	}
	stored := axes | engine.AxesOf(1)
	if axes.Has(1) {
		stored |= engine.AxesOf(4)
	}
	return e.reduceRows(r, stored, engine.InRows(x.Stored()), out)
}

// keepsOrder reports whether a reduction leaves of (N,H,W,C) what it leaves of (N,C,H,W).
func keepsOrder(axes engine.Axes) bool { return axes.Has(1) || axes.Has(2) && axes.Has(3) }

// concatLast joins tensors whose channels are last.
func (e Engine) concatLast(axis int, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	stored := make([]engine.Operand, len(in))
	for i, o := range in {
		if o.Layout != channelsLast {
			return engine.Bound{}, engine.Unsupported(name, "NHWC Concat", in)
		}
		stored[i] = engine.InRow(o.Stored())
	}
	if axis == 1 {
		axis = 4
	}
	return e.BindConcat(axis, stored, engine.InRow(out.Stored()))
}

// nhwcGain is what a convolution gains by channels last; see [engine.Arrangement].
func (e Engine) nhwcGain(c engine.Conv2D, in []engine.Operand, out engine.Operand) int {
	if !e.lastable(in[0].Type, out.Type) || out.Len() == 0 {
		return 0
	}
	g := convOf(c, in[0].Type, in[1].Type, out.Type)
	if choose(e.candidates(g, forward)) == winogradAlg {
		return -g.results() * g.depth() / 16
	}
	return engine.Always
}
