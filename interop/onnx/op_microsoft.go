package onnx

import (
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// microsoftOperators are operators of ONNX Runtime's own domain, com.microsoft, that its tools put into files.
var microsoftOperators = family{
	"DynamicQuantizeLSTM": always(12, 12, dynamicQuantizeLSTM),
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
