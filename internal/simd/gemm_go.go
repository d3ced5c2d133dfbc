package simd

import "unsafe"

// goTiles are the plain-Go twins of the micro-kernels: panels of four columns. Both operands come
// packed and without denormals.
func goTiles[T Float]() *tiles[T] {
	byRows := []tileFunc[T]{nil}
	for rows := 1; rows <= 4; rows++ {
		byRows = append(byRows, goTile[T](rows))
	}
	return newTiles(tiles[T]{
		width:     4,
		kernel:    [][]tileFunc[T]{1: byRows},
		transpose: transposeGo[T],
		dots:      dotsGo[T],
		rows1:     rowsGo[T](1),
		rows8:     rowsGo[T](8),
		flush:     true,
	}, cacheSizes())
}

func transposeGo[T Float](cols, rows int, src *T, ss int, dst *T, ds int) uint32 {
	for i := range rows {
		for j, x := range unsafe.Slice(add(src, i*ss), cols) {
			*add(dst, j*ds+i*int(unsafe.Sizeof(x))) = x
		}
	}
	return 0
}

func goTile[T Float](rows int) tileFunc[T] {
	return func(n, k int, a *T, ars, aks int, b *T, bks, bps int, c *T, cs int, bias *T, flags, last int) uint32 {
		size := int(unsafe.Sizeof(T(0)))
		for p := range n {
			panel := add(b, p*bps)
			for i := 0; i < rows; i += 2 {
				second := ars * min(1, rows-1-i) // the last of an odd number is computed twice
				sum := goTile2x4(k, add(a, i*ars), second, aks, panel, bks)
				for r := range min(2, rows-i) {
					out := unsafe.Slice(add(c, (i+r)*cs+p*4*size), last)
					finish(out, sum[r][:], bias, p*4, i+r, flags)
				}
			}
		}
		return 0
	}
}

// goTile2x4 keeps eight sums, which is what 16 registers hold beside the operands.
func goTile2x4[T Float](k int, a *T, ars, aks int, b *T, bks int) [2][4]T {
	var s00, s01, s02, s03, s10, s11, s12, s13 T
	for ; k > 0; k-- {
		row := (*[4]T)(unsafe.Pointer(b))
		x, y := *a, *add(a, ars)
		s00 += x * row[0]
		s01 += x * row[1]
		s02 += x * row[2]
		s03 += x * row[3]
		s10 += y * row[0]
		s11 += y * row[1]
		s12 += y * row[2]
		s13 += y * row[3]
		if k > 1 { // a pointer past the end is not allowed
			a, b = add(a, aks), add(b, bks)
		}
	}
	return [2][4]T{{s00, s01, s02, s03}, {s10, s11, s12, s13}}
}

func dotsGo[T Float](n, k int, a, b *T, bs int, sums *T, more int) uint32 {
	x, out := unsafe.Slice(a, k), unsafe.Slice(sums, n)
	for j := range out {
		var s [4]T
		for i, y := range unsafe.Slice(add(b, j*bs), k) {
			s[i&3] += flush(x[i]) * flush(y)
		}
		total := s[0] + s[1] + (s[2] + s[3])
		if more != 0 {
			total += out[j]
		}
		out[j] = total
	}
	return 0
}

func rowsGo[T Float](count int) func(n int, x, b *T, bs int, y *T, more int) uint32 {
	return func(n int, x, b *T, bs int, y *T, more int) uint32 {
		out := unsafe.Slice(y, n)
		if more == 0 {
			clear(out)
		}
		for i, f := range unsafe.Slice(x, count) {
			f = flush(f)
			for j, v := range unsafe.Slice(add(b, i*bs), n) {
				out[j] += f * flush(v)
			}
		}
		return 0
	}
}
