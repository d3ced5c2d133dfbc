package nhwc

import (
	"unsafe"

	"github.com/plexaura/plexaura/internal/simd/abi"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/winograd"
)

// goWidth is the channels of what plain Go calls a vector.
const goWidth = 4

var plain = Kernels{width: goWidth, maskWords: 1, tileIn: tileInGo, forms: []winogradForm{
	formGo(4, 3, winograd.Adjoint4, winograd.Result4, winograd.Taps3, winograd.TapsAdjoint3, tileFilterThirdGo(0), tileFilterThirdGo(1), tileFilterThirdGo(2)),
	formGo(2, 5, winograd.Adjoint2, winograd.Result2, winograd.Taps5, winograd.TapsAdjoint5),
}, copy: copyGo, depthwiseGrad: []depthwiseGradFunc{1: depthwiseGradGo(1), depthwiseGradGo(2), depthwiseGradGo(3)}, depthwise: depthwiseGo, sum: sumGo, max: maxGo, stem: [][]stemFunc{1: {nil, stemGo(1), stemGo(2), stemGo(3), stemGo(4)}}, diagonal: [][]diagonalFunc{2: {nil, diagonalGo(2, 1), diagonalGo(2, 2), diagonalGo(2, 3)}}}

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

// The transforms work on a vector's channels one by one. Those along one side are winograd's.

func formGo(tile, size int, adjoint, result, taps, tapsAdjoint winograd.Transform, thirds ...thirdFunc) winogradForm {
	return winogradForm{
		tile: tile, size: size, thirds: thirds,
		dy: func(vectors int, x *float32, at, row, pixel int, masks *uint32, v *float32, es int, cells *float32, _ int) uint32 {
			return tilePixelsGo(tile, adjoint, vectors, x, at, row, pixel, masks, v, es, cells)
		},
		out: func(vectors int, m *float32, es int, y *float32, row, pixel int, masks *uint32, bias, cells *float32, flags int) uint32 {
			return tileOutGo(tile, result, vectors, m, es, y, row, pixel, masks, bias, cells, flags)
		},
		filter: func(n int, w *float32, ws, cs int, u *float32, us, ucs int, _ *float32) uint32 {
			return squaresGo(n, taps, w, ws, cs, size, u, us, ucs, side)
		},
		filterGrad: func(n int, u *float32, us, ucs int, w *float32, ws, cs int, _ *float32) uint32 {
			return squaresGo(n, tapsAdjoint, u, us, ucs, side, w, ws, cs, size)
		},
	}
}

func tileInGo(vectors int, x *float32, at, row, pixel int, masks *uint32, v *float32, es int, cells *float32, _ int) uint32 {
	return tilePixelsGo(side, winograd.Input, vectors, x, at, row, pixel, masks, v, es, cells)
}

func tilePixelsGo(n int, line winograd.Transform, vectors int, x *float32, at, row, pixel int, masks *uint32, v *float32, es int, cells *float32) uint32 {
	on, sums := unsafe.Slice(masks, n*n), sumsGo(cells)
	for ch := range vectors * goWidth {
		var d grid
		for p := range n * n {
			if on[p]>>(ch%goWidth)&1 != 0 {
				d[p/n][p%n] = isa.Flush32(*isa.Add(x, at+p/n*row+p%n*pixel+4*ch))
				sums[ch%goWidth] += d[p/n][p%n]
			}
		}
		putGo(v, 4*ch, es, side, line.Square(d, n))
	}
	return 0
}

func tileOutGo(tile int, line winograd.Transform, vectors int, m *float32, es int, y *float32, row, pixel int, masks *uint32, bias, cells *float32, flags int) uint32 {
	on, sums := unsafe.Slice(masks, tile*tile), sumsGo(cells)
	for ch := range vectors * goWidth {
		d := line.Square(getGo(m, 4*ch, es, side), side)
		for _, line := range d {
			for _, z := range line {
				sums[ch%goWidth] += z
			}
		}
		for at := range tile * tile {
			if on[at]>>(ch%goWidth)&1 != 0 {
				i, j := at/tile, at%tile
				isa.Finish(unsafe.Slice(isa.Add(y, i*row+j*pixel+4*ch), 1), d[i][j:], bias, ch, 0, flags)
			}
		}
	}
	return 0
}

func tileFilterThirdGo(third int) thirdFunc {
	return func(n int, w *float32, ws, cs int, u *float32, us, ucs int) uint32 {
		for i := range n * goWidth {
			d := winograd.Transform(winograd.Taps3).Square(getGo(w, i/goWidth*cs+i%goWidth*4, ws, 3), 3)
			for row := range side {
				for of, column := range thirds[third] {
					*isa.Add(u, i/goWidth*ucs+i%goWidth*4+(2*row+of)*us) = isa.Flush32(d[row][column])
				}
			}
		}
		return 0
	}
}

// squaresGo transforms n vectors of squares of from×from elements, es bytes apart, to squares of to×to.
func squaresGo(n int, line winograd.Transform, src *float32, es, next, from int, dst *float32, ds, dnext, to int) uint32 {
	for i := range n * goWidth {
		d := getGo(src, i/goWidth*next+i%goWidth*4, es, from)
		putGo(dst, i/goWidth*dnext+i%goWidth*4, ds, to, line.Square(d, from))
	}
	return 0
}

// grid is the elements of a tile, of which fewer than 6×6 may be used.
type grid = [side]winograd.Line

// getGo reads n×n elements of a channel, es bytes apart, and putGo writes them.
func getGo(src *float32, at, es, n int) (d grid) {
	for k := range n * n {
		d[k/n][k%n] = isa.Flush32(*isa.Add(src, at+k*es))
	}
	return d
}

func putGo(dst *float32, at, es, n int, d grid) {
	for k := range n * n {
		*isa.Add(dst, at+k*es) = isa.Flush32(d[k/n][k%n])
	}
}

// sumsGo are the sums behind the cells.
func sumsGo(cells *float32) []float32 {
	return unsafe.Slice(cells, (values+1)*goWidth)[values*goWidth:]
}

func depthwiseGradGo(taps int) depthwiseGradFunc {
	return func(pixels, vectors, last int, x *float32, xs, tap int, dy *float32, ys int, sums *float32, ss int) uint32 {
		for ch := range (vectors-1)*goWidth + last {
			for i := range taps {
				sum := isa.Add(sums, i*ss+4*ch)
				for p := range pixels {
					*sum += isa.Flush32(*isa.Add(x, p*xs+i*tap+4*ch)) * isa.Flush32(*isa.Add(dy, p*ys+4*ch))
				}
				*sum = isa.Flush32(*sum)
			}
		}
		return 0
	}
}

func stemGo(rows int) stemFunc {
	return func(m, n, k int, at *int, a *float32, as, ars int, b *float32, bks, bps int, c *float32, ys, cs int, bias *float32, flags, last int) uint32 {
		places := unsafe.Slice(at, k)
		for i := range m * n * rows {
			tile, panel, row := i/(n*rows), i/rows%n, i%rows
			var sums [goWidth]float32
			for i, x := range places {
				v := isa.Flush32(*isa.Add(a, tile*as+row*ars+x))
				for j, w := range unsafe.Slice(isa.Add(b, panel*bps+i*bks), goWidth) {
					sums[j] += v * w
				}
			}
			y := unsafe.Slice(isa.Add(c, tile*ys+row*cs+4*panel*goWidth), last)
			isa.Finish(y, sums[:], bias, panel*goWidth, 0, flags)
		}
		return 0
	}
}
