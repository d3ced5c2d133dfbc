package onnx

import (
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

var castOperators = family{
	"Cast":     withExtents(1, 1, cast, castExtents),
	"CastLike": always(2, 2, func(c *call) []*value { return castTo(c, c.elem(1)) }),
}

func cast(c *call) []*value { return castTo(c, c.target()) }

// target is the element type that attribute to names; before opset 6 it was a string.
func (c *call) target() ir.DataType {
	if a := c.attribute("to"); a != nil && a.Type == ir.AttributeString {
		refuse("attribute to is a string, as before opset 6")
	}
	if !c.attr("to") {
		refuse("attribute to is missing")
	}
	return ir.DataType(c.intAttr("to", 0))
}

func castTo(c *call, to ir.DataType) []*value {
	e, ok := elements[to]
	if !ok {
		refuse("element type %v is not supported", to)
	}
	if f, small := smallFloats[to]; small && c.elem(0) != to {
		return []*value{known(c.smallCast(f, to))}
	}
	x := c.node(0)
	if c.elem(0) == to {
		return moved(x, to)
	}
	return result(convert(x, e.compute), to)
}

// smallCast rounds known numbers to a type that no op has.
func (c *call) smallCast(f smallFloat, to ir.DataType) *Tensor {
	saturate, round := c.flag("saturate", true), c.stringAttr("round_mode", "up", "up", "down", "nearest")
	t := c.known(0)
	codes := mapped(t.floats(), func(v float64) uint8 {
		if f.unsigned {
			return powerCode(float32(v), saturate, round)
		}
		return f.code(v, saturate)
	})
	return &Tensor{Type: to, Dims: t.Dims, Data: codes}
}

// convert is ops.Cast, and x itself if it has the type.
func convert(x *graph.Node, d shape.DType) *graph.Node {
	if x.Type().DType == d {
		return x
	}
	return ops.Cast(x, d)
}

// castExtents keeps extents as they are: those that depend on N have no other type here than int64
// and, since they are at most 2^31-1, lose nothing as int32 or a float of 64 bits.
func castExtents(c *call) []*value {
	switch c.target() {
	case ir.Int64, ir.Int32:
		return []*value{c.in[0]}
	}
	return nil
}
