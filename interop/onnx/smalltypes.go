package onnx

import (
	"math"
	"sort"

	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/shape"
)

// A smallFloat is a floating-point type of at most 8 bits. An element is a code: a sign, the exponent
// and the fraction, from the highest bit down. Values of it are computed in float32, which has all of
// them; only Cast and QuantizeLinear make new ones.
type smallFloat struct {
	exponent, fraction int // bits
	bias               int
	unsigned           bool  // all bits are the exponent
	top                uint8 // the code of the greatest number
	infinite           bool  // the code above top is infinity, and those above it are NaN
	nan                uint8 // the code of NaN; of a type that has none, that of 0
	noNegativeZero     bool
}

var smallFloats = map[ir.DataType]smallFloat{
	ir.Float8E4M3FN:   {exponent: 4, fraction: 3, bias: 7, top: 0x7e, nan: 0x7f},
	ir.Float8E4M3FNUZ: {exponent: 4, fraction: 3, bias: 8, top: 0x7f, nan: 0x80, noNegativeZero: true},
	ir.Float8E5M2:     {exponent: 5, fraction: 2, bias: 15, top: 0x7b, nan: 0x7e, infinite: true},
	ir.Float8E5M2FNUZ: {exponent: 5, fraction: 2, bias: 16, top: 0x7f, nan: 0x80, noNegativeZero: true},
	ir.Float4E2M1:     {exponent: 2, fraction: 1, bias: 1, top: 0x7},
	ir.Float8E8M0:     {exponent: 8, bias: 127, unsigned: true, top: 0xfe, nan: 0xff},
}

// value returns the number of a code.
func (f smallFloat) value(code uint8) float32 {
	if f.unsigned {
		if code == f.nan {
			return float32(math.NaN())
		}
		return float32(math.Ldexp(1, int(code)-f.bias))
	}
	sign := uint8(1) << (f.exponent + f.fraction)
	magnitude := code &^ sign
	e, m := int(magnitude>>f.fraction), float64(magnitude&(1<<f.fraction-1))
	v := math.Ldexp(m, 1-f.bias-f.fraction)
	switch {
	case f.noNegativeZero && code == f.nan, !f.noNegativeZero && magnitude > f.top && !(f.infinite && magnitude == f.top+1):
		return float32(math.NaN())
	case magnitude > f.top:
		v = math.Inf(1)
	case e > 0:
		v = math.Ldexp(1+math.Ldexp(m, -f.fraction), e-f.bias)
	}
	if code&sign != 0 {
		v = -v
	}
	return float32(v)
}

// code returns the code of the nearest number, that with a last bit of 0 of two. What is beyond the
// greatest becomes that if saturate is set, else infinity or NaN as the type has it; a type without
// either always saturates.
func (f smallFloat) code(v float64, saturate bool) uint8 {
	if math.IsNaN(v) {
		return f.nan
	}
	code := f.nearest(math.Abs(v))
	if code > f.top {
		switch {
		case saturate || f.nan == 0:
			code = f.top
		case !f.infinite:
			return f.nan
		}
	}
	if math.Signbit(v) && !(code == 0 && f.noNegativeZero) {
		code |= 1 << (f.exponent + f.fraction)
	}
	return code
}

// nearest returns the code of the number nearest to a positive one; that above top stands for what
// is rounded beyond it.
func (f smallFloat) nearest(a float64) uint8 {
	above := uint8(sort.Search(int(f.top)+1, func(i int) bool { return float64(f.value(uint8(i))) > a }))
	below := above - 1
	low, high := float64(f.value(below)), float64(f.value(above))
	if above > f.top {
		high = 2*low - float64(f.value(below-1))
	}
	if d := 2*a - low - high; d < 0 || d == 0 && below%2 == 0 {
		return below
	}
	return above
}

// powerCode returns the code of a power of two, without a sign: rounded up, down or to the nearest.
// What is beyond the range becomes its end if saturate is set, else NaN.
func powerCode(v float32, saturate bool, round string) uint8 {
	bits := math.Float32bits(v)
	exponent, fraction := bits>>23&0xff, bits&(1<<23-1)
	if exponent == 0xff {
		return 0xff
	}
	up := fraction > 0
	switch half := uint32(1) << 22; round {
	case "down":
		up = false
	case "nearest":
		up = fraction > half || fraction == half && exponent > 0
	}
	if up && !(saturate && exponent == 0xfe) {
		exponent++
	}
	return uint8(exponent)
}

// smallElement is the row of elements for a small floating-point type.
func smallElement(d ir.DataType) element {
	f := smallFloats[d]
	values := make([]float32, 256)
	for i := range values {
		values[i] = f.value(uint8(i) & (1<<d.Bits() - 1))
	}
	return elementOf(shape.Float32,
		func(t *ir.Tensor) []uint8 { return unpacked[uint8](listed[uint8](t), d, lenOf(t)) },
		func(v []uint8) []float32 { return mapped(v, func(c uint8) float32 { return values[c] }) },
		func(v []float32) []uint8 { return mapped(v, func(x float32) uint8 { return f.code(float64(x), true) }) }).packed(d)
}

// smallInteger is the row of an integer type of less than 8 bits.
func smallInteger[T int8 | uint8](d ir.DataType) element {
	return elementOf(shape.Int32,
		func(t *ir.Tensor) []T { return unpacked[T](listed[uint8](t), d, lenOf(t)) },
		converted[T, int32], converted[int32, T]).packed(d)
}

// packed reads raw elements of less than 8 bits too.
func (e element) packed(d ir.DataType) element {
	read := e.read
	e.read = func(t *ir.Tensor, n int) any {
		if t.HasRaw && d.Bits() < 8 {
			t = &ir.Tensor{Type: t.Type, Dims: t.Dims, Int32s: converted[uint8, int32](t.Raw)}
		}
		return read(t, n)
	}
	return e
}

func lenOf(t *ir.Tensor) int {
	n, _ := t.Len()
	return n
}

// unpacked returns n elements of bytes in which the first is in the low bits. Those of a signed type
// have their sign.
func unpacked[T int8 | uint8](b []uint8, d ir.DataType, n int) []T {
	bits := d.Bits()
	v := make([]T, n)
	for i := range v {
		at := i * bits
		v[i] = T(b[at/8]>>(at%8)<<(8-bits)) >> (8 - bits)
	}
	return v
}
