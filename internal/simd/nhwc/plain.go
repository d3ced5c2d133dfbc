package nhwc

import (
	"unsafe"

	"github.com/plexaura/plexaura/internal/simd/abi"
	"github.com/plexaura/plexaura/internal/simd/isa"
)

// goWidth is the channels of what plain Go calls a vector.
const goWidth = 16

var plain = Kernels{width: goWidth, copy: copyGo, depthwise: depthwiseGo, sum: sumGo, max: maxGo}

// eachGo calls f for each pixel and channel with the taps of its window.
func eachGo(pixels, vectors, last, taps int, at *int, x *float32, xs int, y *float32, ys int, f func(ch int, x, y *float32, taps []abi.Tap)) {
	table := unsafe.Slice((*abi.Tap)(unsafe.Pointer(at)), taps)
	for p := range pixels {
		for ch := range (vectors-1)*goWidth + last {
			f(ch, isa.Add(x, p*xs+4*ch), isa.Add(y, p*ys+4*ch), table)
		}
	}
}

func depthwiseGo(pixels, vectors, last, taps int, at *int, x *float32, xs int, w, y *float32, ys int, bias *float32, _ float32, flags int) uint32 {
	eachGo(pixels, vectors, last, taps, at, x, xs, y, ys, func(ch int, x, y *float32, taps []abi.Tap) {
		sum := float32(0)
		for _, t := range taps {
			sum += isa.Flush32(*isa.Add(x, t.X)) * isa.Flush32(*isa.Add(w, t.W+4*ch))
		}
		isa.Finish(unsafe.Slice(y, 1), []float32{sum}, bias, ch, 0, flags)
	})
	return 0
}

func sumGo(pixels, vectors, last, taps int, at *int, x *float32, xs int, _, y *float32, ys int, _ *float32, count float32, _ int) uint32 {
	eachGo(pixels, vectors, last, taps, at, x, xs, y, ys, func(_ int, x, y *float32, taps []abi.Tap) {
		sum := float32(0)
		for _, t := range taps {
			sum += isa.Flush32(*isa.Add(x, t.X))
		}
		*y = isa.Flush32(isa.Flush32(sum) / count)
	})
	return 0
}

func maxGo(pixels, vectors, last, taps int, at *int, x *float32, xs int, _, y *float32, ys int, _ *float32, _ float32, _ int) uint32 {
	eachGo(pixels, vectors, last, taps, at, x, xs, y, ys, func(_ int, x, y *float32, taps []abi.Tap) {
		best := *isa.Add(x, taps[0].X)
		for _, t := range taps[1:] {
			if v := *isa.Add(x, t.X); v > best || v != v && best == best {
				best = v
			}
		}
		*y = best
	})
	return 0
}

func copyGo(n, whole, last int, src *float32, ss int, dst *float32, ds int) {
	for i := range n {
		copy(unsafe.Slice(isa.Add(dst, i*ds), whole*goWidth+last), unsafe.Slice(isa.Add(src, i*ss), whole*goWidth+last))
	}
}
