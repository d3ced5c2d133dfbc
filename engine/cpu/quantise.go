package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/quant"
	"github.com/plexaura/plexaura/shape"
)

var _ engine.Quantiser = Engine{}

// Kernels of 8-bit integers work on images with channels last, and on rows of numbers. ref's are for
// images in rows: the layout pass has them only where the processor has no vectors.

// BindQuantise implements [engine.Quantiser].
func (e Engine) BindQuantise(q engine.Quant, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if in[0].DType != shape.Float32 || out.DType != shape.Uint8 || in[0].Layout != out.Layout {
		return engine.Bound{}, engine.Unsupported(name, "Quantise", in)
	}
	n, plan := out.Len(), quant.NewBytes(e.simd.Quant, quant.Scale(q))
	blocks := e.newLoop((n+block-1)/block, block/16, func(c *engine.Call, _, lo, hi int) {
		lo, hi = lo*block, min(hi*block, n)
		plan.Run(engine.Slice[uint8](c.Out[0])[lo:hi], engine.Slice[float32](c.In[0])[lo:hi])
	})
	b := engine.Bound{Kernel: blocks.kernel(), By: name, Serial: blocks.serial()}
	if in[0].Layout == engine.Rows {
		for _, l := range e.Layouts(out.Type) {
			b.Arrangements = append(b.Arrangements, engine.Arrangement{In: []engine.Layout{l}, Out: l})
		}
	}
	return b, nil
}

// BindQuantConv2D implements [engine.Quantiser].
func (e Engine) BindQuantConv2D(c engine.Conv2D, q engine.Quantised, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if out.Layout == channelsLast {
		return e.quantConv2D(c, q, in, out)
	}
	b, err := e.Engine.BindQuantConv2D(c, q, in, out)
	if err == nil && e.simd.Quant.Vector() && out.Len() > 0 {
		b.Arrangements = append(b.Arrangements, engine.Arrangement{In: quantLayouts(c, q, in), Out: channelsLast, Gain: engine.Always})
	}
	return b, err
}

// fewChannels is how many channels are copied from planes, which takes no longer than from pixels: those of
// pictures, which come in planes.
const fewChannels = 4

// quantLayouts are the layouts of in for results with channels last: those of the images, but for pictures,
// and of the addend.
func quantLayouts(c engine.Conv2D, q engine.Quantised, in []engine.Operand) []engine.Layout {
	all := engine.Images(channelsLast, 1, len(in))
	if in[0].Int(1) <= fewChannels && c.Groups == 1 {
		all[0] = engine.Rows
	}
	if q.Adds {
		all[len(in)-1] = channelsLast
	}
	return all
}

func (e Engine) quantConv2D(c engine.Conv2D, q engine.Quantised, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	rows := make([]engine.Operand, len(in))
	for i, l := range quantLayouts(c, q, in) {
		if in[i].Layout != l {
			return engine.Bound{}, engine.Unsupported(name, "NHWC QuantConv2D", in)
		}
		rows[i] = engine.InRow(in[i].Type)
	}
	if _, err := e.Engine.BindQuantConv2D(c, q, rows, engine.InRow(out.Type)); err != nil {
		return engine.Bound{}, err
	}
	g := convOf(c, in[0].Type, in[1].Type, out.Type)
	op := quant.Op{Window: g.Window, N: g.batch, Groups: g.groups, M: g.filters, Planes: in[0].Layout == engine.Rows}
	t := quantTailOf(&op, q.WithReLU(c.Epilogue.ReLU), c.Epilogue, in, out)
	w := engine.Weights{In: 1}
	if g.depthwise() && !q.Adds {
		plan := quant.NewDepthwise(e.simd.Quant, op)
		return e.bindQuant(plan, t, in, w, func(y, x, packed []uint8, shifts []float32, _, scratch []uint8, lo, hi int) {
			plan.Run(y, x, packed, shifts, scratch, lo, hi)
		}), nil
	}
	plan := quant.NewConv(e.simd.Quant, op, op.Filters())
	return e.bindQuant(plan, t, in, w, plan.Run), nil
}

// quantTail is what a kernel does beside multiplying.
type quantTail struct {
	affine  engine.Affine
	filters int
	bias    bool
	adds    bool // the last input
}

