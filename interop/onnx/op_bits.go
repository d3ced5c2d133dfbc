package onnx

import (
	"slices"

	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/ops"
)

var bitOperators = family{
	"BitwiseAnd": always(2, 2, elementwise(ops.BitAnd)),
	"BitwiseOr":  always(2, 2, elementwise(ops.BitOr)),
	"BitwiseXor": always(2, 2, elementwise(ops.BitXor)),
	"BitwiseNot": always(1, 1, unary(ops.BitNot)),
	"BitShift":   always(2, 2, bitShift),
	"BitCast":    always(1, 1, bitCast),
}

// bitShift shifts unsigned integers. Those of 64 bits are computed as signed ones, whose sign a shift to
// the right must not repeat.
func bitShift(c *call) []*value {
	a, b := c.pair()
	if c.stringAttr("direction", "", "LEFT", "RIGHT") == "LEFT" {
		return result(ops.ShiftLeft(a, b), c.elem(0))
	}
	y := ops.ShiftRight(a, b)
	if c.elem(0) == ir.Uint64 {
		kept := ops.BitNot(ops.ShiftLeft(ops.ShiftLeft(ops.Scalar(a, -1), ops.Sub(ops.Scalar(b, 63), b)), ops.Scalar(b, 1)))
		y = ops.Where(ops.Equal(b, ops.Scalar(b, 0)), a, ops.BitAnd(y, kept))
	}
	return result(y, c.elem(0))
}

// bitCast reads the bits of elements as those of another type, on the host.
func bitCast(c *call) []*value {
	t, to := c.known(0), c.target()
	if t.Type.Bits() != to.Bits() || to.Bits() < 8 {
		refuse("the bits of %v as %v", t.Type, to)
	}
	e, ok := elements[to]
	if !ok {
		refuse("element type %v is not supported", to)
	}
	raw := slices.Clone(elements[t.Type].key(t.Data))
	exchange(raw, to.Bits()/8)
	return []*value{known(&Tensor{Type: to, Dims: t.Dims, Data: e.read(&ir.Tensor{Type: to, Raw: raw, HasRaw: true}, t.Len())})}
}
