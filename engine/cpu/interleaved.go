package cpu

import (
	"math"
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/interleaved"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/shape"
)

// byImages is the layout of 16 images side by side, a vector of AVX-512 or two of AVX2.
var byImages = engine.Interleaved(interleaved.Images)

// interleavable reports whether kernels other than maps take tensors of all these types
// interleaved.
func (e Engine) interleavable(ts ...shape.Type) bool {
	return !slices.ContainsFunc(ts, func(t shape.Type) bool { return t.DType != shape.Float32 || t.Rank() != 4 || !byImages.Fits(t) })
}

// isInterleaved reports whether all operands are, which they can be.
func (e Engine) isInterleaved(os ...engine.Operand) bool {
	return !slices.ContainsFunc(os, func(o engine.Operand) bool { return o.Layout != byImages || !e.interleavable(o.Type) })
}

func interleavedOp(c engine.Conv2D, x, w, y shape.Type) interleaved.Op {
	g := convOf(c, x, w, y)
	op := interleaved.Op{Blocks: g.batch / interleaved.Images, Groups: g.groups, M: g.filters, Window: g.Window, Act: activation(c.Epilogue)}
	if c.Epilogue.Bias {
		op.Bias = isa.RowBias
	}
	return op
}

// vectorCost is about the time of n multiplications by vectors, in nanoseconds.
func vectorCost(n int) int { return n / 32 }

func (e Engine) interleavedConv2D(c engine.Conv2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if !e.isInterleaved(in[0], out) || !sameDType(shape.Float32, engine.Types(in)) {
		return engine.Bound{}, engine.Unsupported(name, "interleaved Conv2D", in)
	}
	op := interleavedOp(c, in[0].Type, in[1].Type, out.Type)
	direct := interleaved.NewConv(e.simd.Interleaved, op)
	exact := e.bindInterleaved(direct, exactInterleaved{direct}, c.Epilogue)
	return e.cheapestInterleaved(op, forward, exact, func() engine.Bound {
		plan, _ := interleaved.NewWinograd(e.simd.Interleaved, op)
		return withExact(in[1].Type, exact, func(exact engine.Bound) engine.Bound { return e.bindInterleavedWinograd(plan, plan, c.Epilogue, exact) })
	}), nil
}

func (e Engine) interleavedInputGrad(c engine.Conv2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if !e.isInterleaved(in[0], out) || !sameDType(shape.Float32, engine.Types(in)) {
		return engine.Bound{}, engine.Unsupported(name, "interleaved Conv2DInputGrad", in)
	}
	op := interleavedOp(c, out.Type, in[1].Type, in[0].Type)
	direct := interleaved.NewInputGrad(e.simd.Interleaved, op)
	exact := e.bindInterleaved(direct, exactInterleaved{direct}, engine.Epilogue{})
	return e.cheapestInterleaved(op, inputGrad, exact, func() engine.Bound {
		plan, _ := interleaved.NewWinogradInputGrad(e.simd.Interleaved, op)
		return e.bindInterleavedWinograd(plan, plan, engine.Epilogue{}, exact)
	}), nil
}

// interleavedRunner does the tasks of a convolution of interleaved images, whose filters are
// packed. Run reports false where it met numbers that it cannot work with; it needs Scratch
// elements of scratch memory.
type interleavedRunner interface {
	Tasks() int
	Work() int
	Scratch() int
	Run(y, x, packed, bias, scratch []float32, lo, hi int) (finite bool)
}

// exactInterleaved works with all numbers.
type exactInterleaved struct{ *interleaved.Conv }

func (exactInterleaved) Scratch() int { return 0 }
func (l exactInterleaved) Run(y, x, packed, bias, _ []float32, lo, hi int) bool {
	l.Conv.Run(y, x, packed, bias, lo, hi)
	return true
}

// newInterleavedLoop is the loop over the tasks of a convolution.
func (e Engine) newInterleavedLoop(l *layout, r interleavedRunner, ep engine.Epilogue, packed func(c *engine.Call) []float32) *finiteLoop {
	return e.newFiniteLoop(l, r.Tasks(), vectorCost(r.Work())/max(r.Tasks(), 1), r.Scratch(), func(c *engine.Call, scratch []float32, lo, hi int) bool {
		return r.Run(engine.Slice[float32](c.Out[0]), engine.Slice[float32](c.In[0]), packed(c), bias[float32](c, ep), scratch, lo, hi)
	})
}

// bindInterleaved returns the kernel that does r's tasks with the filters that plan packs.
func (e Engine) bindInterleaved(plan *interleaved.Conv, r interleavedRunner, ep engine.Epilogue) engine.Bound {
	var l layout
	packed := e.packer(filterPacking{elems: plan.PackedLen(), tasks: plan.Packs(), pack: plan.Pack})
	tasks := e.newInterleavedLoop(&l, r, ep, packed.of)
	return packed.bind(&l, interleavedAlg, tasks.kernel())
}