// quantTailOf sets what becomes of the sums of op.
func quantTailOf(op *quant.Op, q engine.Quantised, ep engine.Epilogue, in []engine.Operand, out engine.Operand) quantTail {
	t := quantTail{affine: q.Affine(), filters: op.Groups * op.M, bias: ep.Bias, adds: q.Adds}
	op.Zero, op.Factor = q.In.Zero, t.affine.Factor
	op.Tail = quant.Tail{Factor: t.affine.Addend, Lo: t.affine.Lo, Hi: t.affine.Hi, Bytes: out.DType == shape.Uint8}
	switch {
	case !q.Adds:
	case in[len(in)-1].DType == shape.Uint8:
		op.Tail.Adds = quant.AddBytes
	default:
		op.Tail.Adds = quant.AddFloats
	}
	return t
}

// shift sets dst to the shifts of all filters.
func (t *quantTail) shift(dst []float32, c *engine.Call) {
	var bias []float32
	if t.bias {
		bias = engine.Slice[float32](c.In[2])
	}
	for i := range t.filters {
		b := float32(0)
		if t.bias {
			b = bias[i]
		}
		dst[i] = t.affine.Shift(b)
	}
}

// BindQuantMatMul implements [engine.Quantiser]: a product is a convolution of images of one pixel.
func (e Engine) BindQuantMatMul(m engine.MatMul, q engine.Quantised, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindQuantMatMul(m, q, in, out)
	if err != nil || !e.simd.Quant.Vector() || out.Len() == 0 || in[0].Len() == 0 {
		return b, err
	}
	op := quant.Op{N: out.Int(0), Groups: 1, M: out.Int(1)}
	op.Window.C, op.H, op.W, op.KH, op.KW, op.OH, op.OW = in[0].Int(1), 1, 1, 1, 1, 1, 1
	t := quantTailOf(&op, q.WithReLU(m.Epilogue.ReLU), m.Epilogue, in, out)
	w, source := engine.Weights{In: 1, Axis: 1}, quant.Weights{Filter: 1, Channel: op.M}
	if m.TransB {
		w.Axis, source = 0, op.Filters()
	}
	plan := quant.NewConv(e.simd.Quant, op, source)
	return e.bindQuant(plan, t, in, w, plan.Run), nil
}

// quantPlan is a planned convolution of bytes.
type quantPlan interface {
	PackedLen() int
	Packs() int
	Pack(packed []uint8, w []int8, scales []float32, lo, hi int)
	Form() quant.Form
	framed
	ScratchLen() int
	Tasks() int
	Work() int
}

// framed are images that may be copied into a frame before they are read.
type framed interface {
	FrameLen() int
	Frames() int
	Frame(mem, x []uint8, lo, hi int)
}

// quantAlg is what Bound.Alg calls the kernels of 8-bit integers.
const quantAlg = "int8"

// bindQuant returns the kernel of plan, whose tasks run does.
func (e Engine) bindQuant(plan quantPlan, t quantTail, in []engine.Operand, w engine.Weights,
	run func(y, x, packed []uint8, shifts []float32, addend, scratch []uint8, lo, hi int)) engine.Bound {
	var l layout
	var scratch, own region[uint8]
	frame, shifts := e.framing(&l, plan), reserve[float32](&l, 1, quant.ShiftLen(t.filters))
	packed := func(c *engine.Call) []uint8 {
		if c.Packed.Valid() {
			return engine.Slice[uint8](c.Packed.At(0, shape.Uint8, plan.PackedLen()))
		}
		return own.of(c, 0)
	}
	tasks := e.newLoop(plan.Tasks(), vectorCost(plan.Work())/4/max(plan.Tasks(), 1), func(c *engine.Call, slot, lo, hi int) {
		var addend []uint8
		if t.adds {
			addend = c.In[len(in)-1].Bytes()
		}
		run(c.Out[0].Bytes(), frame.of(c), packed(c), shifts.of(c, 0), addend, scratch.of(c, slot), lo, hi)
	})
	scratch = reserve[uint8](&l, tasks.slots, plan.ScratchLen())
	rest := int(l)
	own = reserve[uint8](&l, 1, plan.PackedLen())
	pack := e.quantPacking(&l, plan, in[1].Type, w, 1, own.of)
	b := engine.Bound{By: name, Alg: quantAlg, Scratch: int(l), Kernel: func(c *engine.Call) error {
		if !c.Packed.Valid() {
			pack(c)
		}
		t.shift(shifts.of(c, 0), c)
		frame.copies.run(c)
		tasks.run(c)
		return nil
	}}
	var once layout
	ahead := e.quantPacking(&once, plan, in[1].Type, w, 0, func(c *engine.Call, _ int) []uint8 { return engine.Slice[uint8](c.Out[0]) })
	b.Packing = engine.Packing{In: 1, Bytes: plan.PackedLen(), Form: plan.Form(), Replaces: true, Scratch: int(once), Rest: rest, Kernel: func(c *engine.Call) error {
		ahead(c)
		return nil
	}}
	return b
}

