package shape

import "math"

// Brain is an element of type [BFloat16], as bits: the upper half of those of a float32. The name
// is that of the format, brain floating point.
//
// S. Wang, P. Kanwar, BFloat16: the secret to high performance on Cloud TPUs, 2019.
type Brain uint16

// Half is an element of type [Float16], as bits: binary16 of IEEE 754, with a sign, 5 bits of
// exponent and 10 of fraction. Its greatest number is 65504, its least above 0 is 2^-24.
type Half uint16

// BrainOf returns v as a [BFloat16], rounded once: to the nearest, ties to even. A number
// beyond the range is infinite, one below the normal numbers keeps the bits it can, and NaN stays
// NaN: quiet, with its sign and the upper bits of its payload.
func BrainOf(v float64) Brain { return BrainOf32(roundToOdd(v)) }

// BrainOf32 is [BrainOf] for a float32.
func BrainOf32(v float32) Brain {
	b := math.Float32bits(v)
	if v != v {
		return Brain(b>>16 | 0x40)
	}
	return Brain((b + 0x7fff + b>>16&1) >> 16)
}

// Float32 returns the number, which float32 holds exactly; of NaN all bits.
func (b Brain) Float32() float32 { return math.Float32frombits(uint32(b) << 16) }

// HalfOf returns v as a [Float16], rounded as [BrainOf] does.
func HalfOf(v float64) Half { return HalfOf32(roundToOdd(v)) }

// HalfOf32 is [HalfOf] for a float32.
func HalfOf32(v float32) Half {
	const (
		infinite = 0x1p16  // and above: what is below and rounds to it carries into the exponent
		normal   = 0x1p-14 // and above
		bias     = (127 - 15) << 23
	)
	b := math.Float32bits(v)
	sign := Half(b >> 16 & 0x8000)
	b &= 1<<31 - 1
	switch {
	case b > 0xff<<23:
		return sign | 0x7e00 | Half(b>>13&0x3ff)
	case b >= math.Float32bits(infinite):
		return sign | 0x7c00
	case b >= math.Float32bits(normal):
		return sign | Half((b-bias+0xfff+b>>13&1)>>13)
	}
	return sign | subnormalHalf(b)
}

// subnormalHalf rounds a positive float32 below 2^-14, given as bits, to a multiple of 2^-24.
func subnormalHalf(b uint32) Half {
	exponent := b >> 23
	if exponent < 102 { // below half of the least
		return 0
	}
	shift := 126 - exponent // of what stands for multiples of 2^(exponent-150)
	fraction := b&(1<<23-1) | 1<<23
	return Half((fraction + 1<<(shift-1) - 1 + fraction>>shift&1) >> shift)
}

// Float32 returns the number, which float32 holds exactly; of NaN the sign and the payload.
func (h Half) Float32() float32 {
	sign, exponent, fraction := uint32(h>>15)<<31, uint32(h>>10)&0x1f, uint32(h)&0x3ff
	switch {
	case exponent == 0x1f: // infinite, or no number
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	case exponent > 0:
		return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
	}
	// Below the normal numbers: fraction * 2^-24, which is a normal float32.
	return math.Float32frombits(sign | math.Float32bits(float32(fraction)*0x1p-24))
}

// roundToOdd returns v as a float32 whose last bit is set where bits of v were cut off. Rounding
// that to the nearest of a format that has two bits less at least is to round v itself: it lies on
// the same side of every midpoint.
//
// S. Boldo, G. Melquiond, Emulation of FMA and correctly rounded sums: proved algorithms using
// rounding to odd, IEEE Transactions on Computers 57, 2008.
func roundToOdd(v float64) float32 {
	f := float32(v)
	if w := float64(f); w == v || v != v {
		return f
	}
	b := math.Float32bits(f)
	if math.Abs(float64(f)) > math.Abs(v) {
		b-- // towards zero, from infinity too
	}
	return math.Float32frombits(b | 1)
}
