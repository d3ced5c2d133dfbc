package simd

import "unsafe"

// The plain-Go twins do one pixel of one filter, or one tap of one filter, at a time.
var lanesGo = laneKernels{
	laneWidth:         Lanes,
	laneTile:          [][]laneTileFunc{1: {1: laneTileGo}},
	laneGrad:          [][]laneGradFunc{1: {1: laneGradGo}},
	laneTotal:         laneTotalGo,
	laneMax:           laneMaxGo,
	laneMaxSquare:     laneMaxGo,
	laneScatter:       laneScatterGo,
	laneScatterSquare: laneScatterGo,
	laneMean:          laneMeanGo,
	laneMeanGrad:      laneMeanGradGo,
	lineWinoIn:        lineWinoInGo,
	lineWinoDy:        lineWinoDyGo,
	lineWinoOut:       lineWinoOutGo,
}

// pixelAt is the pixel that begins so many bytes from p on.
func pixelAt(p *float32, bytes int) *[Lanes]float32 {
	return (*[Lanes]float32)(unsafe.Pointer(add(p, bytes)))
}

func laneTileGo(n, channels int, steps *int, x, w, y, bias *float32, flags int) uint32 {
	s := (*laneSteps)(unsafe.Pointer(steps))
	for i := range n {
		var sum [Lanes]float32
		at, tap := i*s.pixelX, 0
		for range channels {
			for range s.rows {
				for range s.cols {
					f := flush(*add(w, tap))
					for j, v := range pixelAt(x, at) {
						sum[j] += f * flush(v)
					}
					at, tap = at+s.colX, tap+s.colW
				}
				at, tap = at+s.rowX, tap+s.rowW
			}
			at, tap = at+s.channelX, tap+s.channelW
		}
		finish(pixelAt(y, i*s.pixelY)[:], sum[:], bias, 0, 0, flags)
	}
	return 0
}

func laneGradGo(rows, cols int, steps *int, dy, x *float32, taps *int, sums *float32) uint32 {
	s := (*laneGradSteps)(unsafe.Pointer(steps))
	table := unsafe.Slice(taps, 2)
	var sum [Lanes]float32
	to, from := 0, table[0]
	for range rows {
		for range cols {
			v := pixelAt(x, from)
			for j, d := range pixelAt(dy, to) {
				sum[j] += flush(d) * flush(v[j])
			}
			to, from = to+lanePixel, from+s.colX
		}
		to, from = to+s.rowDy, from+s.rowX
	}
	total := pixelAt(sums, table[1])
	for j, v := range sum {
		total[j] = flush(total[j] + v)
	}
	return 0
}

func laneTotalGo(n, parts, stride int, sums *float32) uint32 {
	for i := range n {
		var sum [Lanes]float32
		for part := range parts {
			for j, v := range pixelAt(sums, i*lanePixel+part*stride) {
				sum[j] += v
			}
		}
		for half := Lanes / 2; half > 0; half /= 2 {
			for j := range half {
				sum[j] += sum[j+half]
			}
		}
		*add(sums, 4*i) = flush(sum[0])
	}
	return 0
}

func laneMaxGo(n, rows, cols int, steps *int, x, y *float32) {
	s := (*laneWindow)(unsafe.Pointer(steps))
	for i := range n {
		for lane := range Lanes {
			at := s.best(rows, cols, add(x, i*s.next+4*lane))
			*add(y, i*lanePixel+4*lane) = *add(x, i*s.next+4*lane+at)
		}
	}
}

// best is where the largest element of a window is, in bytes.
func (s *laneWindow) best(rows, cols int, x *float32) (best int) {
	at := 0
	for range rows {
		for range cols {
			if v, b := *add(x, at), *add(x, best); !(v <= b) && b == b {
				best = at
			}
			at += s.col
		}
		at += s.row
	}
	return best
}

func laneScatterGo(n, rows, cols int, steps *int, x, dy, dx *float32, flags int) {
	s := (*laneWindow)(unsafe.Pointer(steps))
	for i := range n {
		for lane := range Lanes {
			first := i*s.next + 4*lane
			best := s.best(rows, cols, add(x, first))
			d := *add(dy, i*lanePixel+4*lane)
			if flags&laneReLU != 0 && *add(x, first+best) <= 0 {
				d = 0
			}
			at := 0
			for range rows {
				for range cols {
					to, v := add(dx, first+at), float32(0)
					if at == best {
						v = d
					}
					if flags&laneApart == 0 {
						v += *to
					}
					*to = v
					at += s.col
				}
				at += s.row
			}
		}
	}
}

func laneMeanGo(n, rows, cols int, steps *int, x, y *float32, count float32) uint32 {
	s := (*laneWindow)(unsafe.Pointer(steps))
	for i := range n {
		var sum [Lanes]float32
		at := i * s.next
		for range rows {
			for range cols {
				for j, v := range pixelAt(x, at) {
					sum[j] += flush(v)
				}
				at += s.col
			}
			at += s.row
		}
		to := pixelAt(y, i*lanePixel)
		for j, v := range sum {
			to[j] = flush(v / count)
		}
	}
	return 0
}

func laneMeanGradGo(n, rows, cols int, steps *int, dx, dy *float32, count float32) uint32 {
	s := (*laneWindow)(unsafe.Pointer(steps))
	for i := range n {
		at := i * s.next
		for range rows {
			for range cols {
				to := pixelAt(dx, at)
				for j, v := range pixelAt(dy, i*lanePixel) {
					to[j] = flush(flush(to[j]) + flush(flush(v)/count))
				}
				at += s.col
			}
			at += s.row
		}
	}
	return 0
}
