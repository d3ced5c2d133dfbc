package quant

import (
	"math"
	"unsafe"

	"github.com/plexaura/plexaura/internal/simd/abi"
)

// plain are the kernels in plain Go.
var plain = Kernels{lanes: 8, vecs: 1, rows: 1, tiles: [][]tileFunc{nil, {nil, plainTile}}, depthwise: plainSlide, max: plainMax, bytes: plainBytes}

const plainLanes = 8

// at is element i of what p points to.
func at[T any](p *T, i int) *T { return (*T)(unsafe.Add(unsafe.Pointer(p), i*int(unsafe.Sizeof(*p)))) }

// as is p plus an offset in bytes as a pointer to another type.
func as[T, P any](p *P, bytes int) *T { return (*T)(unsafe.Add(unsafe.Pointer(p), bytes)) }

func plainTile(tiles int, x *uint8, pixels *int, runs int, places *int, steps int, w *int8, channels, shifts, tail *float32, y *uint8, ys int, addend *uint8, adds int) {
	t := as[abi.QuantTail](tail, 0)
	for p := range tiles {
		for lane := range plainLanes {
			sum := *as[int32](channels, 4*lane)
			for r := range runs {
				from, of := at(x, *at(pixels, p)+*at(places, r)), at(w, 4*(r*steps*plainLanes+lane))
				for k := range 4 * steps {
					sum += int32(*at(from, k)) * int32(*at(of, k/4*4*plainLanes+k%4))
				}
			}
			v := float32(float32(sum)**at(channels, plainLanes+lane)) + *at(shifts, lane)
			switch {
			case t.Flags&abi.FlagAddFloat != 0:
				v += float32(*as[float32](addend, p*adds+4*lane) * t.Addend)
			case t.Flags&abi.FlagAddBytes != 0:
				v += float32(float32(*at(addend, p*adds+lane)) * t.Addend)
			}
			store(v, t, at(y, p*ys), lane)
		}
	}
}

func plainSlide(pixels int, x *uint8, xs int, taps int, places *int, w *int8, channels, shifts, tail *float32, y *uint8, ys int) {
	for p := range pixels {
		for lane := range plainLanes {
			sum := *as[int32](channels, 4*lane)
			for k := range taps {
				sum += int32(*at(x, p*xs+*at(places, k)+lane)) * *as[int32](w, 4*(k*plainLanes+lane))
			}
			v := float32(float32(sum)**at(channels, plainLanes+lane)) + *at(shifts, lane)
			store(v, as[abi.QuantTail](tail, 0), at(y, p*ys), lane)
		}
	}
}

// store clamps v and stores it as a float32 or a byte.
func store(v float32, t *abi.QuantTail, y *uint8, lane int) {
	if v < t.Lo {
		v = t.Lo
	}
	if v > t.Hi {
		v = t.Hi
	}
	switch {
	case t.Flags&abi.FlagBytes == 0:
		*as[float32](y, 4*lane) = v
	case v != v:
		*at(y, lane) = 0
	default:
		*at(y, lane) = uint8(math.RoundToEven(float64(v)))
	}
}

func byteOf(v float32, t *abi.QuantScale) uint8 {
	v *= t.Inverse
	if !(v > t.Least) {
		v = t.Least
	}
	if v > t.Most {
		v = t.Most
	}
	return uint8(int32(math.RoundToEven(float64(v))) + t.Zero)
}

func plainBytes(vectors int, x, scale *float32, y *uint8) {
	for i := range vectors * plainLanes {
		*at(y, i) = byteOf(*at(x, i), as[abi.QuantScale](scale, 0))
	}
}

func plainMax(pixels int, x *uint8, xs int, taps int, places *int, y *uint8, ys int) {
	for p := range pixels {
		for lane := range 4 * plainLanes {
			most := uint8(0)
			for k := range taps {
				most = max(most, *at(x, p*xs+*at(places, k)+lane))
			}
			*at(y, p*ys+lane) = most
		}
	}
}
