package onnx

import (
	"math"
	"slices"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

type (
	unaryFunc  = func(x *graph.Node) *graph.Node
	binaryFunc = func(a, b *graph.Node) *graph.Node
)

var mathOperators = family{
	"Abs":        always(1, 1, unary(ops.Abs)),
	"Neg":        always(1, 1, unary(ops.Neg)),
	"Sign":       always(1, 1, unary(ops.Sign)),
	"Exp":        always(1, 1, unary(ops.Exp)),
	"Log":        always(1, 1, unary(ops.Log)),
	"Sqrt":       always(1, 1, unary(ops.Sqrt)),
	"Reciprocal": always(1, 1, unary(ops.Reciprocal)),
	"Sin":        always(1, 1, unary(ops.Sin)),
	"Cos":        always(1, 1, unary(ops.Cos)),
	"Tanh":       always(1, 1, unary(ops.Tanh)),
	"Erf":        always(1, 1, unary(ops.Erf)),
	"Floor":      always(1, 1, unary(ops.Floor)),
	"Ceil":       always(1, 1, unary(ops.Ceil)),
	"Round":      always(1, 1, unary(ops.Round)),
	"Tan":        always(1, 1, unary(ops.Tan)),
	"Asin":       always(1, 1, unary(ops.Asin)),
	"Acos":       always(1, 1, unary(ops.Acos)),
	"Atan":       always(1, 1, unary(ops.Atan)),
	"Sinh":       always(1, 1, unary(ops.Sinh)),
	"Cosh":       always(1, 1, unary(ops.Cosh)),
	"Asinh":      always(1, 1, unary(ops.Asinh)),
	"Acosh":      always(1, 1, unary(ops.Acosh)),
	"Atanh":      always(1, 1, unary(ops.Atanh)),
	"Mod":        always(2, 2, mod),
	"CumProd":    always(2, 2, scan(cumProd)),
	"Add":        withExtents(2, 2, elementwise(ops.Add), extentsBy(addDims)),
	"Sub":        withExtents(2, 2, elementwise(ops.Sub), extentsBy(subDims)),
	"Mul":        withExtents(2, 2, elementwise(ops.Mul), extentsBy(mulDims)),
	"Div":        withExtents(2, 2, elementwise(ops.Div), extentsBy(divDims)),
	"Pow":        always(2, 2, pow),
	"Max":        always(1, -1, variadic(ops.Maximum)),
	"Min":        always(1, -1, variadic(ops.Minimum)),
	"Sum":        always(1, -1, variadic(ops.Add)),
	"Mean":       always(1, -1, mean),
	"Clip":       {{since: 1, min: 1, max: 1, eval: clipAttributes}, {since: 11, min: 1, max: 3, eval: clip}},
	"CumSum":     always(2, 2, scan(ops.CumSum)),
	"IsNaN":      always(1, 1, isNaN),
	"IsInf":      always(1, 1, isInf),
}

func unary(f unaryFunc) func(*call) []*value {
	return func(c *call) []*value { return result(f(c.node(0)), c.elem(0)) }
}

func elementwise(f binaryFunc) func(*call) []*value {
	return func(c *call) []*value {
		a, b := c.pair()
		return result(f(a, b), c.elem(0))
	}
}

// pair returns two inputs that broadcast. Before opset 7 the second broadcasts only if an attribute
// says so, and its axes are those from another attribute on.
func (c *call) pair() (a, b *graph.Node) {
	if c.elem(0) != c.elem(1) {
		refuse("the element types differ: %v and %v", c.elem(0), c.elem(1))
	}
	a, b = c.node(0), c.node(1)
	if c.version >= 7 || !c.flag("broadcast", false) || !c.attr("axis") {
		return a, b
	}
	rank := a.Type().Rank()
	first := axis(c.intAttr("axis", 0), rank)
	var dims []shape.Dim
	if dims = b.Type().Dims(); first+len(dims) > rank {
		refuse("axis %d: %v does not fit %v", first, b.Type(), a.Type())
	}
	for len(dims) < rank-first {
		dims = append(dims, 1)
	}
	return a, ops.Reshape(b, dims...)
}

func variadic(f binaryFunc) func(*call) []*value {
	return func(c *call) []*value {
		y := c.node(0)
		for k := 1; k < len(c.in); k++ {
			if c.elem(k) != c.elem(0) {
				refuse("the element types differ: %v and %v", c.elem(0), c.elem(k))
			}
			y = f(y, c.node(k))
		}
		return result(y, c.elem(0))
	}
}

func mean(c *call) []*value {
	sum := variadic(ops.Add)(c)[0]
	return result(ops.MulScalar(sum.node, 1/float64(len(c.in))), c.elem(0))
}

// pow returns powers of the type of the base. Those of integers wrap around, like their products.
func pow(c *call) []*value {
	a, b := c.node(0), c.node(1)
	if c.version < 7 {
		a, b = c.pair()
	}
	t := a.Type().DType
	if t.IsFloat() {
		if known := c.in[1].host; known != nil && known.Len() == 1 && known.floats()[0] == 2 {
			return result(ops.Square(ops.BroadcastTo(a, broadcast(a.Type().Shape, b.Type().Shape))), c.elem(0))
		}
		if b.Type().DType != t {
			b = ops.Cast(b, t)
		}
		return result(ops.Pow(a, b), c.elem(0))
	}
	if b.Type().IsFloat() {
		y := ops.Pow(ops.Cast(a, shape.Float64), ops.Cast(b, shape.Float64))
		return result(ops.Cast(y, t), c.elem(0))
	}
	if b.Type().DType != t {
		a, b = convert(a, shape.Int64), convert(b, shape.Int64)
	}
	return result(convert(ops.Pow(a, b), t), c.elem(0))
}

// broadcast returns the common shape.
func broadcast(a, b shape.Shape) shape.Shape {
	s, err := shape.Broadcast(a, b)
	if err != nil {
		panic(refusal{err})
	}
	return s
}

// clipAttributes is Clip before opset 11.
func clipAttributes(c *call) []*value {
	return result(clamped(c.node(0), c.floatAttr("min", math.Inf(-1)), c.floatAttr("max", math.Inf(1))), c.elem(0))
}

func clip(c *call) []*value {
	x := c.node(0)
	lo, knownLo := c.bound(1, math.Inf(-1))
	hi, knownHi := c.bound(2, math.Inf(1))
	if x.Type().IsFloat() && knownLo && knownHi {
		if lo > hi {
			lo = hi
		}
		return result(clamped(x, lo, hi), c.elem(0))
	}
	if c.has(1) {
		x = ops.Maximum(x, c.node(1))
	}
	if c.has(2) {
		x = ops.Minimum(x, c.node(2))
	}
	return result(x, c.elem(0))
}

// clamped is x within bounds. PyTorch writes its ReLU6 as a Clip from 0 to 6.
func clamped(x *graph.Node, lo, hi float64) *graph.Node {
	if lo == 0 && hi == 6 {
		return ops.ReLU6(x)
	}
	return ops.Clip(x, lo, hi)
}

// bound returns a bound of Clip and whether it is known.
func (c *call) bound(k int, def float64) (float64, bool) {
	switch {
	case !c.has(k):
		return def, true
	case c.in[k].host == nil || c.in[k].host.Len() != 1:
		return 0, false
	}
	return c.scalar(k), true
}

// scan is a running sum or product.
func scan(f func(x *graph.Node, axis int, s ...ops.Scan) *graph.Node) func(*call) []*value {
	return func(c *call) []*value {
		x := c.node(0)
		a := axis(c.scalarInt(1), x.Type().Rank())
		return result(f(x, a, ops.Scan{Reverse: c.flag("reverse", false), Exclusive: c.flag("exclusive", false)}), c.elem(0))
	}
}

// cumProd is ops.CumProd, of integers too, whose products wrap around: each step multiplies by the products of twice
// as many elements.
func cumProd(x *graph.Node, axis int, s ...ops.Scan) *graph.Node {
	if x.Type().IsFloat() {
		return ops.CumProd(x, axis, s...)
	}
	n, ok := x.Type().Dim(axis).Int()
	if !ok {
		refuse("extent %v of axis %d must be a number", x.Type().Dim(axis), axis)
	}
	moved := func(by int) *graph.Node { // ones, and then x without its end
		by = min(by, n)
		ones := ops.Full(x, x.Type().With(axis, shape.Dim(by)), 1)
		switch {
		case by == n:
			return ones
		case s[0].Reverse:
			return ops.Concat(axis, part(x, axis, by, n-by), ones)
		}
		return ops.Concat(axis, ones, part(x, axis, 0, n-by))
	}
	if s[0].Exclusive && n > 0 {
		x = moved(1)
	}
	for by := 1; by < n; by *= 2 {
		x = ops.Mul(x, moved(by))
	}
	return x
}

// mod has the sign of the divisor, or with fmod that of the dividend.
func mod(c *call) []*value {
	a, b := c.pair()
	if c.flag("fmod", false) {
		return result(ops.Fmod(a, b), c.elem(0))
	}
	return result(ops.Mod(a, b), c.elem(0))
}

// at returns the ranges that take all of x but for one axis.
func at(x *graph.Node, axis int, r ops.Range) []ops.Range {
	ranges := slices.Repeat([]ops.Range{ops.Whole()}, x.Type().Rank())
	ranges[axis] = r
	return ranges
}

// flip reverses x along an axis.
func flip(x *graph.Node, axis int) *graph.Node {
	if n, ok := x.Type().Dim(axis).Int(); ok && n < 2 {
		return x
	}
	return ops.Slice(x, at(x, axis, ops.Range{Start: -1, Stop: ops.End, Step: -1})...)
}

func isNaN(c *call) []*value { return mask(ops.IsNaN(c.node(0))) }

func isInf(c *call) []*value {
	x := c.node(0)
	zero, is := ops.Scalar(x, 0), ops.IsInf(x)
	if !c.flag("detect_negative", true) {
		is = ops.And(is, ops.Greater(x, zero))
	}
	if !c.flag("detect_positive", true) {
		is = ops.And(is, ops.Less(x, zero))
	}
	return mask(is)
}
