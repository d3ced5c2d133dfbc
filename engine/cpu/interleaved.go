package cpu

import (
	"math"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/interleaved"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/shape"
)

var _ engine.Laner = Engine{}

// Lanes implements [engine.Laner].
func (Engine) Lanes() int { return interleaved.Images }

// inLanes reports whether images are in lanes.
func inLanes(images shape.Type) bool { return images.Rank() == 5 }

// laneTypes reports whether all of ts are in lanes as they should be.
func laneTypes(ts ...shape.Type) bool {
	for _, t := range ts {
		if t.DType != shape.Float32 || t.Rank() != 5 || t.Int(4) != interleaved.Images {
			return false
		}
	}
	return true
}

func laneOp(c engine.Conv2D, x, w, y shape.Type) interleaved.Op {
	g := convOf(c, x, w, y)
	op := interleaved.Op{Blocks: g.batch, Groups: g.groups, M: g.filters, Window: g.Window}
	if c.Epilogue.Bias {
		op.Bias = isa.RowBias
	}
	if c.Epilogue.ReLU {
		op.Act = isa.ReLU
	}
	return op
}

// laneCost is about the time of n multiplications in lanes, in nanoseconds.
func laneCost(n int) int { return n / 32 }

func (e Engine) laneConv2D(c engine.Conv2D, in []shape.Type, out shape.Type) (engine.Bound, error) {
	if !laneTypes(in[0], out) || !sameDType(shape.Float32, in) {
		return engine.Bound{}, engine.Unsupported(name, "Conv2D in lanes", in)
	}
	op := laneOp(c, in[0], in[1], out)
	direct := interleaved.NewConv(e.simd.Interleaved, op)
	exact := e.bindLaneConv(direct, exactLanes{direct}, c.Epilogue)
	return e.cheapestInLanes(op, forward, exact, func() engine.Bound {
		plan, _ := interleaved.NewWinograd(e.simd.Interleaved, op)
		return e.bindLineWinograd(plan, plan, c.Epilogue, exact)
	}), nil
}

func (e Engine) laneInputGrad(c engine.Conv2D, in []shape.Type, out shape.Type) (engine.Bound, error) {
	if !laneTypes(in[0], out) || !sameDType(shape.Float32, in) {
		return engine.Bound{}, engine.Unsupported(name, "Conv2DInputGrad in lanes", in)
	}
	op := laneOp(c, out, in[1], in[0])
	direct := interleaved.NewInputGrad(e.simd.Interleaved, op)
	exact := e.bindLaneConv(direct, exactLanes{direct}, engine.Epilogue{})
	return e.cheapestInLanes(op, inputGrad, exact, func() engine.Bound {
		plan, _ := interleaved.NewWinogradInputGrad(e.simd.Interleaved, op)
		return e.bindLineWinograd(plan, plan, engine.Epilogue{}, exact)
	}), nil
}

// laneRunner does the tasks of a convolution in lanes, whose filters are packed. Run reports false where it met numbers that it
// cannot work with; it needs Scratch elements of scratch memory.
type laneRunner interface {
	Tasks() int
	Work() int
	Scratch() int
	Run(y, x, packed, bias, scratch []float32, lo, hi int) (finite bool)
}

// exactLanes works with all numbers.
type exactLanes struct{ *interleaved.Conv }

func (exactLanes) Scratch() int { return 0 }
func (l exactLanes) Run(y, x, packed, bias, _ []float32, lo, hi int) bool {
	l.Conv.Run(y, x, packed, bias, lo, hi)
	return true
}

// newLaneLoop is the loop over the tasks of a convolution.
func (e Engine) newLaneLoop(l *layout, r laneRunner, ep engine.Epilogue, packed func(c *engine.Call) []float32) *finiteLoop {
	return e.newFiniteLoop(l, r.Tasks(), laneCost(r.Work())/max(r.Tasks(), 1), r.Scratch(), func(c *engine.Call, scratch []float32, lo, hi int) bool {
		return r.Run(engine.Slice[float32](c.Out[0]), engine.Slice[float32](c.In[0]), packed(c), bias[float32](c, ep), scratch, lo, hi)
	})
}

// bindLaneConv returns the kernel that does r's tasks with the filters that plan packs, unless somebody has.
func (e Engine) bindLaneConv(plan *interleaved.Conv, r laneRunner, ep engine.Epilogue) engine.Bound {
	var l layout
	var own region[float32]
	packed := func(c *engine.Call) []float32 {
		if c.Packed.Valid() {
			return engine.Slice[float32](c.Packed.At(0, shape.Float32, plan.PackedLen()))
		}
		return own.of(c, 0)
	}
	pack := func(to func(c *engine.Call) []float32, in int) *loop {
		return e.newLoop(plan.Packs(), plan.PackedLen()/max(plan.Packs(), 1), func(c *engine.Call, _, lo, hi int) {
			plan.Pack(to(c), engine.Slice[float32](c.In[in]), lo, hi)
		})
	}
	packs := pack(packed, 1)
	tasks := e.newLaneLoop(&l, r, ep, packed)
	rest := int(l)
	own = reserve[float32](&l, 1, plan.PackedLen())
	kernel := func(c *engine.Call) error {
		if !c.Packed.Valid() {
			packs.run(c)
		}
		tasks.run(c)
		return nil
	}
	b := engine.Bound{Kernel: kernel, Scratch: int(l), By: name, Alg: lanesAlg}
	if plan.PackedLen() > 0 {
		b.Packing = engine.Packing{In: 1, Bytes: plan.PackedLen() * shape.Float32.Width(), Rest: rest, Kernel: pack(func(c *engine.Call) []float32 {
			return engine.Slice[float32](c.Out[0].At(0, shape.Float32, plan.PackedLen()))
		}, 0).kernel()}
	}
	return b
}

