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
}

// NewDepthwise plans op for k.
func NewDepthwise(k *Kernels, op Op) *Depthwise {
	op.Window = op.WithDefaults()
	d := &Depthwise{Op: op, k: k, tail: op.Tail.tail()}
	image := op.Window
	image.C = op.Groups
	slack := isa.RoundUp(op.Groups, k.lanes) - op.Groups
	d.frame = frameOf(image, op.N, 1, op.Groups, slack, op.Zero, false)
	for ky := range op.KH {
		for kx := range op.KW {
			d.taps = append(d.taps, (ky*op.DH*d.fw+kx*op.DW)*op.Groups)
		}
	}
	return d
}

func (d *Depthwise) vectors() int { return isa.Ceil(d.Groups, d.k.lanes) }

// vectorBytes is the bytes of a packed vector of channels: the sums' first values, the scales, and a
// vector for each tap.
func (d *Depthwise) vectorBytes() int { return 4 * d.k.lanes * (2 + len(d.taps)) }

// PackedLen is the bytes of packed filters.
func (d *Depthwise) PackedLen() int { return d.vectors() * d.vectorBytes() }

// Packs is the number of tasks of Pack.
func (d *Depthwise) Packs() int { return d.vectors() }

// Form names the form that Pack makes; see [Conv.Form].
func (d *Depthwise) Form() Form {
	return Form{groups: d.Groups, kh: d.KH, kw: d.KW, k: d.k.lanes, zero: d.Zero, factor: d.Factor}
}

// Pack does tasks lo to hi of packing filters (Groups,1,KH,KW); see [Conv.Pack].
func (d *Depthwise) Pack(packed []uint8, w []int8, scales []float32, lo, hi int) {
	need("packed filters", len(packed), d.PackedLen())
	need("filters", len(w), d.Groups*len(d.taps))
	lanes := d.k.lanes
	for v := lo; v < hi; v++ {
		mem := packed[v*d.vectorBytes():][:d.vectorBytes()]
		clear(mem)
		first, scale, taps := words[int32](mem, lanes), words[float32](mem[4*lanes:], lanes), words[int32](mem[8*lanes:], lanes*len(d.taps))
		for lane := range min(lanes, d.Groups-v*lanes) {
			channel, sum := v*lanes+lane, int32(0)
			for t := range d.taps {
				n := w[channel*len(d.taps)+t]
				sum += int32(n)
				taps[t*lanes+lane] = d.k.tap(n)
			}
			first[lane], scale[lane] = -int32(d.Zero)*sum, d.Factor*scales[channel]
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
func (d *Depthwise) ScratchLen() int { return 4 * d.k.lanes * d.OW }

// Run does tasks lo to hi; see [Conv.Run].
func (d *Depthwise) Run(y, x, packed []uint8, shifts []float32, scratch []uint8, lo, hi int) {
	need("results", len(y), d.Results()*d.Tail.size())
	need("images", len(x), max(d.FrameLen(), d.N*d.fh*d.fw*d.Groups))
	need("packed filters", len(packed), d.PackedLen())
	need("scratch", len(scratch), d.ScratchLen())
	need("shifts", len(shifts), ShiftLen(d.Groups))
	for i := lo; i < hi; i++ {
		row := x[d.at(i/d.OH, i%d.OH*d.SH, 0):]
		for v := range d.vectors() {
			d.slide(y, row, packed[v*d.vectorBytes():], shifts, scratch, i, v)
		}
	}
}

// slide makes row i of vector v of the channels.
func (d *Depthwise) slide(y, row, packed []uint8, shifts []float32, scratch []uint8, i, v int) {
	lanes, size := d.k.lanes, d.Tail.size()
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