// quantPacking rounds the weights, input at, in scratch memory, and packs them.
func (e Engine) quantPacking(l *layout, plan quantPlan, t shape.Type, w engine.Weights, at int, to func(c *engine.Call, slot int) []uint8) func(c *engine.Call) {
	rounded, scales := reserve[int8](l, 1, t.Len()), reserve[float32](l, 1, t.Int(w.Axis))
	packs := e.newLoop(plan.Packs(), t.Len()/max(plan.Packs(), 1), func(c *engine.Call, _, lo, hi int) {
		plan.Pack(to(c, 0), rounded.of(c, 0), scales.of(c, 0), lo, hi)
	})
	return func(c *engine.Call) {
		engine.QuantWeights(rounded.of(c, 0), scales.of(c, 0), engine.Slice[float32](c.In[at]), t, w.Axis)
		packs.run(c)
	}
}

// framing copies images into a frame, if the plan does that.
type framing struct {
	copies *loop
	mem    region[uint8]
}

func (e Engine) framing(l *layout, plan framed) *framing {
	f := &framing{mem: reserve[uint8](l, 1, plan.FrameLen())}
	f.copies = e.newLoop(plan.Frames(), plan.FrameLen()/max(plan.Frames(), 1)/16, func(c *engine.Call, _, lo, hi int) {
		plan.Frame(f.mem.of(c, 0), engine.Slice[uint8](c.In[0]), lo, hi)
	})
	return f
}

// of returns the images that kernels read.
func (f *framing) of(c *engine.Call) []uint8 {
	if f.mem.n == 0 {
		return engine.Slice[uint8](c.In[0])
	}
	return f.mem.of(c, 0)
}

// BindQuantMaxPool2D implements [engine.Quantiser].
func (e Engine) BindQuantMaxPool2D(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if out.Layout != channelsLast {
		b, err := e.Engine.BindQuantMaxPool2D(p, in, out)
		if err == nil && e.simd.Quant.Vector() && out.Len() > 0 && !p.Adaptive {
			b.Arrangements = append(b.Arrangements, engine.Arrangement{In: engine.Images(channelsLast, 1, 1), Out: channelsLast, Gain: engine.Always})
		}
		return b, err
	}
	x := in[0]
	if x.Layout != channelsLast || x.DType != shape.Uint8 || out.DType != shape.Uint8 || p.Adaptive {
		return engine.Bound{}, engine.Unsupported(name, "NHWC QuantMaxPool2D", in)
	}
	w := poolWindow(p, x.Type, out.Type)
	w.C = x.Int(1)
	plan := quant.NewPool(e.simd.Quant, w, x.Int(0))
	var l layout
	var scratch region[uint8]
	frame := e.framing(&l, plan)
	tasks := e.newLoop(plan.Tasks(), plan.Work()/64/max(plan.Tasks(), 1), func(c *engine.Call, slot, lo, hi int) {
		plan.Run(engine.Slice[uint8](c.Out[0]), frame.of(c), scratch.of(c, slot), lo, hi)
	})
	scratch = reserve[uint8](&l, tasks.slots, plan.ScratchLen())
	return engine.Bound{By: name, Alg: quantAlg, Scratch: int(l), Kernel: func(c *engine.Call) error {
		frame.copies.run(c)
		tasks.run(c)
		return nil
	}}, nil
}
