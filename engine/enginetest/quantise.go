package enginetest

import (
	"fmt"
	"math"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// Limits of 8-bit integers: every result must be exact.

// BindQuantise implements [engine.Quantiser].
func (e Laid) BindQuantise(q engine.Quant, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return e.bind(in, out, 1, true, false, func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
		return e.Engine.BindQuantise(q, in, out)
	})
}

// BindQuantConv2D implements [engine.Quantiser].
func (e Laid) BindQuantConv2D(c engine.Conv2D, q engine.Quantised, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.bind(in, out, 1, true, e.Wins, func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
		return e.Engine.BindQuantConv2D(c, q, in, out)
	})
	for _, a := range b.Arrangements {
		if q.Adds {
			a.In[len(in)-1] = e.Layout
		}
	}
	return b, err
}

// BindQuantMaxPool2D implements [engine.Quantiser].
func (e Laid) BindQuantMaxPool2D(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return e.bind(in, out, 1, true, false, func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
		return e.Engine.BindQuantMaxPool2D(p, in, out)
	})
}

// quant draws the Quant of a range that may be of one sign, or very small or large.
func (g *gen) quant() engine.Quant {
	lo, hi := float32(g.Float64()*2-1.5), float32(g.Float64()*2-.5)
	scale := float32(math.Ldexp(1, pick(g, 0, 0, 3, -30, 30)))
	return engine.QuantOf(lo*scale, hi*scale)
}

// quantised draws what becomes of sums of the given results, and the results' type and the addends' where
// something is added.
func (g *gen) quantised(y shape.Type) (q engine.Quantised, out shape.Type, addend []shape.Type) {
	q = engine.Quantised{In: g.quant(), Lo: float32(math.Inf(-1)), Hi: float32(math.Inf(1)), Adds: g.IntN(3) == 0}
	if g.bool() {
		q.Lo, q.Hi = float32(g.Float64()-1), float32(g.Float64()*6)
	}
	as := func(d shape.DType) shape.Type { return shape.Type{DType: d, Shape: y.Shape} }
	if out = as(shape.Float32); g.bool() {
		q.Out, out = g.quant(), as(shape.Uint8)
	}
	if !q.Adds {
		return q, out, nil
	}
	if g.bool() {
		q.Addend = g.quant()
		return q, out, []shape.Type{as(shape.Uint8)}
	}
	return q, out, []shape.Type{as(shape.Float32)}
}

// weighed are weights of which a channel may have a number that is not finite, or nothing but small
// ones.
var weighed = rarely(300, nonFinite, mixed(5, denormal, signed))

// quantTrial is the trial of bind for x and w.
func (g *gen) quantTrial(name string, x, w, y shape.Type, ep engine.Epilogue, channels shape.Dim,
	bind func(q engine.Quantised, e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error)) trial {
	q, out, addend := g.quantised(y)
	x.DType = shape.Uint8
	tr := trial{
		op: fmt.Sprintf("%s %+v %+v", name, q, ep), in: []shape.Type{x, w}, out: []shape.Type{out},
		bind: one(func(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return bind(q, e, in, out)
		}),
		data: []source{nil, weighed}, keeps: true,
	}
	if ep.Bias {
		tr.in, tr.data = append(tr.in, shape.Make(shape.Float32, channels)), append(tr.data, rarely(50, nonFinite, signed))
	}
	for _, t := range addend {
		tr.in, tr.data = append(tr.in, t), append(tr.data, nil)
		if t.DType == shape.Float32 {
			tr.data[len(tr.data)-1] = rarely(50, nonFinite, signed)
		}
	}
	return tr
}

// quantConv is the trial of a convolution.
func (g *gen) quantConv(c convCase) trial {
	op := c.op
	op.Epilogue = pick(g, g.epilogues()...)
	return g.quantTrial(fmt.Sprintf("QuantConv2D%+v", op), c.x, c.w, c.y, op.Epilogue, c.w.Dim(0),
		func(q engine.Quantised, e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.(engine.Quantiser).BindQuantConv2D(op, q, in, out)
		})
}

// quantMatMul is the trial of a product of m rows of k numbers and p columns.
func (g *gen) quantMatMul(m, k, p int) trial {
	op := engine.MatMul{TransB: g.bool(), Epilogue: pick(g, g.epilogues()...)}
	of := func(rows, cols int) shape.Type { return shape.Make(shape.Float32, shape.Dim(rows), shape.Dim(cols)) }
	b := of(k, p)
	if op.TransB {
		b = of(p, k)
	}
	return g.quantTrial(fmt.Sprintf("QuantMatMul%+v", op), of(m, k), b, of(m, p), op.Epilogue, shape.Dim(p),
		func(q engine.Quantised, e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.(engine.Quantiser).BindQuantMatMul(op, q, in, out)
		})
}

