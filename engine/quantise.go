package engine

import (
	"math"

	"github.com/plexaura/plexaura/shape"
)

// Quant maps float32 to uint8: q stands for the number Scale*(q-Zero). 0 is always represented
// exactly. The zero Quant maps nothing.
type Quant struct {
	Scale float32
	Zero  uint8
}

// QuantOf returns the Quant of numbers from lo to hi, which are finite; the range is extended to
// 0. A range too small for a scale, such as that of zeros only, has scale 1.
func QuantOf(lo, hi float32) Quant {
	const least = 0x1p-100
	from, to := min(float64(lo), 0), max(float64(hi), 0)
	scale := float32((to - from) / math.MaxUint8)
	if !(scale >= least) {
		return Quant{Scale: 1}
	}
	return Quant{Scale: scale, Zero: uint8(min(math.RoundToEven(-from/float64(scale)), math.MaxUint8))}
}

// Inverse is the reciprocal of the scale, by which [Quant.Of] multiplies.
func (q Quant) Inverse() float32 { return 1 / q.Scale }

// Of rounds x*Inverse to the nearest integer, ties to even, and adds Zero. Numbers beyond the range
// become the nearest end of it, and NaN its lower end.
func (q Quant) Of(x float32) uint8 {
	lo, hi := -float32(q.Zero), float32(math.MaxUint8-q.Zero)
	t := x * q.Inverse()
	if !(t > lo) {
		t = lo
	}
	if t > hi {
		t = hi
	}
	return uint8(int(math.RoundToEven(float64(t))) + int(q.Zero))
}

// Number is what v stands for.
func (q Quant) Number(v uint8) float32 { return float32(int(v)-int(q.Zero)) * q.Scale }

// Quantised are the attributes of a product or convolution in 8-bit integers. Images and rows are
// uint8, mapped by In. Weights are int8 with a scale for each output channel, those of [Round].
// The products of weights and In's differences from Zero, padding being 0, are added up exactly in
// int32; [Affine] says what becomes of a sum: it is scaled, the bias and the addend are added, and the
// result is clamped. [Deepest] bounds the terms of a sum, so that no int32 can overflow.
type Quantised struct {
	In  Quant // of input 0
	Out Quant // of the result, if that is uint8; otherwise zero, and the result is float32

	// Adds means that the last input, of the type of the result but for its element type, is added:
	// a float32, or a uint8 mapped by Addend.
	Adds   bool
	Addend Quant

	Lo, Hi float32 // the result is clamped to this range
}

// Deepest is the most terms of a sum: with more, sums could exceed an int32.
const Deepest = math.MaxInt32 / (math.MaxUint8 * -math.MinInt8)

// WithReLU returns q with a rectifier before the clamp, if rectify is set.
func (q Quantised) WithReLU(rectify bool) Quantised {
	if rectify {
		q.Lo = min(max(q.Lo, 0), q.Hi)
	}
	return q
}

// Affine is what becomes of a sum, in float32, each operation of it rounded:
//
//	y = sum*(Factor*scale) + shift + addend*Addend
//
// with the scale of the channel's weights and the shift that Shift gives, then clamped to [Lo,Hi].
// An addend in uint8 enters as it is. A result in uint8 is y rounded to the nearest integer, ties to
// even, 0 if y is NaN.
type Affine struct {
	Factor, Addend float32
	Lo, Hi         float32

	inverse, zero float32 // of bytes; else 1 and 0
	offset        float32 // what a byte that is added stands for, less than it
}

// Affine returns q in that form.
func (q Quantised) Affine() Affine {
	a := Affine{Factor: q.In.Scale, Addend: 1, Lo: q.Lo, Hi: q.Hi, inverse: 1}
	if q.Addend.Scale != 0 {
		a.Addend, a.offset = q.Addend.Scale, q.Addend.Scale*float32(q.Addend.Zero)
	}
	if q.Out.Scale == 0 {
		return a
	}
	a.inverse, a.zero = q.Out.Inverse(), float32(q.Out.Zero)
	a.Factor *= a.inverse
	a.Addend *= a.inverse
	a.Lo = min(max(float32(q.Lo*a.inverse)+a.zero, 0), math.MaxUint8)
	a.Hi = min(max(float32(q.Hi*a.inverse)+a.zero, 0), math.MaxUint8)
	return a
}

// Shift returns the shift for a bias, which is 0 where there is none.
func (a Affine) Shift(bias float32) float32 { return float32((bias-a.offset)*a.inverse) + a.zero }

// Of returns y for a sum, the scale of its channel, its shift, and an addend, which is 0 where there
// is none.
func (a Affine) Of(sum int32, scale, shift, addend float32) float32 {
	y := float32(float32(sum)*float32(a.Factor*scale)) + shift
	y += float32(addend * a.Addend)
	if y < a.Lo {
		y = a.Lo
	}
	if y > a.Hi {
		y = a.Hi
	}
	return y
}

// Byte rounds y, which has been clamped to the range of bytes.
func Byte(y float32) uint8 {
	if y != y {
		return 0
	}
	return uint8(math.RoundToEven(float64(y)))
}

// QuantWeights sets dst to the weights w, of type t, as multiples of the scale of their channel of
// axis, and scales to these; see [Round]. A channel of whole numbers up to 127 has scale 1, so that
// 8-bit integers are taken as they are.
func QuantWeights(dst []int8, scales, w []float32, t shape.Type, axis int) {
	clear(scales[:t.Int(axis)]) // a channel without weights has no piece
	eachPiece(w, t, axis, codeScale, func(channel int, scale float32, from, to int) {
		scales[channel] = scale
		for i, x := range w[from:to] {
			dst[from+i] = Int8Of(x, scale)
		}
	})
}

// A Quantiser has kernels of 8-bit integers. Their results are those of the definitions, [Quant]
// and [Quantised], bit by bit.
type Quantiser interface {
	// BindQuantise has the input x in float32. Its result is x in uint8, by [Quant.Of].
	BindQuantise(q Quant, in []Operand, out Operand) (Bound, error)
	// BindQuantConv2D has the inputs of BindConv2D, of which x is uint8 and the filters and bias are
	// float32, and the addend if q adds one.
	BindQuantConv2D(c Conv2D, q Quantised, in []Operand, out Operand) (Bound, error)
	// BindQuantMatMul has the inputs a (M,K) in uint8, b (K,P), or its transpose if m says so, and the
	// bias (P) in float32, and the addend if q adds one.
	BindQuantMatMul(m MatMul, q Quantised, in []Operand, out Operand) (Bound, error)
	// BindQuantMaxPool2D has the input x in uint8. Its result is the largest number of each window, 0 for
	// a window that lies entirely in the padding.
	BindQuantMaxPool2D(p Pool2D, in []Operand, out Operand) (Bound, error)
}
