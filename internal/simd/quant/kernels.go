package quant

import (
	"fmt"
	"math"

	"github.com/plexaura/plexaura/internal/simd/abi"
	"github.com/plexaura/plexaura/internal/simd/isa"
)

// tileFunc multiplies tiles > 0 groups of windows by vectors of filters. Window i of all begins
// pixels[i] bytes from x on. In each window are runs > 0 runs of steps > 0 times four bytes, of
// which run j begins at[j] bytes from the window on; w has the filters in that order. channels has
// the sums' first values, as int32, and then the scales, shifts what is added to scaled sums. tail
// points to an abi.QuantTail. Results of a window are ys bytes apart, addends as.
type tileFunc func(tiles int, x *uint8, pixels *int, runs int, at *int, steps int, w *int8, channels, shifts, tail *float32, y *uint8, ys int, addend *uint8, as int)

// slideFunc goes over pixels > 0 windows side by side, xs bytes apart in x and ys in y, for a vector
// of channels. w has a vector of int32 for each of taps > 0 taps, which are at[i] bytes from the
// window on.
type slideFunc func(pixels int, x *uint8, xs int, taps int, at *int, w *int8, channels, shifts, tail *float32, y *uint8, ys int)

// columnFunc has the products of 3×3 filters of a channel each, for 64 channels of which the first last are
// stored, as bytes. Windows are xs bytes apart in x and ys in y, the columns of a window pixel bytes, and
// its rows begin rows bytes from it on. w and channels are those of columnOf.
type columnFunc func(pixels int, x *uint8, rows *int, pixel, xs int, w *int8, channels, shifts, tail *float32, y *uint8, ys, last int)

// maxFunc sets y to the largest bytes of each window: a vector of them.
type maxFunc func(pixels int, x *uint8, xs int, taps int, at *int, y *uint8, ys int)

// Kernels are the kernels of one level.
type Kernels struct {
	lanes      int  // int32 of a vector
	vecs, rows int  // of the largest tile
	wide       bool // filters are packed as 16-bit integers, even bytes before odd ones
	vector     bool // instructions rather than plain Go

	tiles     [][]tileFunc // by vectors and rows, from 1
	depthwise slideFunc
	columns   columnFunc // of windows a pixel apart; nil where there is none
	apart     columnFunc // of others
	max       maxFunc
	bytes     func(vectors int, x, scale *float32, y *uint8)
}

// At returns the kernels for a level, nil where there are none.
func At(l isa.Level) *Kernels {
	k, ok := tables[l]
	if !ok {
		return nil
	}
	return &k
}

// Vector reports whether bytes go through vector instructions.
func (k *Kernels) Vector() bool { return k.vector }

// Scale maps float32 to bytes: a byte stands for Scale*(byte-Zero).
type Scale struct {
	Scale float32
	Zero  uint8
}

// Tail is what becomes of a sum that is scaled and shifted: an addend times Factor is added, and the
// result is clamped, and if Bytes is set rounded to the nearest byte, ties to even; NaN is 0 then.
type Tail struct {
	Adds   Addend
	Factor float32
	Lo, Hi float32
	Bytes  bool
}

// Addend says what is added to the results of a convolution: nothing if it is 0.
type Addend uint8

// The addends.
const (
	addNothing Addend = iota
	AddFloats
	AddBytes
)

// size is the bytes of an element.
func (a Addend) size() int { return [...]int{0, 4, 1}[a] }

// size is the bytes of a result.
func (t *Tail) size() int {
	if t.Bytes {
		return 1
	}
	return 4
}

// tail is t for kernels.
func (t *Tail) tail() abi.QuantTail {
	a := abi.QuantTail{Lo: t.Lo, Hi: t.Hi, Addend: t.Factor}
	a.Flags = [...]uint32{0, abi.FlagAddFloat, abi.FlagAddBytes}[t.Adds]
	if t.Bytes {
		a.Flags |= abi.FlagBytes
	}
	return a
}

// Bytes makes bytes of float32, planned for a level. It is immutable and safe for concurrent use.
type Bytes struct {
	k     *Kernels
	scale abi.QuantScale
}

// NewBytes plans bytes of s for k.
func NewBytes(k *Kernels, s Scale) *Bytes {
	return &Bytes{k: k, scale: abi.QuantScale{Inverse: 1 / s.Scale, Zero: int32(s.Zero), Least: -float32(s.Zero), Most: float32(math.MaxUint8 - s.Zero)}}
}

// Run sets y to the bytes of x: x/Scale, by way of the reciprocal, rounded to the nearest, ties to
// even, plus Zero. Beyond the range it is the nearest end; NaN is 0.
func (b *Bytes) Run(y []uint8, x []float32) {
	need("bytes", len(y), len(x))
	lanes := b.k.lanes
	for whole := len(x) / lanes; whole > 0; whole = len(x) / lanes {
		n := min(whole, isa.CallLen/lanes)
		b.k.bytes(n, &x[0], &b.scale.Inverse, &y[0])
		x, y = x[n*lanes:], y[n*lanes:]
	}
	for i, v := range x {
		y[i] = byteOf(v, &b.scale)
	}
}

func need(what string, have, want int) {
	if have < want {
		panic(fmt.Sprintf("quant: %d elements of %s, want %d", have, what, want))
	}
}