func (e Engine) interleavedFilterGrad(c engine.Conv2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if !e.isInterleaved(in[0], in[1]) || out.DType != shape.Float32 {
		return engine.Bound{}, engine.Unsupported(name, "interleaved Conv2DFilterGrad", in)
	}
	op := interleavedOp(c, in[0].Type, out.Type, in[1].Type)
	exact := e.bindInterleavedGrad(interleaved.NewFilterGrad(e.simd.Interleaved, op))
	return e.cheapestInterleaved(op, filterGrad, exact, func() engine.Bound {
		plan, _ := interleaved.NewWinogradFilterGrad(e.simd.Interleaved, op)
		return e.bindInterleavedWinogradGrad(plan, exact)
	}), nil
}

func (e Engine) bindInterleavedGrad(plan *interleaved.FilterGrad) engine.Bound {
	var l layout
	sums := reserve[float32](&l, 1, plan.SumsLen())
	tasks := e.newLoop(plan.Tasks(), vectorCost(plan.Work())/max(plan.Tasks(), 1), func(c *engine.Call, _, lo, hi int) {
		plan.Run(sums.of(c, 0), engine.Slice[float32](c.In[0]), engine.Slice[float32](c.In[1]), lo, hi)
	})
	totals := e.newLoop(plan.Totals(), plan.SumsLen()/max(plan.Totals(), 1)/4, func(c *engine.Call, _, lo, hi int) {
		plan.Total(engine.Slice[float32](c.Out[0]), sums.of(c, 0), lo, hi)
	})
	kernel := func(c *engine.Call) error {
		tasks.run(c)
		totals.run(c)
		return nil
	}
	return engine.Bound{Kernel: kernel, Scratch: int(l), By: name, Alg: interleavedAlg}
}

// interleavedPool plans a pooling of x to y, which are interleaved.
func (e Engine) interleavedPool(p engine.Pool2D, x, y shape.Type, counted func(axis, o int) int) *interleaved.Pool {
	return interleaved.NewPool(e.simd.Interleaved, poolWindow(p, x, y), counted)
}

// interleavedPlanes returns the kernel that calls f for planes of interleaved images like x, which
// take windows of that size, with so many elements of scratch memory.
func (e Engine) interleavedPlanes(p engine.Pool2D, x, y engine.Operand, room int, f func(c *engine.Call, scratch []float32, lo, hi int)) engine.Bound {
	w := poolWindow(p, x.Type, y.Type)
	cost := w.Cols()*w.KH*w.KW + x.Int(2)*x.Int(3)
	var l layout
	var scratch region[float32]
	planes := e.newLoop(x.Int(0)/interleaved.Images*x.Int(1), cost, func(c *engine.Call, slot, lo, hi int) { f(c, scratch.of(c, slot), lo, hi) })
	scratch = reserve[float32](&l, planes.slots, room)
	return engine.Bound{Kernel: planes.kernel(), Scratch: int(l), By: name, Alg: interleavedAlg}
}

func (e Engine) interleavedMaxPool(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if !e.isInterleaved(in[0], out) {
		return engine.Bound{}, engine.Unsupported(name, "interleaved MaxPool2D", in)
	}
	plan := e.interleavedPool(p, in[0].Type, out.Type, nil)
	return e.interleavedPlanes(p, in[0], out, 0, func(c *engine.Call, _ []float32, lo, hi int) {
		plan.Max(engine.Slice[float32](c.Out[0]), engine.Slice[float32](c.In[0]), float32(math.Inf(-1)), lo, hi)
	}), nil
}

func (e Engine) interleavedScatter(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if !e.isInterleaved(in[0], in[1], out) {
		return engine.Bound{}, engine.Unsupported(name, "interleaved MaxPool2DScatter", in)
	}
	plan := e.interleavedPool(p, in[0].Type, in[1].Type, nil)
	return e.interleavedPlanes(p, in[0], in[1], 0, func(c *engine.Call, _ []float32, lo, hi int) {
		plan.Scatter(engine.Slice[float32](c.Out[0]), engine.Slice[float32](c.In[0]), engine.Slice[float32](c.In[1]), p.ReLU, lo, hi)
	}), nil
}

func (e Engine) interleavedAvgPool(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if !e.isInterleaved(in[0], out) {
		return engine.Bound{}, engine.Unsupported(name, "interleaved AvgPool2D", in)
	}
	plan := e.interleavedPool(p, in[0].Type, out.Type, poolOf(p, in[0].Type, out.Type).counted)
	return e.interleavedPlanes(p, in[0], out, plan.MeanScratch(), func(c *engine.Call, scratch []float32, lo, hi int) {
		plan.Mean(engine.Slice[float32](c.Out[0]), engine.Slice[float32](c.In[0]), scratch, lo, hi)
	}), nil
}

func (e Engine) interleavedAvgPoolGrad(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if !e.isInterleaved(in[0], out) {
		return engine.Bound{}, engine.Unsupported(name, "interleaved AvgPool2DGrad", in)
	}
	plan := e.interleavedPool(p, out.Type, in[0].Type, poolOf(p, out.Type, in[0].Type).counted)
	return e.interleavedPlanes(p, out, in[0], 0, func(c *engine.Call, _ []float32, lo, hi int) {
		plan.MeanGrad(engine.Slice[float32](c.Out[0]), engine.Slice[float32](c.In[0]), lo, hi)
	}), nil
}
