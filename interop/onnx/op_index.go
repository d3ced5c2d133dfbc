package onnx

import (
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

var indexOperators = family{
	"Gather":         withExtents(2, 2, gather, gatherExtents),
	"GatherElements": always(2, 2, gatherElements),
	"TopK":           always(1, 2, topK),
	"OneHot":         always(3, 3, oneHot),
	"Trilu":          always(1, 2, trilu),
	"EyeLike":        always(1, 1, eyeLike),
}

func gather(c *call) []*value {
	x := c.node(0)
	a := axis(c.intAttr("axis", 0), x.Type().Rank())
	n, ok := x.Type().Dim(a).Int()
	if !ok {
		refuse("extent %v of axis %d must be a number", x.Type().Dim(a), a)
	}
	if t := c.in[1].host; t != nil && len(t.Dims) == 0 { // a part, which is no copy for some kernels
		i := c.scalarInt(1)
		if i < -n || i >= n {
			refuse("index %d of an axis of %d", i, n)
		}
		if i < 0 {
			i += n
		}
		return moved(ops.Squeeze(part(x, a, i, 1), a), c.elem(0))
	}
	return moved(ops.Gather(x, a, positive(c.node(1), n)), c.elem(0))
}

// positive adds n to the ids that count from the end.
func positive(ids *graph.Node, n int) *graph.Node {
	if t := ids.Type().DType; t == shape.Uint8 || n > 1<<31-1 {
		return ids
	}
	return ops.Where(ops.Less(ids, ops.Scalar(ids, 0)), ops.Add(ids, ops.Scalar(ids, float64(n))), ids)
}

// gatherElements takes elements along an axis. Along the others ids may have fewer than x.
func gatherElements(c *call) []*value {
	x, ids := c.node(0), c.node(1)
	rank := x.Type().Rank()
	a := axis(c.intAttr("axis", 0), rank)
	n, ok := x.Type().Dim(a).Int()
	if !ok || ids.Type().Rank() != rank {
		refuse("want ids with as many axes as the input, of which axis %d is a number", a)
	}
	for i := range rank {
		have, want := x.Type().Dim(i), ids.Type().Dim(i)
		if i == a || have == want {
			continue
		}
		size, ok := want.Int()
		if !ok {
			refuse("extent %v of axis %d of the ids", want, i)
		}
		x = part(x, i, 0, size)
	}
	return moved(ops.GatherAlong(x, a, positive(ids, n)), c.elem(0))
}

func topK(c *call) []*value {
	x := c.node(0)
	a := axis(c.intAttr("axis", -1), x.Type().Rank())
	k := 0
	if c.version < 10 {
		k = c.intAttr("k", 0)
	} else {
		k = c.scalarInt(1)
	}
	take := ops.BottomK
	if c.flag("largest", true) {
		take = ops.TopK
	}
	values, places := take(x, k, a)
	return []*value{computed(values, c.elem(0)), computed(places, ir.Int64)}
}

// oneHot has the second of two values where an id is the index along a new axis, and else the first.
// Ids may count from the end; others are found nowhere.
func oneHot(c *call) []*value {
	depth := int(c.scalar(1))
	if depth < 1 || depth > maxFolded {
		refuse("depth %d", depth)
	}
	ids, values := convert(c.node(0), shape.Int64), c.node(2)
	if ids.Type().Rank() == shape.MaxRank {
		refuse("input 0 has %d axes", shape.MaxRank)
	}
	if values.Type().Shape != shape.OfInts(2) {
		refuse("input 2 is %v; want two values", values.Type())
	}
	a := axis(c.intAttr("axis", -1), ids.Type().Rank()+1)
	dims := make([]shape.Dim, ids.Type().Rank()+1)
	for i := range dims {
		dims[i] = 1
	}
	dims[a] = shape.Dim(depth)
	index := ids.Graph().Const(shape.Make(shape.Int64, dims...), sequence(depth))
	found := ops.Equal(ops.Unsqueeze(positive(ids, depth), a), index)
	return moved(ops.Where(found, pick(values, 1), pick(values, 0)), c.elem(2))
}

// pick returns one element of a vector as a scalar.
func pick(x *graph.Node, i int) *graph.Node { return ops.Squeeze(part(x, 0, i, 1), 0) }

// sequence returns 0, 1, ... n-1.
func sequence(n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = float64(i)
	}
	return v
}

// trilu keeps the elements of matrices on one side of a diagonal.
func trilu(c *call) []*value {
	x, k := c.node(0), 0
	if c.has(1) {
		k = c.scalarInt(1)
	}
	if c.flag("upper", true) {
		return moved(ops.Triu(x, k), c.elem(0))
	}
	return moved(ops.Tril(x, k), c.elem(0))
}

// diagonal returns a mask of rows and columns.
func diagonal(g *graph.Graph, rows, columns int, f func(i, j int) bool) *graph.Node {
	if rows*columns > maxFolded {
		refuse("a mask of %d x %d elements", rows, columns)
	}
	v := make([]float64, rows*columns)
	for i := range rows {
		for j := range columns {
			if f(i, j) {
				v[i*columns+j] = 1
			}
		}
	}
	return g.Const(shape.Mask(shape.Dim(rows), shape.Dim(columns)), v)
}

func eyeLike(c *call) []*value {
	size := c.numbers(0, 0)
	if len(size) != 2 {
		refuse("want a matrix")
	}
	to := c.elem(0)
	if c.attr("dtype") {
		to = ir.DataType(c.intAttr("dtype", 0))
	}
	e, ok := elements[to]
	if !ok {
		refuse("element type %v is not supported", to)
	}
	k := c.intAttr("k", 0)
	y := diagonal(c.node(0).Graph(), size[0], size[1], func(i, j int) bool { return j-i == k })
	return moved(convert(y, e.compute), to)
}
