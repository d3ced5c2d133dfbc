package ops

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// bitwise is a function of the bits of two integers, which broadcast; an index into bitwises.
type bitwise uint8

const (
	bitAnd bitwise = iota
	bitOr
	bitXor
	shiftLeft
	shiftRight
)

var bitwises = [...]struct {
	name string
	fn   engine.Fn
}{
	bitAnd:     {"BitAnd", engine.BitAnd},
	bitOr:      {"BitOr", engine.BitOr},
	bitXor:     {"BitXor", engine.BitXor},
	shiftLeft:  {"ShiftLeft", engine.ShiftLeft},
	shiftRight: {"ShiftRight", engine.ShiftRight},
}

// BitAnd returns the bits that integers a and b, of one type, both have.
func BitAnd(a, b *graph.Node) *graph.Node { return graph.Apply(bitAnd, a, b) }

// BitOr returns the bits that integers a or b have.
func BitOr(a, b *graph.Node) *graph.Node { return graph.Apply(bitOr, a, b) }

// BitXor returns the bits that one of integers a and b has.
func BitXor(a, b *graph.Node) *graph.Node { return graph.Apply(bitXor, a, b) }

// BitNot returns the bits that integers x do not have.
func BitNot(x *graph.Node) *graph.Node {
	if bad := refused("BitNot", func() error { return integers.check(x.Type()) }, x); bad != nil {
		return bad
	}
	all := -1.0
	if !x.Type().DType.Holds(-1) {
		all = 255
	}
	return Sub(Scalar(x, all), x)
}

// ShiftLeft returns integers a times 2 to the power of b, wrapped around. Where b is negative, or not less
// than the number of bits, it is 0.
func ShiftLeft(a, b *graph.Node) *graph.Node { return graph.Apply(shiftLeft, a, b) }

// ShiftRight returns integers a over 2 to the power of b, rounded down. Where b is negative, or not less than
// the number of bits, it is 0, or -1 for a negative a.
func ShiftRight(a, b *graph.Node) *graph.Node { return graph.Apply(shiftRight, a, b) }

func (op bitwise) Name() string { return bitwises[op].name }

func (op bitwise) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := arity(in, 2); err != nil {
		return t, err
	}
	if err := integers.check(in...); err != nil {
		return t, err
	}
	s, err := broadcast(in...)
	return in[0].Of(s), err
}

func (bitwise) NotDifferentiable() string { return "its result is integers" }

func (op bitwise) Map(_ []shape.Type, out shape.Type) engine.Map {
	return engine.MapOf(bitwises[op].fn, out.DType, engine.In(0), engine.In(1))
}
