package interleaved

import (
	"unsafe"

	"github.com/plexaura/plexaura/internal/simd/abi"
	"github.com/plexaura/plexaura/internal/simd/isa"
)

// The plain-Go twins do one pixel of one filter, or one tap of one filter, at a time.
var plain = Kernels{
	width:         Images,
	tile:          [][]tileFunc{1: {1: tileGo}},
	grad:          [][]gradFunc{1: {1: gradGo}},
	total:         totalGo,
	max:           maxGo,
	maxSquare:     maxGo,
	scatter:       scatterGo,
	scatterSquare: scatterGo,
	mean:          meanGo,
	meanGrad:      meanGradGo,
	winogradIn:    winogradInGo,
	winogradDy:    winogradDyGo,
	winogradOut:   winogradOutGo,
}

// pixelAt is the pixel that begins so many bytes from p on.
func pixelAt(p *float32, bytes int) *[Images]float32 {
	return (*[Images]float32)(unsafe.Pointer(isa.Add(p, bytes)))
}

func tileGo(n, channels int, steps *int, x, w, y, bias *float32, flags int) uint32 {
	s := (*abi.TileSteps)(unsafe.Pointer(steps))
	for i := range n {
		var sum [Images]float32
		at, tap := i*s.PixelX, 0
		for range channels {
			for range s.Rows {
				for range s.Cols {
					f := isa.Flush(*isa.Add(w, tap))
					for j, v := range pixelAt(x, at) {
						sum[j] += f * isa.Flush(v)
					}
					at, tap = at+s.ColX, tap+s.ColW
				}
				at, tap = at+s.RowX, tap+s.RowW
			}
			at, tap = at+s.ChannelX, tap+s.ChannelW
		}
		isa.Finish(pixelAt(y, i*s.PixelY)[:], sum[:], bias, 0, 0, flags)
	}
	return 0
}

func gradGo(rows, cols int, steps *int, dy, x *float32, taps *int, sums *float32) uint32 {
	s := (*abi.GradSteps)(unsafe.Pointer(steps))
	tap := (*abi.GradTap)(unsafe.Pointer(taps))
	var sum [Images]float32
	to, from := 0, tap.X
	for range rows {
		for range cols {
			v := pixelAt(x, from)
			for j, d := range pixelAt(dy, to) {
				sum[j] += isa.Flush(d) * isa.Flush(v[j])
			}
			to, from = to+abi.PixelBytes, from+s.ColX
		}
		to, from = to+s.RowDy, from+s.RowX
	}
	total := pixelAt(sums, tap.Sums)
	for j, v := range sum {
		total[j] = isa.Flush(total[j] + v)
	}
	return 0
}

func totalGo(n, parts, stride int, sums *float32) uint32 {
	for i := range n {
		var sum [Images]float32
		for part := range parts {
			for j, v := range pixelAt(sums, i*abi.PixelBytes+part*stride) {
				sum[j] += v
			}
		}
		for half := Images / 2; half > 0; half /= 2 {
			for j := range half {
				sum[j] += sum[j+half]
			}
		}
		*isa.Add(sums, 4*i) = isa.Flush(sum[0])
	}
	return 0
}

func maxGo(n, rows, cols int, steps *int, x, y *float32) {
	s := (*abi.WindowSteps)(unsafe.Pointer(steps))
	for i := range n {
		for lane := range Images {
			at := placeOf(s, rows, cols, isa.Add(x, i*s.Next+4*lane))
			*isa.Add(y, i*abi.PixelBytes+4*lane) = *isa.Add(x, i*s.Next+4*lane+at)
		}
	}
}

// placeOf is where the largest element of a window is, in bytes.
func placeOf(s *abi.WindowSteps, rows, cols int, x *float32) (best int) {
	at := 0
	for range rows {
		for range cols {
			if v, b := *isa.Add(x, at), *isa.Add(x, best); !(v <= b) && b == b {
				best = at
			}
			at += s.Col
		}
		at += s.Row
	}
	return best
}

func scatterGo(n, rows, cols int, steps *int, x, dy, dx *float32, flags int) {
	s := (*abi.WindowSteps)(unsafe.Pointer(steps))
	for i := range n {
		for lane := range Images {
			first := i*s.Next + 4*lane
			best := placeOf(s, rows, cols, isa.Add(x, first))
			d := *isa.Add(dy, i*abi.PixelBytes+4*lane)
			if flags&abi.FlagRectify != 0 && *isa.Add(x, first+best) <= 0 {
				d = 0
			}
			at := 0
			for range rows {
				for range cols {
					to, v := isa.Add(dx, first+at), float32(0)
					if at == best {
						v = d
					}
					if flags&abi.FlagApart == 0 {
						v += *to
					}
					*to = v
					at += s.Col
				}
				at += s.Row
			}
		}
	}
}

func meanGo(n, rows, cols int, steps *int, x, y *float32, count float32) uint32 {
	s := (*abi.WindowSteps)(unsafe.Pointer(steps))
	for i := range n {
		var sum [Images]float32
		at := i * s.Next
		for range rows {
			for range cols {
				for j, v := range pixelAt(x, at) {
					sum[j] += isa.Flush(v)
				}
				at += s.Col
			}
			at += s.Row
		}
		to := pixelAt(y, i*abi.PixelBytes)
		for j, v := range sum {
			to[j] = isa.Flush(v / count)
		}
	}
	return 0
}

func meanGradGo(n, rows, cols int, steps *int, dx, dy *float32, count float32) uint32 {
	s := (*abi.WindowSteps)(unsafe.Pointer(steps))
	for i := range n {
		at := i * s.Next
		for range rows {
			for range cols {
				to := pixelAt(dx, at)
				for j, v := range pixelAt(dy, i*abi.PixelBytes) {
					to[j] = isa.Flush(isa.Flush(to[j]) + isa.Flush(isa.Flush(v)/count))
				}
				at += s.Col
			}
			at += s.Row
		}
	}
	return 0
}
