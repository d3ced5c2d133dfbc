package onnx

import (
	"slices"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// microsoftOperators are operators of ONNX Runtime's own domain, com.microsoft, that its tools put into files.
var microsoftOperators = family{
	"DynamicQuantizeLSTM":      always(12, 12, dynamicQuantizeLSTM),
	"QuantizeLinear":           always(2, 3, quantizeLinear),
	"DequantizeLinear":         always(2, 3, dequantizeLinear),
	"QLinearAdd":               always(7, 8, qLinearAdd),
	"QLinearMul":               always(7, 8, qLinearMul),
	"QLinearConcat":            always(5, -1, qLinearConcat),
	"QLinearSigmoid":           always(4, 5, qLinearMap(func(_ *call, x *graph.Node) *graph.Node { return ops.Sigmoid(x) })),
	"QLinearLeakyRelu":         always(4, 5, qLinearMap(func(c *call, x *graph.Node) *graph.Node { return ops.LeakyReLU(x, c.floatAttr("alpha", 0.01)) })),
	"QLinearSoftmax":           always(5, 5, qLinearMap(qSoftmax)),
	"QLinearGlobalAveragePool": always(5, 5, qLinearPool),
	"QGemm":                    always(6, 9, qGemm),
	"MatMulIntegerToFloat":     always(4, 7, matMulIntegerToFloat),
	"DynamicQuantizeMatMul":    always(3, 5, dynamicQuantizeMatMul),
}

// units returns input k, which its scale and its zero point follow, less the zero point.
func (c *call) units(k int) *graph.Node {
	if zero, known := c.zeroPoint(k + 2); known {
		return c.centred(k, zero)
	}
	x := c.centred(k, 0)
	return ops.Sub(x, c.perPlace(k+2, -1, x.Type().Rank(), shape.Float32))
}

// oneScale returns input k, a scale of all elements.
func (c *call) oneScale(k int) *graph.Node {
	s := convert(c.fixed(k), shape.Float32)
	if n := s.Type().Shape; n.Rank() > 0 && n != shape.OfInts(1) {
		refuse("input %d is %v; want one scale", k, s.Type())
	}
	return ops.Reshape(s)
}

// standsFor returns what input k, which its scale and its zero point follow, stands for.
func (c *call) standsFor(k int) *graph.Node { return ops.Mul(c.units(k), c.oneScale(k+1)) }

// qLinearAdd has the inputs a, its scale and zero point, b, its scale and zero point, and those of the sum.
func qLinearAdd(c *call) []*value {
	to := c.oneScale(6)
	a := ops.Mul(c.units(0), ops.Div(c.oneScale(1), to))
	return c.inCodes(ops.Add(a, ops.Mul(c.units(3), ops.Div(c.oneScale(4), to))), 6)
}

func qLinearMul(c *call) []*value {
	y := ops.Mul(c.units(0), c.units(3))
	return c.inCodes(ops.Mul(y, ops.Div(ops.Mul(c.oneScale(1), c.oneScale(4)), c.oneScale(6))), 6)
}

// qLinearConcat has the scale and zero point of the result, and then values with theirs.
func qLinearConcat(c *call) []*value {
	if len(c.in)%3 != 2 {
		refuse("%d inputs; want two, and three for each part", len(c.in))
	}
	var parts []*graph.Node
	for k := 2; k < len(c.in); k += 3 {
		parts = append(parts, c.standsFor(k))
	}
	y := ops.Concat(axis(c.intAttr("axis", 0), parts[0].Type().Rank()), parts...)
	return c.inCodes(ops.Div(y, c.oneScale(0)), 0)
}

// qLinearMap is a function of what input 0 stands for.
func qLinearMap(f func(c *call, x *graph.Node) *graph.Node) func(*call) []*value {
	return func(c *call) []*value { return c.inCodes(ops.Div(f(c, c.standsFor(0)), c.oneScale(3)), 3) }
}

func qSoftmax(c *call, x *graph.Node) *graph.Node {
	a := axis(c.intAttr("axis", -1), x.Type().Rank())
	if c.intAttr("opset", 0) < 13 && a != x.Type().Rank()-1 {
		refuse("axes from %d on are one before opset 13", a)
	}
	return ops.Softmax(x, a)
}

func qLinearPool(c *call) []*value {
	if c.flag("channels_last", false) {
		refuse("channels_last is not supported")
	}
	return c.inCodes(ops.Mul(globalAverage(c.units(0)), ops.Div(c.oneScale(1), c.oneScale(3))), 3)
}

// qGemm has the inputs of QLinearMatMul, with a bias in units of the product of the scales before the scale of the
// result; without that the result is in float32.
func qGemm(c *call) []*value {
	flipped := *c
	flipped.in = slices.Clone(c.in)
	for k, name := range map[int]string{0: "transA", 3: "transB"} {
		if c.flag(name, false) {
			one := *c
			one.in = []*value{c.value(k)}
			flipped.in[k] = one.folded(&operator{eval: func(c *call) []*value { return moved(ops.Transpose(c.node(0)), c.elem(0)) }})[0]
		}
	}
	c = &flipped
	y := c.factors(operands{a: 0, aZero: 2, b: 3, bZero: 5, product: true}).matmul()
	if c.has(6) {
		y = ops.Add(y, convert(c.node(6), y.Type().DType))
	}
	scale := c.scales(1, -2, 4, -1, y.Type().Rank())
	if alpha := c.floatAttr("alpha", 1); alpha != 1 {
		scale = ops.MulScalar(scale, alpha)
	}
	if c.has(7) {
		return c.requantised(y, scale, 7)
	}
	return []*value{computed(ops.Mul(convert(y, shape.Float32), scale), ir.Float)}
}

// matMulIntegerToFloat has the inputs a, b, their scales, their zero points, and a bias.
func matMulIntegerToFloat(c *call) []*value {
	y := c.factors(operands{a: 0, aZero: 4, b: 1, bZero: 5, product: true}).matmul()
	y = ops.Mul(convert(y, shape.Float32), c.scales(2, -2, 3, -1, y.Type().Rank()))
	return []*value{computed(c.plus(y, 6), ir.Float)}
}

// plus adds input k, if there is one.
func (c *call) plus(y *graph.Node, k int) *graph.Node {
	if b := c.optional(k); b != nil {
		return ops.Add(y, b)
	}
	return y
}

// dynamicQuantizeMatMul has the inputs a, in float32, b, its scale and zero point, and a bias.
func dynamicQuantizeMatMul(c *call) []*value {
	q := quantisedByRange(convert(c.node(0), shape.Float32))
	a := computed(q.values, ir.Uint8)
	a.whole = q.whole
	inner := *c
	inner.in = []*value{a, c.value(1), computed(q.zero, ir.Uint8), nil}
	if c.has(3) {
		inner.in[3] = c.in[3]
	}
	y := inner.factors(operands{a: 0, aZero: 2, b: 1, bZero: 3, product: true}).matmul()
	y = ops.Mul(convert(y, shape.Float32), ops.Mul(q.scale, c.perPlace(2, -1, y.Type().Rank(), shape.Float32)))
	return []*value{computed(c.plus(y, 4), ir.Float)}
}

// maxQuantisedSteps bounds the steps of a recurrent layer each of which is nodes of its own.
const maxQuantisedSteps = 4096

// dynamicQuantizeLSTM is an LSTM whose weights are 8-bit integers. The inputs of all steps, and the hidden state of
// each, are quantised by their ranges before they are multiplied.
func dynamicQuantizeLSTM(c *call) []*value {
	x := swapped(c.node(0)) // (N,T,I)
	steps, ok := x.Type().Dim(1).Int()
	if !ok || steps < 1 || steps > maxQuantisedSteps {
		refuse("%v steps; want 1 to %d", x.Type().Dim(1), maxQuantisedSteps)
	}
	if c.shape(1).Rank() != 3 || c.shape(2).Rank() != 3 {
		refuse("want weights (D,I,4*H) and (D,H,4*H)")
	}
	if c.has(4) || c.has(7) || c.attr("activations") || c.floatAttr("clip", 0) != 0 || c.flag("input_forget", false) {
		refuse("lengths, peepholes, other activations, clipping and coupled gates are not supported")
	}
	way := c.stringAttr("direction", "forward", "forward", "reverse", "bidirectional")
	directions, units := c.shape(1).Int(0), c.shape(2).Int(1)
	q := newQuantisation(x)
	var all, hs, cs []*graph.Node
	for i := range directions {
		wx, sx := c.quantisedWeights(1, 8, i)
		wh, sh := c.quantisedWeights(2, 10, i)
		gates := ops.Mul(ops.MatMul(q.values, wx), ops.Mul(q.scale, sx)) // (N,T,4H)
		if c.has(3) {
			b := convert(c.of(3, i), shape.Float64)
			gates = ops.Add(gates, ops.Add(part(b, 0, 0, 4*units), part(b, 0, 4*units, 4*units)))
		}
		h := convert(c.state(5, i, units, false, x), shape.Float64)
		cell := convert(c.state(6, i, units, false, x), shape.Float64)
		ys := make([]*graph.Node, steps)
		for s := range steps {
			t := s
			if way == "reverse" || i == 1 {
				t = steps - 1 - s
			}
			hq := newQuantisation(h)
			g := ops.Add(ops.Squeeze(part(gates, 1, t, 1), 1), ops.Mul(ops.MatMul(hq.values, wh), ops.Mul(hq.scale, sh)))
			gate := func(k int) *graph.Node { return part(g, 1, k*units, units) } // i, o, f and c
			cell = ops.Add(ops.Mul(ops.Sigmoid(gate(2)), cell), ops.Mul(ops.Sigmoid(gate(0)), ops.Tanh(gate(3))))
			h = ops.Mul(ops.Sigmoid(gate(1)), ops.Tanh(cell))
			ys[t] = ops.Unsqueeze(h, 1)
		}
		all = append(all, ops.Unsqueeze(ops.Concat(1, ys...), 2))
		hs, cs = append(hs, ops.Unsqueeze(h, 0)), append(cs, ops.Unsqueeze(cell, 0))
	}
	e := c.elem(0)
	d := c.node(0).Type().DType
	out := func(n *graph.Node) *value { return computed(convert(n, d), e) }
	return []*value{out(ops.Transpose(ops.Concat(2, all...), 1, 2, 0, 3)), out(ops.Concat(0, hs...)), out(ops.Concat(0, cs...))}
}

// quantisation is a value in 8-bit integers, less their zero point, in float64.
type quantisation struct{ values, scale *graph.Node }

// newQuantisation quantises x by its range, as DynamicQuantizeLinear does.
func newQuantisation(x *graph.Node) quantisation {
	x = convert(x, shape.Float32)
	q := quantisedByRange(x)
	values := ops.Sub(convert(q.values, shape.Float64), convert(q.zero, shape.Float64))
	return quantisation{values, convert(q.scale, shape.Float64)}
}

// quantisedWeights returns the weights of a direction, less their zero point, and their scale, which follows as
// input scale and is one number or one for each column.
func (c *call) quantisedWeights(k, scale, direction int) (w, s *graph.Node) {
	of := func(k int) *graph.Node {
		return ops.Squeeze(part(convert(c.node(k), shape.Float64), 0, direction, 1), 0)
	}
	return ops.Sub(of(k), of(scale+1)), of(scale)
}
