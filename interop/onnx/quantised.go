package onnx

import (
	"cmp"
	"fmt"
	"math"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// A network that was quantised with QuantizeLinear and DequantizeLinear around its layers is one in float32 whose
// layers are given rounded numbers. A Session has the layers compute in 8-bit integers instead, by [vm.Quantise], where the
// input has one scale and the weights are what that rounds them to. The sums are the same numbers, since those of
// integers are exact.

// codes are a value in 8-bit integers: those of a node, with a known scale and zero point.
type codes struct {
	of          *graph.Node
	units       *graph.Node // the codes less the zero point, in float32
	scale, zero float64
	to          ir.DataType
}

// codesOf returns what the codes of x are quantised by, or nil if that is not one known scale and zero point of 8
// bits.
func (c *call) codesOf(x *graph.Node, to ir.DataType) *codes { return c.codesBy(x, 1, to) }

// codesBy is codesOf where input scale is the scale and the next one the zero point.
func (c *call) codesBy(x *graph.Node, scale int, to ir.DataType) *codes {
	if x == nil || x.Type().DType != shape.Float32 || to != ir.Uint8 && to != ir.Int8 {
		return nil
	}
	q := &codes{of: x, to: to}
	for k, at := range []*float64{&q.scale, &q.zero} {
		if k == 1 && !c.has(scale+1) {
			continue
		}
		t := c.value(scale + k).host
		if t == nil || t.Len() != 1 {
			return nil
		}
		*at = t.floats()[0]
	}
	return q
}

// rounded returns the numbers that the codes stand for, without making integers of them.
func (q *codes) rounded() *graph.Node {
	scale, zero, r := ops.Scalar(q.of, q.scale), ops.Scalar(q.of, q.zero), integerRanges[q.to]
	y := ops.Clip(ops.Add(ops.Round(ops.Div(q.of, scale)), zero), r[0], r[1])
	return ops.Mul(ops.Sub(y, zero), scale)
}

// inUnits returns the codes less their zero point, in float32.
func (q *codes) inUnits() *graph.Node {
	if q.units == nil {
		r := integerRanges[q.to]
		q.units = ops.Clip(ops.Round(ops.Div(q.of, ops.Scalar(q.of, q.scale))), r[0]-q.zero, r[1]-q.zero)
	}
	return q.units
}

// like returns a value in codes, by the scale and zero point of q, that are units less the zero point.
func (q *codes) like(units *graph.Node) *value {
	v := computed(ops.Cast(ops.Add(units, ops.Scalar(units, q.zero)), elements[q.to].compute), q.to)
	v.codes = &codes{of: ops.Mul(units, ops.Scalar(units, q.scale)), units: units, scale: q.scale, zero: q.zero, to: q.to}
	return v
}

// span is the range of numbers that codes stand for.
func (q *codes) span() vm.Range {
	r := integerRanges[q.to]
	return vm.Range{Min: float32((r[0] - q.zero) * q.scale), Max: float32((r[1] - q.zero) * q.scale)}
}

// node is the node whose codes these are, nil for none.
func (q *codes) node() *graph.Node {
	if q == nil {
		return nil
	}
	return q.of
}

// same reports whether q stands for the same codes with the same numbers.
func (q *codes) same(o *codes) bool {
	return q != nil && o != nil && q.scale == o.scale && q.zero == o.zero && q.to == o.to
}

// integerLayer returns the node that a layer is to be given instead of input 0, if the layer, whose weights have
// a scale for each channel along an axis, may compute in 8-bit integers. Its nodes must be built in the layer that is returned.
func (c *call) integerLayer(weightsAxis int) (x *graph.Node, layer string) {
	v, w := c.in[0], c.in[1]
	if c.ev.session == nil || v == nil || v.numbers == nil || w == nil || w.host == nil || w.host.Type != ir.Float {
		return nil, ""
	}
	if _, ok := c.ev.session.eng.(engine.Quantiser); !ok || !roundedAlready(w.host, weightsAxis) {
		return nil, ""
	}
	c.ev.layers++
	layer = fmt.Sprintf("%s (int8 %d)", cmp.Or(c.n.Name, c.n.Op), c.ev.layers)
	c.ev.ranges[layer] = v.numbers.span()
	return v.numbers.of, layer
}

// roundedAlready reports whether 8-bit integers, with a scale for each channel along an axis, hold the weights
// exactly, but for the rounding of float32.
func roundedAlready(t *Tensor, axis int) bool {
	w, typ := t.Data.([]float32), t.compute()
	if axis < 0 || axis >= typ.Rank() || len(w) == 0 {
		return false
	}
	rounded := make([]float32, len(w))
	engine.Round(rounded, w, typ, axis, shape.Int8)
	for i, v := range w {
		if d := math.Abs(float64(v - rounded[i])); !(d <= 1e-5*math.Abs(float64(v))) {
			return false
		}
	}
	return true
}

// inLayer builds what f does in the layer called name, or as it is if name is empty.
func (ev *evaluator) inLayer(name string, f func() *graph.Node) (y *graph.Node) {
	if name == "" {
		return f()
	}
	ev.g.Within(name, func() { y = f() })
	return y
}

// integers returns the option by which those of the nodes' layers that may compute in 8-bit integers do, or none.
func (ev *evaluator) integers(nodes []*graph.Node) (opts []vm.Option) {
	if len(ev.ranges) == 0 {
		return nil
	}
	ranges := vm.Ranges{}
	for _, n := range graph.Reachable(nodes...) {
		if r, ok := ev.ranges[n.Layer()]; ok {
			ranges[n.Layer()] = r
		}
	}
	if len(ranges) == 0 {
		return nil
	}
	return []vm.Option{vm.Quantise(ranges)}
}
