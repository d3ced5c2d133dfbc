package quant

import (
	"unsafe"

	"github.com/plexaura/plexaura/internal/simd/abi"
	"github.com/plexaura/plexaura/internal/simd/isa"
)

// Depthwise is a convolution with one filter for each of Groups channels, planned for a level; C and
// M are 1, and nothing is added. It is immutable and safe for concurrent use. Tasks are rows of
// results.
type Depthwise struct {
	Op
	frame
	k    *Kernels
	taps []int
	tail abi.QuantTail

	rows [3]int // where the rows of 3×3 windows begin
	wide bool   // 64 channels at once
	unit int    // channels at once
}

// NewDepthwise plans op for k.
func NewDepthwise(k *Kernels, op Op) *Depthwise {
	op.Window = op.WithDefaults()
	d := &Depthwise{Op: op, k: k, tail: op.Tail.tail()}
	image := op.Window
	image.C = op.Groups
	d.wide = k.columns != nil && op.KH == 3 && op.KW == 3 && op.Tail.Bytes
	if d.unit = k.lanes; d.wide {
		d.unit = wideChannels
	}
	slack := isa.RoundUp(op.Groups, d.unit) - op.Groups
	d.frame = frameOf(image, op.N, 1, op.Groups, slack, op.Zero, false)
	for ky := range op.KH {
		for kx := range op.KW {
			d.taps = append(d.taps, (ky*op.DH*d.fw+kx*op.DW)*op.Groups)
		}
	}
	for ky := range d.rows {
		d.rows[ky] = ky * op.DH * d.fw * op.Groups
	}
	return d
}

// wideChannels is how many channels columns of bytes have.
const wideChannels = 64

func (d *Depthwise) units() int { return isa.Ceil(d.Groups, d.unit) }

// unitBytes is the bytes of a packed unit of channels: the sums' first values, the scales, and for each
// tap an int32, or for each column four bytes, the last of which is 0.
func (d *Depthwise) unitBytes() int {
	if d.wide {
		return 4 * d.unit * (2 + d.KW)
	}
	return 4 * d.unit * (2 + len(d.taps))
}

// PackedLen is the bytes of packed filters.
func (d *Depthwise) PackedLen() int { return d.units() * d.unitBytes() }

// Packs is the number of tasks of Pack.
func (d *Depthwise) Packs() int { return d.units() }

// Form names the form that Pack makes; see [Conv.Form].
func (d *Depthwise) Form() Form {
	return Form{groups: d.Groups, kh: d.KH, kw: d.KW, k: d.unit, zero: d.Zero, factor: d.Factor}
}

// Pack does tasks lo to hi of packing filters (Groups,1,KH,KW); see [Conv.Pack].
func (d *Depthwise) Pack(packed []uint8, w []int8, scales []float32, lo, hi int) {
	need("packed filters", len(packed), d.PackedLen())
	need("filters", len(w), d.Groups*len(d.taps))
	for v := lo; v < hi; v++ {
		mem := packed[v*d.unitBytes():][:d.unitBytes()]
		clear(mem)
		first, scale, taps := words[int32](mem, d.unit), words[float32](mem[4*d.unit:], d.unit), mem[8*d.unit:]
		for lane := range min(d.unit, d.Groups-v*d.unit) {
			channel, sum, at := v*d.unit+lane, int32(0), lane
			if d.wide {
				at = lane/4%4*16 + lane/16*4 + lane%4
			}
			for t := range d.taps {
				n := w[channel*len(d.taps)+t]
				sum += int32(n)
				if d.wide {
					taps[4*(t%d.KW*d.unit+at)+t/d.KW] = uint8(n)
				} else {
					words[int32](taps, d.unit*len(d.taps))[t*d.unit+at] = d.k.tap(n)
				}
			}
			first[at], scale[at] = -int32(d.Zero)*sum, d.Factor*scales[channel]
		}
	}
}

// tap is a number of a filter as kernels multiply by it: instructions take two of 16 bits, of which
// the second is 0.
func (k *Kernels) tap(n int8) int32 {
	if !k.vector {
		return int32(n)
	}
	return int32(uint16(int16(n)))
}

// Tasks is the number of tasks of Run.
func (d *Depthwise) Tasks() int { return d.N * d.OH }

// Work is how often Run multiplies.
func (d *Depthwise) Work() int { return d.Results() * len(d.taps) }

// ScratchLen is the bytes of scratch memory that a worker needs: the results of a vector that
// is not full.
func (d *Depthwise) ScratchLen() int {
	if d.wide {
		return 0
	}
	return 4 * d.unit * d.OW
}

// Run does tasks lo to hi; see [Conv.Run].
func (d *Depthwise) Run(y, x, packed []uint8, shifts []float32, scratch []uint8, lo, hi int) {
	need("results", len(y), d.Results()*d.Tail.size())
	need("images", len(x), max(d.FrameLen(), d.N*d.fh*d.fw*d.Groups))
	need("packed filters", len(packed), d.PackedLen())
	need("scratch", len(scratch), d.ScratchLen())
	need("shifts", len(shifts), ShiftLen(d.Groups))
	for i := lo; i < hi; i++ {
		row := x[d.at(i/d.OH, i%d.OH*d.SH, 0):]
		for v := range d.units() {
			if of := packed[v*d.unitBytes():]; d.wide {
				d.columns(y, row, of, shifts, i, v)
			} else {
				d.slide(y, row, of, shifts, scratch, i, v)
			}
		}
	}
}

// columns makes row i of 64 channels.
func (d *Depthwise) columns(y, row, packed []uint8, shifts []float32, i, v int) {
	kernel := d.k.apart
	if d.SW == 1 && d.DW == 1 {
		kernel = d.k.columns
	}
	first, channels := v*d.unit, words[float32](packed, 2*d.unit)
	kernel(d.OW, &row[first], &d.rows[0], d.DW*d.Groups, d.SW*d.Groups, (*int8)(unsafe.Pointer(&packed[8*d.unit])),
		&channels[0], &shifts[first], &d.tail.Lo, &y[i*d.OW*d.Groups+first], d.Groups, min(d.unit, d.Groups-first))
}

// slide makes row i of vector v of the channels.
func (d *Depthwise) slide(y, row, packed []uint8, shifts []float32, scratch []uint8, i, v int) {
	lanes, size := d.unit, d.Tail.size()
	n := min(lanes, d.Groups-v*lanes)
	to, ys := y[size*(i*d.OW*d.Groups+v*lanes):], size*d.Groups
	if n < lanes {
		to, ys = scratch, size*lanes
	}
	channels := words[float32](packed, 2*lanes)
	d.k.depthwise(d.OW, &row[v*lanes], d.SW*d.Groups, len(d.taps), &d.taps[0], (*int8)(unsafe.Pointer(&packed[8*lanes])),
		&channels[0], &shifts[v*lanes], &d.tail.Lo, &to[0], ys)
	if n < lanes {
		for p := range d.OW {
			copy(y[size*((i*d.OW+p)*d.Groups+v*lanes):], scratch[p*ys:][:size*n])
		}
	}
}
