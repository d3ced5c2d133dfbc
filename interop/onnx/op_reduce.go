package onnx

import (
	"math"
	"slices"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

var reduceOperators = family{
	"ReduceSum":       reduction(13, ops.SumKeep),
	"ReduceMean":      reduction(18, meanKeep),
	"ReduceMax":       reduction(18, extremeKeep(ops.MaxKeep, -1)),
	"ReduceMin":       reduction(18, extremeKeep(ops.MinKeep, 1)),
	"ReduceProd":      reduction(18, prodKeep),
	"ReduceL1":        reduction(18, func(x *graph.Node, axes ...int) *graph.Node { return ops.SumKeep(ops.Abs(x), axes...) }),
	"ReduceL2":        reduction(18, inFloat(func(x *graph.Node, axes ...int) *graph.Node { return ops.Sqrt(ops.SumKeep(ops.Square(x), axes...)) })),
	"ReduceSumSquare": reduction(18, func(x *graph.Node, axes ...int) *graph.Node { return ops.SumKeep(ops.Square(x), axes...) }),
	"ReduceLogSum":    reduction(18, inFloat(func(x *graph.Node, axes ...int) *graph.Node { return ops.Log(ops.SumKeep(x, axes...)) })),
	"ReduceLogSumExp": reduction(18, inFloat(logSumExp)),
	"ArgMax":          always(1, 1, arg(ops.ArgMax)),
	"ArgMin":          always(1, 1, arg(ops.ArgMin)),
}

type reduceFunc = func(x *graph.Node, axes ...int) *graph.Node

// reduction is an operator whose axes are an attribute before the given version, and then an input.
func reduction(asInput int64, f reduceFunc) []operator {
	eval := func(c *call) []*value { return reduce(c, f, c.intsAttr("axes", nil)) }
	return []operator{
		{since: 1, min: 1, max: 1, eval: eval},
		{since: asInput, min: 1, max: 2, eval: func(c *call) []*value {
			var list []int
			if c.has(1) {
				list = c.ints(1)
			}
			return reduce(c, f, list)
		}},
	}
}

func reduce(c *call, f reduceFunc, list []int) []*value {
	x := c.node(0)
	rank := x.Type().Rank()
	if len(list) == 0 {
		if c.flag("noop_with_empty_axes", false) {
			return result(elementwisePart(c.n.Op, x), c.elem(0))
		}
		for i := range rank {
			list = append(list, i)
		}
	}
	over := axes(list, rank)
	y := x
	switch {
	case rank == 0: // each function takes no axes as all
		y = f(ops.Reshape(x, 1), 0)
	default:
		y = f(x, over...)
	}
	if !c.flag("keepdims", true) || rank == 0 {
		dims := slices.DeleteFunc(indexed(x.Type().Dims()), func(d indexedDim) bool { return slices.Contains(over, d.axis) })
		y = ops.Reshape(y, plainDims(dims)...)
	}
	return result(y, c.elem(0))
}

// indexedDim is an extent with its axis.
type indexedDim struct {
	axis int
	d    shape.Dim
}

func indexed(dims []shape.Dim) []indexedDim {
	v := make([]indexedDim, len(dims))
	for i, d := range dims {
		v[i] = indexedDim{i, d}
	}
	return v
}

func plainDims(v []indexedDim) []shape.Dim {
	dims := make([]shape.Dim, len(v))
	for i, d := range v {
		dims[i] = d.d
	}
	return dims
}

// elementwisePart is what a reduction over no axes still does.
func elementwisePart(op string, x *graph.Node) *graph.Node {
	switch op {
	case "ReduceL1", "ReduceL2":
		return ops.Abs(x)
	case "ReduceSumSquare":
		return ops.Square(x)
	case "ReduceLogSum":
		return ops.Log(x)
	}
	return x
}

// inFloat computes f in floating point, which some reductions allow for integers.
func inFloat(f reduceFunc) reduceFunc {
	return func(x *graph.Node, axes ...int) *graph.Node {
		t := x.Type().DType
		if t.IsFloat() {
			return f(x, axes...)
		}
		return ops.Cast(f(ops.Cast(x, shape.Float64), axes...), t)
	}
}

// meanKeep is the mean; that of integers is rounded towards zero.
func meanKeep(x *graph.Node, axes ...int) *graph.Node { return inFloat(ops.MeanKeep)(x, axes...) }

// extremeKeep computes maxima or minima, of bools too. Those of nothing are the infinity of the sign
// or the end of the type's range.
func extremeKeep(f reduceFunc, sign int) reduceFunc {
	return func(x *graph.Node, axes ...int) *graph.Node {
		t := x.Type()
		s, empty := t.Shape, false
		for _, a := range axes {
			empty = empty || t.Dim(a) == 0
			s = s.With(a, 1)
		}
		switch {
		case empty && t.DType == shape.Bool:
			return ops.Full(x, s, map[bool]float64{true: 1, false: 0}[sign > 0])
		case empty:
			return ops.Full(x, s, lastOf(t.DType, sign))
		case t.DType == shape.Bool:
			return ops.Cast(f(ops.Cast(x, shape.Uint8), axes...), shape.Bool)
		}
		return f(x, axes...)
	}
}

// lastOf is the greatest or least value of a type.
func lastOf(d shape.DType, sign int) float64 {
	switch {
	case d.IsFloat():
		return math.Inf(sign)
	case d == shape.Uint8 && sign > 0:
		return math.MaxUint8
	case d == shape.Uint8:
		return 0
	case d == shape.Int32 && sign > 0:
		return math.MaxInt32
	case d == shape.Int32:
		return math.MinInt32
	case sign > 0:
		return 1 << 62
	}
	return math.MinInt64
}

func prodKeep(x *graph.Node, axes ...int) *graph.Node {
	s := x.Type().Shape
	for _, a := range axes {
		s = s.With(a, 1)
	}
	return ops.Reshape(ops.Prod(x, axes...), s.Dims()...)
}

// logSumExp is that of nothing too.
func logSumExp(x *graph.Node, axes ...int) *graph.Node {
	for _, a := range axes {
		if x.Type().Dim(a) == 0 {
			return ops.Log(ops.SumKeep(ops.Exp(x), axes...))
		}
	}
	return ops.Unsqueeze(ops.LogSumExp(x, axes...), axes...)
}

// arg is ArgMax or ArgMin, by f. The last of equal elements is the first from behind. NaN is greater than all
// numbers, as in TopK and in ONNX Runtime's; in its ArgMax and ArgMin NaN counts only where it comes first.
func arg(f func(x *graph.Node, axis int) *graph.Node) func(*call) []*value {
	return func(c *call) []*value {
		x := c.node(0)
		a := axis(c.intAttr("axis", 0), x.Type().Rank())
		var y *graph.Node
		if n, ok := x.Type().Dim(a).Int(); c.flag("select_last_index", false) {
			if !ok {
				refuse("select_last_index along the batch")
			}
			y = f(flip(x, a), a)
			y = ops.Sub(ops.Scalar(y, float64(n-1)), y)
		} else {
			y = f(x, a)
		}
		if c.flag("keepdims", true) {
			y = ops.Unsqueeze(y, a)
		}
		return moved(y, ir.Int64)
	}
}
