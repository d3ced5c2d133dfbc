package onnx

import (
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/ops"
)

// A sequence is a list of values while a model is evaluated: its length is always known.
var sequenceOperators = family{
	"SequenceConstruct":  direct(1, -1, sequenceConstruct),
	"SequenceEmpty":      direct(0, 0, sequenceEmpty),
	"SequenceAt":         direct(2, 2, sequenceAt),
	"SequenceInsert":     direct(2, 3, sequenceInsert),
	"SequenceErase":      direct(1, 2, sequenceErase),
	"SequenceLength":     direct(1, 1, sequenceLength),
	"ConcatFromSequence": direct(1, 1, concatFromSequence),
	"SplitToSequence":    direct(1, 2, splitToSequence),
	"Optional":           direct(0, 1, optional),
	"OptionalHasElement": direct(0, 1, func(c *call) []*value { return []*value{boolsValue([]bool{c.has(0)}, true)} }),
	"OptionalGetElement": direct(1, 1, optionalGetElement),
}

// list returns input k, a sequence.
func (c *call) list(k int) *value {
	v := c.value(k)
	if !v.isList {
		refuse("input %d is %v; want a sequence", k, v)
	}
	return v
}

// item checks that v can be in a sequence of element type e.
func item(v *value, e ir.DataType) *value {
	if v.isList || v.none || v.elem != e {
		refuse("%v in a sequence of tensors of type %v", v, e)
	}
	return v
}

func sequenceConstruct(c *call) []*value {
	for k := range c.in {
		item(c.value(k), c.elem(0))
	}
	return []*value{listOf(c.elem(0), c.in)}
}

func sequenceEmpty(c *call) []*value {
	return []*value{listOf(ir.DataType(c.intAttr("dtype", int(ir.Float))), nil)}
}

// position returns input k, an index of a sequence of n that may count from its end, or def if it is
// left out. It is below limit.
func (c *call) position(k, n, limit, def int) int {
	if !c.has(k) {
		return def
	}
	i := c.scalarInt(k)
	if i < -n || i >= limit {
		refuse("position %d of a sequence of %d", i, n)
	}
	if i < 0 {
		i += n
	}
	return i
}

func sequenceAt(c *call) []*value {
	items := c.list(0).items
	return []*value{items[c.position(1, len(items), len(items), 0)]}
}

func sequenceInsert(c *call) []*value {
	v := c.list(0)
	n := len(v.items)
	i := c.position(2, n, n+1, n)
	if n >= maxItems {
		refuse("a sequence of more than %d", maxItems)
	}
	items := append(append(append(make([]*value, 0, n+1), v.items[:i]...), item(c.value(1), v.elem)), v.items[i:]...)
	return []*value{listOf(v.elem, items)}
}

func sequenceErase(c *call) []*value {
	v := c.list(0)
	n := len(v.items)
	if n == 0 {
		refuse("the sequence is empty")
	}
	i := c.position(1, n, n, n-1)
	return []*value{listOf(v.elem, append(append([]*value(nil), v.items[:i]...), v.items[i+1:]...))}
}

func sequenceLength(c *call) []*value {
	return []*value{known(intsTensor([]int64{int64(len(c.list(0).items))}))}
}

// concatFromSequence is Concat or, with new_axis, stacks.
func concatFromSequence(c *call) []*value {
	v := c.list(0)
	if len(v.items) == 0 {
		refuse("the sequence is empty")
	}
	if !c.attr("axis") {
		refuse("attribute axis is missing")
	}
	inner := *c
	inner.in = v.items
	if !c.flag("new_axis", false) {
		return inner.folded(&operator{eval: concat})
	}
	return inner.folded(&operator{eval: func(c *call) []*value {
		xs := c.nodes()
		a := axis(c.intAttr("axis", 0), c.shape(0).Rank()+1)
		for i, x := range xs {
			xs[i] = ops.Unsqueeze(x, a)
		}
		return moved(ops.Concat(a, xs...), v.elem)
	}})
}

// maxItems is how many items a sequence may have.
const maxItems = 1 << 16

// splitToSequence splits into parts of given sizes, or of one size of which the last may have less.
func splitToSequence(c *call) []*value {
	rank := c.shape(0).Rank()
	a := axis(c.intAttr("axis", 0), rank)
	n := c.numbers(0, a)[0]
	var sizes []int
	squeezed := false
	switch {
	case !c.has(1):
		sizes, squeezed = equalParts(n, 1), !c.flag("keepdims", true)
	case len(c.known(1).Dims) == 0:
		sizes = equalParts(n, c.scalarInt(1))
	default:
		sizes = c.ints(1)
	}
	if len(sizes) > maxItems {
		refuse("a sequence of %d; at most %d are supported", len(sizes), maxItems)
	}
	inner := *c
	inner.in = c.in[:1]
	return []*value{listOf(c.elem(0), inner.folded(&operator{eval: func(c *call) []*value {
		x, start := c.node(0), 0
		items := make([]*value, len(sizes))
		for i, size := range sizes {
			if size < 0 || size > n-start {
				refuse("parts %v of an axis of %d", sizes, n)
			}
			p := part(x, a, start, size)
			if start += size; squeezed {
				p = ops.Squeeze(p, a)
			}
			items[i] = moved(p, c.elem(0))[0]
		}
		if start != n {
			refuse("parts %v of an axis of %d", sizes, n)
		}
		return items
	}}))}
}

func equalParts(n, size int) []int {
	if size < 1 {
		refuse("parts of %d elements", size)
	}
	if n/size > maxItems {
		refuse("a sequence of %d; at most %d are supported", n/size, maxItems)
	}
	var sizes []int
	for ; n > 0; n -= size {
		sizes = append(sizes, min(n, size))
	}
	return sizes
}

// optional returns an optional: its value itself, or one that says there is none.
func optional(c *call) []*value {
	if c.has(0) {
		return []*value{c.in[0]}
	}
	none := &value{none: true}
	if a := c.typed("type", ir.AttributeTypeOf); a != nil && a.Of != nil {
		t := a.Of
		for t.Of != nil {
			t = t.Of
		}
		none.elem = t.Elem
	}
	return []*value{none}
}

func optionalGetElement(c *call) []*value {
	if !c.has(0) {
		refuse("the optional has no value")
	}
	return []*value{c.in[0]}
}
