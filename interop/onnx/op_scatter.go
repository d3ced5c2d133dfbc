package onnx

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

var scatterOperators = family{
	"GatherND":        always(2, 2, gatherND),
	"Scatter":         always(3, 3, scatterElements),
	"ScatterElements": always(3, 3, scatterElements),
	"ScatterND":       always(3, 3, scatterND),
	"DepthToSpace":    always(1, 1, depthToSpace),
	"SpaceToDepth": always(1, 1, func(c *call) []*value {
		return moved(ops.SpaceToDepth(c.node(0), c.intAttr("blocksize", 0)), c.elem(0))
	}),
	"ReverseSequence": always(2, 2, reverseSequence),
}

// reductions are the ways to combine values.
var reductions = map[string]engine.Combine{
	"none": engine.Replace, "add": engine.CombineAdd, "mul": engine.CombineMul, "max": engine.CombineMax, "min": engine.CombineMin,
}

// positions are the ids of the last axis of input k along the first axes of x behind batch ones, none
// negative.
func (c *call) positions(k int, x *graph.Node, batch int) *graph.Node {
	ids := c.node(k)
	rank := ids.Type().Rank()
	if rank == 0 {
		refuse("input %d is %v; want places along its last axis", k, ids.Type())
	}
	n, ok := ids.Type().Dim(-1).Int()
	if !ok || batch+n > x.Type().Rank() {
		refuse("input %d has %v positions along its last axis; input 0 has %d axes", k, ids.Type().Dim(-1), x.Type().Rank())
	}
	extents := make([]float64, n)
	for i := range extents {
		e, ok := x.Type().Dim(batch + i).Int()
		if !ok {
			refuse("extent %v of axis %d must be a number", x.Type().Dim(batch+i), batch+i)
		}
		extents[i] = float64(e)
	}
	if n == 0 {
		return ids
	}
	all := ids.Graph().Const(shape.Make(ids.Type().DType, shape.Dim(n)), extents)
	return ops.Where(ops.Less(ids, ops.Scalar(ids, 0)), ops.Add(ids, all), ids)
}

func gatherND(c *call) []*value {
	x, batch := c.node(0), c.intAttr("batch_dims", 0)
	if batch < 0 || batch >= x.Type().Rank() {
		refuse("attribute batch_dims is %d", batch)
	}
	return moved(ops.GatherND(x, c.positions(1, x, batch), batch), c.elem(0))
}

func scatterND(c *call) []*value {
	x := c.node(0)
	return result(ops.ScatterND(x, c.positions(1, x, 0), c.node(2), choice(c, "reduction", "none", reductions)), c.elem(0))
}

// scatterElements scatters along an axis. Along the others ids may have fewer elements than x: the rest of x
// stays.
func scatterElements(c *call) []*value {
	x, ids, values := c.node(0), c.node(1), c.node(2)
	rank := x.Type().Rank()
	a := axis(c.intAttr("axis", 0), rank)
	n, ok := x.Type().Dim(a).Int()
	if !ok || ids.Type().Rank() != rank || values.Type().Rank() != rank {
		refuse("want ids and values with as many axes as the input, of which axis %d is a number", a)
	}
	combine := choice(c, "reduction", "none", reductions)
	ids = positive(ids, n)
	inner := x
	var cut []int
	for i := range rank {
		if i == a || x.Type().Dim(i) == ids.Type().Dim(i) {
			continue
		}
		size, ok := ids.Type().Dim(i).Int()
		whole, known := x.Type().Dim(i).Int()
		if !ok || !known || size > whole {
			refuse("extent %v of axis %d of the ids; the input has %v", ids.Type().Dim(i), i, x.Type().Dim(i))
		}
		inner = part(inner, i, 0, size)
		cut = append(cut, i)
	}
	y := ops.ScatterAlong(inner, a, ids, values, combine)
	for k := len(cut) - 1; k >= 0; k-- { // around what changed comes what did not
		i := cut[k]
		rest := x
		for _, j := range cut[:k] {
			rest = part(rest, j, 0, ids.Type().Int(j))
		}
		size, whole := ids.Type().Int(i), x.Type().Int(i)
		y = ops.Concat(i, y, part(rest, i, size, whole-size))
	}
	return result(y, c.elem(0))
}

func depthToSpace(c *call) []*value {
	x, block := c.node(0), c.intAttr("blocksize", 0)
	if c.stringAttr("mode", "DCR", "DCR", "CRD") == "CRD" {
		return moved(ops.PixelShuffle(x, block), c.elem(0))
	}
	return moved(ops.DepthToSpace(x, block), c.elem(0))
}

func reverseSequence(c *call) []*value {
	return moved(ops.ReverseSequence(c.node(0), c.node(1), c.intAttr("batch_axis", 1), c.intAttr("time_axis", 0)), c.elem(0))
}