func (e Engine) laneFilterGrad(c engine.Conv2D, in []shape.Type, out shape.Type) (engine.Bound, error) {
	if !laneTypes(in[0], in[1]) || out.DType != shape.Float32 {
		return engine.Bound{}, engine.Unsupported(name, "Conv2DFilterGrad in lanes", in)
	}
	op := laneOp(c, in[0], out, in[1])
	exact := e.bindLaneGrad(interleaved.NewFilterGrad(e.simd.Interleaved, op))
	return e.cheapestInLanes(op, filterGrad, exact, func() engine.Bound {
		plan, _ := interleaved.NewWinogradFilterGrad(e.simd.Interleaved, op)
		return e.bindLineWinogradGrad(plan, exact)
	}), nil
}

func (e Engine) bindLaneGrad(plan *interleaved.FilterGrad) engine.Bound {
	var l layout
	sums := reserve[float32](&l, 1, plan.SumsLen())
	tasks := e.newLoop(plan.Tasks(), laneCost(plan.Work())/max(plan.Tasks(), 1), func(c *engine.Call, _, lo, hi int) {
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
	return engine.Bound{Kernel: kernel, Scratch: int(l), By: name, Alg: lanesAlg}
}

// lanePool plans a pooling of x to y, which are in lanes.
func (e Engine) lanePool(p engine.Pool2D, x, y shape.Type, counted func(axis, o int) int) *interleaved.Pool {
	return interleaved.NewPool(e.simd.Interleaved, windowOf(p.Kernel, p.Stride, p.Dilation, p.Pad, x, y), counted)
}

// lanePlanes returns the kernel that calls f for planes in lanes of images like x, which take windows of that size, with so
// many elements of scratch memory.
func (e Engine) lanePlanes(p engine.Pool2D, x, y shape.Type, room int, f func(c *engine.Call, scratch []float32, lo, hi int)) engine.Bound {
	cost := y.Int(2)*y.Int(3)*p.Kernel[0]*p.Kernel[1] + x.Int(2)*x.Int(3)
	var l layout
	var scratch region[float32]
	planes := e.newLoop(x.Int(0)*x.Int(1), cost, func(c *engine.Call, slot, lo, hi int) { f(c, scratch.of(c, slot), lo, hi) })
	scratch = reserve[float32](&l, planes.slots, room)
	return engine.Bound{Kernel: planes.kernel(), Scratch: int(l), By: name, Alg: lanesAlg}
}

func (e Engine) laneMaxPool(p engine.Pool2D, in []shape.Type, out shape.Type) (engine.Bound, error) {
	if !laneTypes(in[0], out) {
		return engine.Bound{}, engine.Unsupported(name, "MaxPool2D in lanes", in)
	}
	plan := e.lanePool(p, in[0], out, nil)
	return e.lanePlanes(p, in[0], out, 0, func(c *engine.Call, _ []float32, lo, hi int) {
		plan.Max(engine.Slice[float32](c.Out[0]), engine.Slice[float32](c.In[0]), float32(math.Inf(-1)), lo, hi)
	}), nil
}

func (e Engine) laneScatter(p engine.Pool2D, in []shape.Type, out shape.Type) (engine.Bound, error) {
	if !laneTypes(in[0], in[1], out) {
		return engine.Bound{}, engine.Unsupported(name, "MaxPool2DScatter in lanes", in)
	}
	plan := e.lanePool(p, in[0], in[1], nil)
	return e.lanePlanes(p, in[0], in[1], 0, func(c *engine.Call, _ []float32, lo, hi int) {
		plan.Scatter(engine.Slice[float32](c.Out[0]), engine.Slice[float32](c.In[0]), engine.Slice[float32](c.In[1]), p.ReLU, lo, hi)
	}), nil
}

func (e Engine) laneAvgPool(p engine.Pool2D, in []shape.Type, out shape.Type) (engine.Bound, error) {
	if !laneTypes(in[0], out) {
		return engine.Bound{}, engine.Unsupported(name, "AvgPool2D in lanes", in)
	}
	plan := e.lanePool(p, in[0], out, poolOf(p, in[0], out).counted)
	return e.lanePlanes(p, in[0], out, plan.MeanScratch(), func(c *engine.Call, scratch []float32, lo, hi int) {
		plan.Mean(engine.Slice[float32](c.Out[0]), engine.Slice[float32](c.In[0]), scratch, lo, hi)
	}), nil
}

func (e Engine) laneAvgPoolGrad(p engine.Pool2D, in []shape.Type, out shape.Type) (engine.Bound, error) {
	if !laneTypes(in[0], out) {
		return engine.Bound{}, engine.Unsupported(name, "AvgPool2DGrad in lanes", in)
	}
	plan := e.lanePool(p, out, in[0], poolOf(p, out, in[0]).counted)
	return e.lanePlanes(p, out, in[0], 0, func(c *engine.Call, _ []float32, lo, hi int) {
		plan.MeanGrad(engine.Slice[float32](c.Out[0]), engine.Slice[float32](c.In[0]), lo, hi)
	}), nil
}
