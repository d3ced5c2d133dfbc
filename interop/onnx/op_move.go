package onnx

import (
	"slices"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

var moveOperators = family{
	"Reshape":   {{since: 1, min: 1, max: 1, eval: reshapeAttribute}, {since: 5, min: 2, max: 2, eval: reshape, extents: reshapeExtents}},
	"Flatten":   always(1, 1, flatten),
	"Squeeze":   {{since: 1, min: 1, max: 2, eval: squeeze, extents: squeezeExtents}},
	"Unsqueeze": {{since: 1, min: 1, max: 2, eval: unsqueeze, extents: unsqueezeExtents}},
	"Transpose": always(1, 1, transpose),
	"Concat":    withExtents(1, -1, concat, concatExtents),
	"Split":     always(1, 2, split),
	"Slice":     withExtents(1, 5, slice, sliceExtents),
	"Expand":    always(2, 2, expand),
	"Tile":      always(2, 3, tile),
	"Pad":       always(1, 4, pad),
}

func reshapeAttribute(c *call) []*value {
	return reshaped(c, mapped(c.intsAttr("shape", nil), func(v int) shape.Dim { return shape.Dim(v) }))
}

func reshape(c *call) []*value { return reshaped(c, c.dims(1)) }

// reshaped has 0 for an extent of the input, unless allowzero is set, and -1 for what is left.
func reshaped(c *call, dims []shape.Dim) []*value {
	x := c.node(0)
	dims = slices.Clone(dims)
	for i, d := range dims {
		if d != 0 || c.flag("allowzero", false) {
			continue
		}
		if i >= x.Type().Rank() {
			refuse("extent %d is 0, and input %v has no axis %d", i, x.Type(), i)
		}
		dims[i] = x.Type().Dim(i)
	}
	inferEmpty(x, dims)
	return moved(ops.Reshape(x, dims...), c.elem(0))
}

// inferEmpty replaces -1 for a tensor without elements, of which the other extents do not say it.
func inferEmpty(x *graph.Node, dims []shape.Dim) {
	size, err := x.Type().Size()
	if n, ok := size.Int(); err != nil || !ok || n != 0 {
		return
	}
	if i := slices.Index(dims, ops.Infer); i >= 0 {
		dims[i] = 0
	}
}

func flatten(c *call) []*value {
	x := c.node(0)
	rank := x.Type().Rank()
	a := c.intAttr("axis", 1)
	if a != rank {
		a = axis(a, max(rank, 1))
	}
	size := func(dims []shape.Dim) shape.Dim {
		n, err := shape.Of(dims...).Size()
		if err != nil {
			panic(refusal{err})
		}
		return n
	}
	dims := x.Type().Dims()
	return moved(ops.Reshape(x, size(dims[:a]), size(dims[a:])), c.elem(0))
}

// axesAt reads axes from input k since opset 13, and from an attribute before.
func (c *call) axesAt(k int) []int {
	if c.version < 13 {
		return c.intsAttr("axes", nil)
	}
	if !c.has(k) {
		return nil
	}
	return c.ints(k)
}

func squeeze(c *call) []*value {
	x := c.node(0)
	list := c.axesAt(1)
	if len(list) == 0 {
		for a, d := range x.Type().Dims() {
			if d == 1 {
				list = append(list, a)
			}
		}
		if len(list) == 0 {
			return moved(ops.Reshape(x, x.Type().Dims()...), c.elem(0))
		}
	}
	return moved(ops.Squeeze(x, axes(list, x.Type().Rank())...), c.elem(0))
}

func unsqueeze(c *call) []*value {
	x, list := c.node(0), c.axesAt(1)
	if len(list) == 0 {
		return moved(ops.Reshape(x, x.Type().Dims()...), c.elem(0))
	}
	return moved(ops.Unsqueeze(x, axes(list, x.Type().Rank()+len(list))...), c.elem(0))
}

func transpose(c *call) []*value {
	x := c.node(0)
	return moved(ops.Transpose(x, c.intsAttr("perm", nil)...), c.elem(0))
}

func concat(c *call) []*value {
	for k := range c.in {
		if c.elem(k) != c.elem(0) {
			refuse("the element types differ: %v and %v", c.elem(0), c.elem(k))
		}
	}
	def := 1 // before opset 4; since, the attribute must be given
	if c.version >= 4 && !c.attr("axis") {
		refuse("attribute axis is missing")
	}
	return moved(ops.Concat(axis(c.intAttr("axis", def), c.shape(0).Rank()), c.nodes()...), c.elem(0))
}

func split(c *call) []*value {
	x := c.node(0)
	a := axis(c.intAttr("axis", 0), x.Type().Rank())
	n, ok := x.Type().Dim(a).Int()
	if !ok {
		refuse("extent %v of axis %d must be a number", x.Type().Dim(a), a)
	}
	sizes := c.sizes(n)
	outs := make([]*value, len(sizes))
	start := 0
	for i, size := range sizes {
		if size < 0 || size > n-start {
			refuse("parts %v of an axis of %d", sizes, n)
		}
		outs[i] = moved(part(x, a, start, size), c.elem(0))[0]
		start += size
	}
	if start != n {
		refuse("parts %v of an axis of %d", sizes, n)
	}
	return outs
}

// sizes are those of the parts of Split: given, or as equal as can be.
func (c *call) sizes(n int) []int {
	switch {
	case c.version >= 13 && c.has(1):
		return c.ints(1)
	case c.version < 13 && c.attr("split"):
		return c.intsAttr("split", nil)
	}
	parts := c.intAttr("num_outputs", len(c.n.Outputs))
	if parts < 1 || parts > len(c.n.Outputs) {
		refuse("%d parts for %d outputs", parts, len(c.n.Outputs))
	}
	each := (n + parts - 1) / parts
	sizes := slices.Repeat([]int{each}, parts)
	sizes[parts-1] = n - each*(parts-1)
	return sizes
}

// part returns the given elements along an axis, which may be none.
func part(x *graph.Node, a, start, size int) *graph.Node {
	if size == 0 {
		return ops.Full(x, x.Type().With(a, 0), 0)
	}
	return ops.Slice(x, at(x, a, ops.Range{Start: start, Stop: start + size})...)
}

// A cut is the part of an axis that Slice takes.
type cut struct{ axis, start, end, step int }

// cuts reads the ranges of Slice: attributes before opset 10, and then inputs.
func (c *call) cuts(rank int) []cut {
	var starts, ends, over, steps []int
	if c.version < 10 {
		starts, ends, over = c.intsAttr("starts", nil), c.intsAttr("ends", nil), c.intsAttr("axes", nil)
	} else {
		starts, ends = c.ints(1), c.ints(2)
		if c.has(3) {
			over = c.ints(3)
		}
		if c.has(4) {
			steps = c.ints(4)
		}
	}
	if over == nil {
		over = from(0, len(starts))
	}
	if steps == nil {
		steps = slices.Repeat([]int{1}, len(starts))
	}
	if len(ends) != len(starts) || len(over) != len(starts) || len(steps) != len(starts) || len(starts) > rank {
		refuse("starts %v, ends %v, axes %v, steps %v", starts, ends, over, steps)
	}
	axes(over, rank)
	list := make([]cut, len(starts))
	for i := range list {
		list[i] = cut{axis(over[i], rank), starts[i], ends[i], steps[i]}
		if steps[i] == 0 {
			refuse("step 0")
		}
	}
	return list
}

// limit returns the range of an axis of n elements as [ops.Range] has it, and whether it is not
// empty. Bounds beyond the axis mean its ends.
func (r cut) limit(n int) (ops.Range, bool) {
	start, end := r.start, r.end
	if start < 0 {
		start += n
	}
	if end < 0 {
		end += n
	}
	if r.step > 0 {
		start, end = min(max(start, 0), n), min(max(end, 0), n)
		return ops.Range{Start: start, Stop: end, Step: r.step}, start < end
	}
	start, end = min(max(start, 0), n-1), min(max(end, -1), n-1)
	rg := ops.Range{Start: start, Stop: end, Step: r.step}
	if end < 0 {
		rg.Stop = ops.End
	}
	return rg, start > end
}

// whole reports whether the range takes any axis as it is.
func (r cut) whole() bool { return r.start == 0 && r.step == 1 && r.end >= 1<<31-1 }

func slice(c *call) []*value {
	x := c.node(0)
	ranges := slices.Repeat([]ops.Range{ops.Whole()}, x.Type().Rank())
	result, empty := x.Type().Shape, false
	for _, r := range c.cuts(x.Type().Rank()) {
		n, ok := x.Type().Dim(r.axis).Int()
		if !ok {
			if !r.whole() {
				refuse("axis %d has extent %v, of which only all can be taken: bind it", r.axis, x.Type().Dim(r.axis))
			}
			continue
		}
		rg, some := r.limit(n)
		if ranges[r.axis] = rg; !some {
			result, empty = result.With(r.axis, 0), true
			continue
		}
		last := rg.Stop
		if last == ops.End {
			last = -1
		}
		span := last - rg.Start
		if r.step < 0 {
			span = -span
		}
		result = result.With(r.axis, shape.Dim((span+abs(r.step)-1)/abs(r.step)))
		if rg == (ops.Range{Start: 0, Stop: n, Step: 1}) {
			ranges[r.axis] = ops.Whole()
		}
	}
	if empty {
		return moved(ops.Full(x, result, 0), c.elem(0))
	}
	return moved(ops.Slice(x, ranges...), c.elem(0))
}

func abs(v int) int { return max(v, -v) }

// expand broadcasts to the common shape of the input and the extents given.
func expand(c *call) []*value {
	x := c.node(0)
	return moved(ops.BroadcastTo(x, broadcast(x.Type().Shape, shape.Of(c.dims(1)...))), c.elem(0))
}

// tile repeats x along its axes, by broadcasting an axis in front of each that is repeated.
func tile(c *call) []*value {
	x := c.node(0)
	if c.version < 6 {
		refuse("the form before opset 6 is not supported")
	}
	repeats := c.ints(1)
	if len(repeats) != x.Type().Rank() {
		refuse("repeats %v; want %d numbers", repeats, x.Type().Rank())
	}
	for a, k := range repeats {
		if k < 0 {
			refuse("repeats %v", repeats)
		}
		if k == 1 {
			continue
		}
		dims := x.Type().Dims()
		total, err := dims[a].Mul(shape.Dim(k))
		if err != nil {
			panic(refusal{err})
		}
		if x.Type().Rank() == shape.MaxRank {
			refuse("a tensor with %d axes", shape.MaxRank)
		}
		y := ops.BroadcastTo(ops.Unsqueeze(x, a), shape.Of(slices.Insert(slices.Clone(dims), a, shape.Dim(k))...))
		dims[a] = total
		x = ops.Reshape(y, dims...)
	}
	return moved(x, c.elem(0))
}

var padModes = map[string]ops.PadOp{
	"constant": {Mode: ops.PadConstant},
	"reflect":  {Mode: ops.PadReflect},
	"edge":     {Mode: ops.PadEdge},
}

// pad pads, and removes where a padding is negative.
func pad(c *call) []*value {
	x := c.node(0)
	rank := x.Type().Rank()
	mode := c.stringAttr("mode", "constant", "constant", "reflect", "edge", "wrap")
	before, after := c.pads(rank)
	v := 0.0
	if c.version < 11 {
		v = c.floatAttr("value", 0)
	} else if c.has(2) && mode == "constant" {
		v = c.scalar(2)
	}
	ranges, cutting := make([]ops.Range, rank), false
	for a := range rank {
		ranges[a] = ops.Whole()
		if before[a] >= 0 && after[a] >= 0 {
			continue
		}
		n, ok := x.Type().Dim(a).Int()
		if !ok {
			refuse("axis %d has extent %v, which is not padded", a, x.Type().Dim(a))
		}
		ranges[a] = ops.Range{Start: max(-before[a], 0), Stop: n - max(-after[a], 0)}
		before[a], after[a], cutting = max(before[a], 0), max(after[a], 0), true
	}
	if cutting {
		x = ops.Slice(x, ranges...)
	}
	if mode == "wrap" {
		return moved(wrapAround(x, before, after), c.elem(0))
	}
	op := padModes[mode]
	op.Value = graph.Float(v)
	copy(op.Before[:], before)
	copy(op.After[:], after)
	return moved(ops.Pad(x, op), c.elem(0))
}

// pads reads the paddings before and after each axis.
func (c *call) pads(rank int) (before, after []int) {
	list := c.intsAttr("pads", nil)
	if c.version < 2 {
		list = c.intsAttr("paddings", nil)
	}
	if c.version >= 11 {
		list = c.ints(1)
	}
	over := from(0, rank)
	if c.version >= 18 && c.has(3) {
		over = c.ints(3)
		for i, a := range over {
			over[i] = axis(a, rank)
		}
	}
	if len(list) != 2*len(over) {
		refuse("%d paddings of %d axes", len(list), len(over))
	}
	before, after = make([]int, rank), make([]int, rank)
	for i, a := range over {
		before[a], after[a] = list[i], list[len(over)+i]
	}
	return before, after
}

// wrapAround pads with the elements of the other end.
func wrapAround(x *graph.Node, before, after []int) *graph.Node {
	for a := range before {
		if before[a] == 0 && after[a] == 0 {
			continue
		}
		n, ok := x.Type().Dim(a).Int()
		if !ok || n == 0 {
			refuse("axis %d has extent %v, which is not padded", a, x.Type().Dim(a))
		}
		ids := make([]float64, 0, before[a]+n+after[a])
		for i := -before[a]; i < n+after[a]; i++ {
			ids = append(ids, float64(((i%n)+n)%n))
		}
		x = ops.Gather(x, a, x.Graph().Const(shape.I64(shape.Dim(len(ids))), ids))
	}
	return x
}
