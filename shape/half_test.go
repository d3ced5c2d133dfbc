package shape_test

import (
	"math"
	"slices"
	"sort"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/shape"
)

// format is one of 16 bits, by its definition: nothing here is shared with the code.
type format struct {
	name               string
	exponent, fraction int
	narrow             func(float64) uint16
	narrow32           func(float32) uint16
	widen              func(uint16) float32
}

var formats = []format{
	{"bfloat16", 8, 7,
		func(v float64) uint16 { return uint16(shape.BrainOf(v)) }, func(v float32) uint16 { return uint16(shape.BrainOf32(v)) },
		func(b uint16) float32 { return shape.Brain(b).Float32() }},
	{"float16", 5, 10,
		func(v float64) uint16 { return uint16(shape.HalfOf(v)) }, func(v float32) uint16 { return uint16(shape.HalfOf32(v)) },
		func(b uint16) float32 { return shape.Half(b).Float32() }},
}

// value is the number that bits stand for.
func (f format) value(bits uint16) float64 {
	sign := 1 - 2*float64(bits>>15)
	fraction := float64(bits & (1<<f.fraction - 1))
	exponent := int(bits >> f.fraction & (1<<f.exponent - 1))
	bias := 1<<(f.exponent-1) - 1
	switch {
	case exponent == 0:
		return math.Copysign(math.Ldexp(fraction, 1-bias-f.fraction), sign)
	case exponent < 1<<f.exponent-1:
		return sign * math.Ldexp(1+fraction/float64(int(1)<<f.fraction), exponent-bias)
	case fraction == 0:
		return sign * math.Inf(1)
	}
	return math.NaN()
}

// infinity is the bits of it; those of smaller positive numbers are in their order.
func (f format) infinity() uint16 { return (1<<f.exponent - 1) << f.fraction }

// nearest rounds v by comparing it with the two numbers next to it, of which the even one has it
// where it is in the middle. Infinity stands where the next power of two would.
func (f format) nearest(v float64) uint16 {
	sign, size := uint16(0), math.Abs(v)
	if math.Signbit(v) {
		sign = 1 << 15
	}
	infinity := f.infinity()
	beyond := math.Ldexp(1, 1<<(f.exponent-1))
	of := func(bits uint16) float64 {
		if bits == infinity {
			return beyond
		}
		return f.value(bits)
	}
	if size >= beyond {
		return sign | infinity
	}
	above := uint16(sort.Search(int(infinity), func(i int) bool { return of(uint16(i)) >= size }))
	if of(above) == size {
		return sign | above
	}
	middle := of(above-1)/2 + of(above)/2
	switch {
	case size < middle, size == middle && above%2 == 1:
		above--
	}
	return sign | above
}

func TestEveryNumberOfSixteenBitsIsWidenedByItsDefinition(t *testing.T) {
	for _, f := range formats {
		for i := range 1 << 16 {
			bits := uint16(i)
			want, got := f.value(bits), f.widen(bits)
			if math.IsNaN(want) {
				require.True(t, got != got, "%s %#x", f.name, bits)
				require.Equal(t, bits>>15, uint16(math.Float32bits(got)>>31), "%s %#x: the sign", f.name, bits)
				require.Equal(t, bits|1<<(f.fraction-1), f.narrow32(got), "%s %#x: the payload, quiet", f.name, bits)
				require.Equal(t, f.narrow32(got), f.narrow(float64(got)), "%s %#x", f.name, bits)
				continue
			}
			require.Equal(t, math.Float64bits(want), math.Float64bits(float64(got)), "%s %#x", f.name, bits)
			require.Equal(t, bits, f.narrow32(got), "%s %#x", f.name, bits)
			require.Equal(t, bits, f.narrow(want), "%s %#x", f.name, bits)
		}
	}
}