// quantise is the trial of making bytes of a tensor.
func (g *gen) quantise(s shape.Shape) trial {
	q := g.quant()
	return trial{op: fmt.Sprintf("Quantise%+v", q), in: []shape.Type{{DType: shape.Float32, Shape: s}}, out: []shape.Type{{DType: shape.Uint8, Shape: s}},
		bind: one(func(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.(engine.Quantiser).BindQuantise(q, in, out)
		}),
		data: []source{mixed(20, oneOf(nonFinite, denormal), uniform(-2, 2))}, keeps: true}
}

func quantMaxPool(c poolCase) trial {
	c.x.DType, c.y.DType = shape.Uint8, shape.Uint8
	return trial{op: fmt.Sprintf("QuantMaxPool2D%+v", c.op), in: []shape.Type{c.x}, out: []shape.Type{c.y}, data: []source{nil},
		bind: one(func(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.(engine.Quantiser).BindQuantMaxPool2D(c.op, in, out)
		})}
}

// quantTable has convolutions of one and more pixels, strided, dilated, in groups, of a group for each
// channel, and of no image; products of every edge as rows, terms and columns; and poolings.
func quantTable(g *gen) (all []trial) {
	strided, grouped, depthwise, mixed := padded(plainConv, 2), padded(plainConv, 1), padded(plainConv, 1), plainConv
	strided.Stride = [2]int{2, 2}
	grouped.Groups, depthwise.Groups = 3, 33
	mixed.Stride, mixed.Dilation, mixed.Pad = [2]int{2, 3}, [2]int{3, 1}, [2][2]int{{0, 4}, {3, 1}}
	f32 := shape.Float32
	for _, c := range []convCase{
		newConv(plainConv, f32, 3, 16, 24, [2]int{7, 9}, [2]int{1, 1}),
		newConv(plainConv, f32, 2, 64, 130, [2]int{7, 7}, [2]int{1, 1}),
		newConv(padded(plainConv, 1), f32, 2, 17, 64, [2]int{13, 13}, [2]int{3, 3}),
		newConv(strided, f32, 2, 3, 19, [2]int{23, 21}, [2]int{7, 7}),
		newConv(grouped, f32, 3, 12, 24, [2]int{9, 8}, [2]int{3, 3}),
		newConv(depthwise, f32, 2, 33, 33, [2]int{13, 17}, [2]int{3, 3}),
		newConv(depthwise, f32, 2, 33, 66, [2]int{3, 4}, [2]int{3, 3}),
		newConv(mixed, f32, 3, 4, 5, [2]int{11, 17}, [2]int{3, 4}),
		newConv(padded(plainConv, 1), f32, 0, 2, 3, [2]int{5, 5}, [2]int{3, 3}),
		newConv(plainConv, f32, 1, 1, 1, [2]int{1, 1}, [2]int{1, 1}),
	} {
		for range 4 {
			all = append(all, g.quantConv(c))
		}
	}
	for _, n := range edges {
		all = append(all, g.quantMatMul(n, 20, 9), g.quantise(shape.OfInts(3, n)))
		if n > 0 {
			all = append(all, g.quantMatMul(3, n, 17), g.quantMatMul(5, 33, n))
		}
	}
	return append(all,
		quantMaxPool(newPool(squarePool(2, 2, 0), f32, 3, 6, [2]int{28, 28}, false)),
		quantMaxPool(newPool(squarePool(3, 2, 1), f32, 2, 67, [2]int{14, 13}, false)),
		quantMaxPool(newPool(squarePool(2, 2, 2), f32, 2, 2, [2]int{4, 4}, false)),
		quantMaxPool(newPool(squarePool(2, 2, 0), f32, 0, 3, [2]int{4, 4}, false)))
}

func randomQuant(g *gen) trial {
	switch g.IntN(4) {
	case 0:
		return g.quantMatMul(g.extent(65), g.positive(129), g.positive(129))
	case 1:
		return quantMaxPool(randomPool(g))
	case 2:
		return g.quantise(g.shape(4, 3000))
	}
	return g.quantConv(randomConvCase(g, shape.Float32, g.extent(5), 17, 65))
}
