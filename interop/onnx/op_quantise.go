package onnx

import (
	"math"
	"slices"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

var quantiseOperators = family{
	"QuantizeLinear":        always(2, 3, quantizeLinear),
	"DequantizeLinear":      always(2, 3, dequantizeLinear),
	"DynamicQuantizeLinear": always(1, 1, dynamicQuantizeLinear),
	"MatMulInteger":         always(2, 4, matMulInteger),
	"ConvInteger":           always(2, 4, convInteger),
	"QLinearMatMul":         always(8, 8, qLinearMatMul),
	"QLinearConv":           always(8, 9, qLinearConv),
}

// integerRanges are those of the types that numbers are quantised to.
var integerRanges = map[ir.DataType][2]float64{
	ir.Uint8: {0, 255}, ir.Int8: {-128, 127}, ir.Uint16: {0, 65535}, ir.Int16: {-32768, 32767}, ir.Uint4: {0, 15}, ir.Int4: {-8, 7},
	ir.Uint2: {0, 3}, ir.Int2: {-2, 1}, ir.Int32: {math.MinInt32, math.MaxInt32},
}

// along gives input k, a scale or zero point, the shape in which it broadcasts to x: one number for all, one
// for each place along the axis, or one for each block along it.
func (c *call) along(k int, x shape.Shape) *graph.Node {
	v := c.node(k)
	s := v.Type().Shape
	block := c.intAttr("block_size", 0)
	switch {
	case s.Rank() == 0 || s == shape.OfInts(1) && block == 0:
		return ops.Reshape(v)
	case block == 0 && s.Rank() == 1:
		return placed(v, c.intAttr("axis", 1), x.Rank())
	case block > 0 && s.Rank() == x.Rank():
		return repeated(v, axis(c.intAttr("axis", 1), x.Rank()), block, x)
	}
	refuse("input %d is %v; the input is %v", k, v.Type(), x)
	return nil
}

// placed gives a vector the shape in which it broadcasts along an axis of so many.
func placed(v *graph.Node, a, rank int) *graph.Node {
	dims := slices.Repeat([]shape.Dim{1}, rank)
	dims[axis(a, rank)] = v.Type().Dim(0)
	return ops.Reshape(v, dims...)
}

// repeated repeats each element of v along an axis, as far as x reaches.
func repeated(v *graph.Node, a, times int, x shape.Shape) *graph.Node {
	n, ok := x.Dim(a).Int()
	blocks := v.Type().Int(a)
	if !ok || blocks > n || (n+times-1)/times != blocks {
		refuse("%d blocks of %d along axis %d of %v", blocks, times, a, x)
	}
	ids := make([]float64, n)
	for i := range ids {
		ids[i] = float64(i / times)
	}
	return ops.Gather(v, a, v.Graph().Const(shape.I64(shape.Dim(n)), ids))
}

func dequantizeLinear(c *call) []*value {
	if k := c.constant(); k != nil {
		return k.fold(&operator{eval: dequantizeLinear})
	}
	x := c.node(0)
	to := c.elem(1)
	if c.attr("output_dtype") {
		to = ir.DataType(c.intAttr("output_dtype", 0))
	}
	e, ok := elements[to]
	if !ok || !e.compute.IsFloat() {
		refuse("the numbers of %v", to)
	}
	s := x.Type().Shape
	y := convert(x, e.compute)
	if c.has(2) {
		y = ops.Sub(y, convert(c.along(2, s), e.compute))
	}
	if q := c.in[0].codes; to == ir.Float && q.same(c.codesOf(q.node(), c.elem(0))) {
		v := computed(q.rounded(), to)
		v.numbers = q
		return []*value{v}
	}
	return result(ops.Mul(y, convert(c.along(1, s), e.compute)), to)
}

func quantizeLinear(c *call) []*value {
	to := ir.Uint8
	switch {
	case c.has(2):
		to = c.elem(2)
	case c.intAttr("output_dtype", 0) != 0:
		to = ir.DataType(c.intAttr("output_dtype", 0))
	}
	x := c.node(0)
	d := x.Type().DType
	if !d.IsFloat() {
		d = shape.Float32
		x = ops.Cast(x, d)
	}
	s := x.Type().Shape
	y := ops.Div(x, convert(c.along(1, s), d))
	if f, small := smallFloats[to]; small {
		t := c.ev.know(computed(y, c.elem(0)), "the quotients of "+c.n.Op)
		saturate := c.flag("saturate", true)
		return []*value{known(&Tensor{Type: to, Dims: t.Dims, Data: mapped(t.floats(), func(v float64) uint8 { return f.code(v, saturate) })})}
	}
	var zero *graph.Node
	if c.has(2) {
		zero = convert(c.along(2, s), d)
	}
	v := computed(quantised(y, zero, to), to)
	v.codes = c.codesOf(x, to)
	return []*value{v}
}

// constant returns the call with constants for its inputs if all are known and some are parameters: the scales of
// quantised weights are not trained.
func (c *call) constant() *call {
	k := *c
	k.in = make([]*value, len(c.in))
	some := false
	for i, v := range c.in {
		if v == nil {
			continue
		}
		if v.host == nil {
			return nil
		}
		some = some || v.trained
		k.in[i] = known(v.host)
	}
	if !some {
		return nil
	}
	return &k
}

// quantised rounds y to the nearest number, of two the even one, and adds the zero point, within the range of
// an integer type.
func quantised(y, zero *graph.Node, to ir.DataType) *graph.Node {
	r, ok := integerRanges[to]
	if !ok {
		refuse("numbers are not quantised to %v", to)
	}
	y = ops.Round(y)
	if zero != nil {
		y = ops.Add(y, zero)
	}
	return ops.Cast(ops.Clip(y, r[0], r[1]), elements[to].compute)
}

// dynamicQuantizeLinear quantises to uint8 by the range of the input, which has 0.
func dynamicQuantizeLinear(c *call) []*value {
	q := quantisedByRange(c.node(0))
	y := computed(q.values, ir.Uint8)
	y.whole = q.whole
	return []*value{y, computed(q.scale, c.elem(0)), computed(q.zero, ir.Uint8)}
}

// byRange is a value in uint8, with its scale and zero point, and its numbers in floating point.
type byRange struct{ values, scale, zero, whole *graph.Node }

func quantisedByRange(x *graph.Node) byRange {
	zero := ops.Scalar(x, 0)
	low, high := ops.Minimum(ops.Min(x), zero), ops.Maximum(ops.Max(x), zero)
	scale := ops.Div(ops.Sub(high, low), ops.Scalar(x, 255))
	empty := ops.Equal(scale, zero)
	safe := ops.Where(empty, ops.Scalar(x, 1), scale)
	point := ops.Clip(ops.Round(ops.Neg(ops.Div(low, safe))), 0, 255)
	whole := ops.Clip(ops.Add(ops.Round(ops.Div(x, safe)), point), 0, 255)
	return byRange{ops.Cast(whole, shape.Uint8), scale, ops.Cast(point, shape.Uint8), whole}
}

// perPlace gives input k, in type d, the shape in which it broadcasts along axis a of so many.
func (c *call) perPlace(k, a, rank int, d shape.DType) *graph.Node {
	v := convert(c.fixed(k), d)
	switch s := v.Type().Shape; {
	case s.Rank() == 0 || s == shape.OfInts(1):
		return ops.Reshape(v)
	case s.Rank() == 1:
		return placed(v, a, rank)
	}
	return v
}

// fixed returns input k, a scale or zero point, which is not trained.
func (c *call) fixed(k int) *graph.Node {
	if t := c.value(k).host; t != nil {
		return constant(c.anyGraph(), t)
	}
	return c.node(k)
}

func matMulInteger(c *call) []*value {
	p := c.factors(operands{a: 0, aZero: 2, b: 1, bZero: 3, product: true, exact: true})
	return []*value{computed(ops.Cast(p.matmul(), shape.Int32), ir.Int32)}
}

func convInteger(c *call) []*value {
	p := c.factors(operands{a: 0, aZero: 2, b: 1, bZero: 3, exact: true})
	return []*value{computed(ops.Cast(p.conv(), shape.Int32), ir.Int32)}
}

// requantised scales sums y of products, by scale and 1 over input k, and adds the zero point that follows.
func (c *call) requantised(y, scale *graph.Node, k int) []*value {
	rank := y.Type().Rank()
	scale = ops.Div(scale, c.perPlace(k, -1, rank, shape.Float32))
	return c.inCodes(ops.Mul(convert(y, shape.Float32), scale), k)
}

// inCodes rounds y, in units of input k, to integers of the type of the zero point that follows, which is added.
func (c *call) inCodes(y *graph.Node, k int) []*value {
	to := ir.Uint8
	if c.has(k + 1) {
		to = c.elem(k + 1)
	}
	q := c.codesBy(y, k, to)
	if q == nil {
		var zero *graph.Node
		if c.has(k + 1) {
			zero = c.perPlace(k+1, -1, y.Type().Rank(), shape.Float32)
		}
		return []*value{computed(quantised(y, zero, to), to)}
	}
	r := integerRanges[to]
	return []*value{q.like(ops.Clip(ops.Round(y), r[0]-q.zero, r[1]-q.zero))}
}

// scales is the product of two scales of a product, inputs a and b, each one number or one for each place along an axis.
func (c *call) scales(a, aAxis, b, bAxis, rank int) *graph.Node {
	return ops.Mul(c.perPlace(a, aAxis, rank, shape.Float32), c.perPlace(b, bAxis, rank, shape.Float32))
}

// qLinearMatMul has the inputs a, its scale and zero point, b, its scale and zero point, and those of the
// result.
func qLinearMatMul(c *call) []*value {
	y := c.factors(operands{a: 0, aZero: 2, b: 3, bZero: 5, product: true}).matmul()
	return c.requantised(y, c.scales(1, -2, 4, -1, y.Type().Rank()), 6)
}

// qLinearConv has the inputs of qLinearMatMul, and a bias in units of the product of the scales.
func qLinearConv(c *call) []*value {
	y := c.factors(operands{a: 0, aZero: 2, b: 3, bZero: 5}).conv()
	if c.has(8) {
		y = ops.AddBias(y, convert(c.node(8), y.Type().DType))
	}
	return c.requantised(y, c.scales(1, 1, 4, 1, y.Type().Rank()), 6)
}