// All numbers, those halfway between two, those next to these, and numbers that become halfway if
// they are rounded to float32 first.
func TestNumbersAreRoundedOnce(t *testing.T) {
	for _, f := range formats {
		for bits := range f.infinity() {
			a, b := f.value(bits), f.value(bits+1)
			if math.IsInf(b, 0) {
				b = math.Ldexp(1, 1<<(f.exponent-1))
			}
			middle := a/2 + b/2
			for _, v := range []float64{a, b, middle} {
				for _, v := range []float64{v, math.Nextafter(v, 0), math.Nextafter(v, math.Inf(1)), v + (b-a)*0x1p-30, v - (b-a)*0x1p-30} {
					if want, got := f.nearest(v), f.narrow(v); want != got {
						require.Equal(t, want, got, "%s of %x", f.name, v)
					}
					if want, got := f.nearest(-v), f.narrow(-v); want != got {
						require.Equal(t, want, got, "%s of %x", f.name, -v)
					}
				}
				for _, v := range []float32{float32(v), math.Nextafter32(float32(v), 0), math.Nextafter32(float32(v), math.MaxFloat32)} {
					if want, got := f.nearest(float64(v)), f.narrow32(v); want != got {
						require.Equal(t, want, got, "%s of float32 %x", f.name, v)
					}
				}
			}
		}
		for _, v := range []float64{math.Inf(1), math.MaxFloat64, math.MaxFloat32, 65504, 65519.999, 65520, 65536, 0x1p-1074, 0x1p-150, 0x1p-149, 0x1p-134, 0x1p-25, 0x1.000001p-25} {
			require.Equal(t, f.nearest(v), f.narrow(v), "%s of %x", f.name, v)
			require.Equal(t, f.nearest(-v), f.narrow(-v), "%s of %x", f.name, -v)
		}
	}
}

// The sign, what the narrow format has room for of the payload, and the bit that says that it is
// quiet.
func TestNaNStaysNaN(t *testing.T) {
	for _, bits := range []uint32{0x7f800001, 0xff800001, 0x7fc00000, 0x7fa55aa5, 0xffffffff, 0x7f80ffff} {
		v := math.Float32frombits(bits)
		require.Equal(t, shape.Brain(bits>>16|0x40), shape.BrainOf32(v), "%#x", bits)
		require.Equal(t, shape.Half(bits>>16&0x8000|0x7e00|bits>>13&0x3ff), shape.HalfOf32(v), "%#x", bits)
	}
}

func TestTheTableOfElementTypes(t *testing.T) {
	all := shape.DTypes()
	require.Len(t, all, int(shape.Int8), "Invalid is none")
	for _, d := range all {
		got, ok := shape.ParseDType(d.String())
		require.True(t, ok)
		require.Equal(t, d, got)
		require.Contains(t, []int{1, 2, 4, 8}, d.Width())
		stored := slices.Contains([]shape.DType{shape.BFloat16, shape.Float16, shape.Int8}, d)
		require.Equal(t, stored, d.IsStorage(), d)
		require.Equal(t, !stored && d != shape.Bool, d.HasArithmetic(), d)
		require.Equal(t, d.HasArithmetic(), d.IsFloat() || d.IsInt(), d)
		require.Equal(t, d.Holds(.5), d.HasGradient(), d)
	}
	require.Equal(t, "bfloat16(2) float16(2) int8(2)", shape.BF16(2).String()+" "+shape.F16(2).String()+" "+shape.I8(2).String())
	require.False(t, shape.Invalid.IsStorage() || shape.Invalid.HasArithmetic() || shape.Invalid.HasGradient() || shape.DType(99).IsStorage())
	require.True(t, shape.Int8.Holds(-128) && shape.Int8.Holds(127) && !shape.Int8.Holds(128) && !shape.Int8.Holds(.5))
	require.Equal(t, []shape.DType{shape.BFloat16, shape.Float16, shape.Int8},
		[]shape.DType{shape.DTypeOf[shape.Brain](), shape.DTypeOf[shape.Half](), shape.DTypeOf[int8]()})
}
