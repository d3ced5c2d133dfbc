package gemm

import (
	"unsafe"

	"github.com/plexaura/plexaura/internal/simd/isa"
)

var plain = table{goTiles[float32](), goTiles[float64](), goSmalls}

// goTiles are the plain-Go twins of the micro-kernels: panels of four columns. Both operands come
// packed and without denormals.
func goTiles[T isa.Float]() Tiles[T] {
	byRows := []tileFunc[T]{nil}
	for rows := 1; rows <= 4; rows++ {
		byRows = append(byRows, goTile[T](rows))
	}
	return Tiles[T]{
		Width:     4,
		Kernel:    [][]tileFunc[T]{1: byRows},
		transpose: transposeGo[T],
		dots:      dotsGo[T],
		rows1:     rowsGo[T](1),
		rows8:     rowsGo[T](8),
		flush:     true,
	}
}

func transposeGo[T isa.Float](cols, rows int, src *T, ss int, dst *T, ds int) uint32 {
	for i := range rows {
		for j, x := range unsafe.Slice(isa.Add(src, i*ss), cols) {
			*isa.Add(dst, j*ds+i*int(unsafe.Sizeof(x))) = x
		}
	}
	return 0
}

func goTile[T isa.Float](rows int) tileFunc[T] {
	return func(m, n, k int, a *T, ars, aks int, b *T, bks, bps int, c *T, cs int, bias *T, flags, last int) uint32 {
		for t := range m {
			goTilesBeside(rows, n, k, isa.Add(a, t*rows*ars), ars, aks, b, bks, bps, isa.Add(c, t*rows*cs), cs, bias, flags, last)
		}
		return 0
	}
}

// goTilesBeside computes n tiles side by side.
func goTilesBeside[T isa.Float](rows, n, k int, a *T, ars, aks int, b *T, bks, bps int, c *T, cs int, bias *T, flags, last int) {
	size := int(unsafe.Sizeof(T(0)))
	for p := range n {
		panel := isa.Add(b, p*bps)
		for i := 0; i < rows; i += 2 {
			second := ars * min(1, rows-1-i) // the last of an odd number is computed twice
			sum := goTile2x4(k, isa.Add(a, i*ars), second, aks, panel, bks)
			for r := range min(2, rows-i) {
				out := unsafe.Slice(isa.Add(c, (i+r)*cs+p*4*size), last)
				isa.Finish(out, sum[r][:], bias, p*4, i+r, flags)
			}
		}
	}
}

// goTile2x4 keeps eight sums, which is what 16 registers hold beside the operands.
func goTile2x4[T isa.Float](k int, a *T, ars, aks int, b *T, bks int) [2][4]T {
	var s00, s01, s02, s03, s10, s11, s12, s13 T
	for ; k > 0; k-- {
		row := (*[4]T)(unsafe.Pointer(b))
		x, y := *a, *isa.Add(a, ars)
		s00 += x * row[0]
		s01 += x * row[1]
		s02 += x * row[2]
		s03 += x * row[3]
		s10 += y * row[0]
		s11 += y * row[1]
		s12 += y * row[2]
		s13 += y * row[3]
		if k > 1 { // a pointer past the end is not allowed
			a, b = isa.Add(a, aks), isa.Add(b, bks)
		}
	}
	return [2][4]T{{s00, s01, s02, s03}, {s10, s11, s12, s13}}
}

func dotsGo[T isa.Float](n, k int, a, b *T, bs int, sums *T, more int) uint32 {
	x, out := unsafe.Slice(a, k), unsafe.Slice(sums, n)
	for j := range out {
		var s [4]T
		for i, y := range unsafe.Slice(isa.Add(b, j*bs), k) {
			s[i&3] += isa.Flush(x[i]) * isa.Flush(y)
		}
		total := s[0] + s[1] + (s[2] + s[3])
		if more != 0 {
			total += out[j]
		}
		out[j] = total
	}
	return 0
}

func rowsGo[T isa.Float](count int) func(n int, x, b *T, bs int, y *T, more int) uint32 {
	return func(n int, x, b *T, bs int, y *T, more int) uint32 {
		out := unsafe.Slice(y, n)
		if more == 0 {
			clear(out)
		}
		for i, f := range unsafe.Slice(x, count) {
			f = isa.Flush(f)
			for j, v := range unsafe.Slice(isa.Add(b, i*bs), n) {
				out[j] += f * isa.Flush(v)
			}
		}
		return 0
	}
}
