package nhwc

import (
	"unsafe"

	"github.com/plexaura/plexaura/internal/simd/abi"
	"github.com/plexaura/plexaura/internal/simd/isa"
)

// goWidth is the channels of what plain Go calls a vector.
const goWidth = 4

var plain = Kernels{width: goWidth, maskWords: 1, tileIn: tileInGo, tileOut: tileOutGo, tileFilter: tileFilterGo, tileDy: tileDyGo, tileFilterGrad: tileFilterGradGo, copy: copyGo, depthwiseGrad: []depthwiseGradFunc{1: depthwiseGradGo(1), depthwiseGradGo(2), depthwiseGradGo(3)}, depthwise: depthwiseGo, sum: sumGo, max: maxGo}

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

// The transforms work on a vector's channels one by one.

func tileInGo(vectors int, x *float32, at, row, pixel int, masks *uint32, v *float32, es int, cells *float32, _ int) uint32 {
	return tilePixelsGo(side, transformPixels, vectors, x, at, row, pixel, masks, v, es, cells)
}

func tileDyGo(vectors int, x *float32, at, row, pixel int, masks *uint32, v *float32, es int, cells *float32, _ int) uint32 {
	return tilePixelsGo(tile, transformResults, vectors, x, at, row, pixel, masks, v, es, cells)
}

func tilePixelsGo(n int, line func([side]float32) [side]float32, vectors int, x *float32, at, row, pixel int, masks *uint32, v *float32, es int, cells *float32) uint32 {
	on, sums := unsafe.Slice(masks, n*n), unsafe.Slice(cells, (values+1)*goWidth)[values*goWidth:]
	for ch := range vectors * goWidth {
		var d [side][side]float32
		for p := range n * n {
			if on[p]>>(ch%goWidth)&1 != 0 {
				d[p/n][p%n] = isa.Flush32(*isa.Add(x, at+p/n*row+p%n*pixel+4*ch))
				sums[ch%goWidth] += d[p/n][p%n]
			}
		}
		for e, z := range bothWays(d, line) {
			*isa.Add(v, e*es+4*ch) = isa.Flush32(z)
		}
	}
	return 0
}

// transformResults is the adjoint of transformProducts.
func transformResults(y [side]float32) [side]float32 {
	p, q, r, s := y[0]+y[2], y[1]+y[3], y[0]+4*y[2], y[1]+4*y[3]
	return [side]float32{y[0], p + q, p - q, r + 2*s, r - 2*s, y[3]}
}

func tileFilterGradGo(n int, u *float32, us, ucs int, w *float32, ws, cs int, _ *float32) uint32 {
	for i := range n * goWidth {
		from, to := i/goWidth*ucs+i%goWidth*4, i/goWidth*cs+i%goWidth*4
		var d [side][side]float32
		for e := range values {
			d[e/side][e%side] = *isa.Add(u, from+e*us)
		}
		all := bothWays(d, transformSums)
		for k := range 9 {
			*isa.Add(w, to+k*ws) = isa.Flush32(all[side*(k/3)+k%3])
		}
	}
	return 0
}

// transformSums is the adjoint of transformTaps.
func transformSums(u [side]float32) [side]float32 {
	p, q, r, s := (u[1]+u[2])*(-1./6), (u[2]-u[1])*(1./6), u[3]+u[4], u[3]-u[4]
	return [side]float32{u[0]*.25 + p + r*(1./24), q + s*(1./12), p + r*(1./6) + u[5]}
}

func transformPixels(d [side]float32) [side]float32 {
	a, b, c, e := d[4]-4*d[2], d[3]-4*d[1], d[4]-d[2], d[3]-d[1]
	return [side]float32{4*(d[0]-d[2]) + c, a + b, a - b, c + 2*e, c - 2*e, d[5] - d[3] - 4*e}
}

// bothWays transforms the rows of a square, then its columns.
func bothWays(d [side][side]float32, f func([side]float32) [side]float32) (all [values]float32) {
	for i := range d {
		d[i] = f(d[i])
	}
	for j := range side {
		for i, z := range f([side]float32{d[0][j], d[1][j], d[2][j], d[3][j], d[4][j], d[5][j]}) {
			all[side*i+j] = z
		}
	}
	return all
}

func transformProducts(m [side]float32) [side]float32 {
	p, q, r, s := m[1]+m[2], m[1]-m[2], m[3]+m[4], m[3]-m[4]
	return [side]float32{m[0] + p + r, q + 2*s, p + 4*r, q + 8*s + m[5]}
}

func tileOutGo(vectors int, m *float32, es int, y *float32, row, pixel int, masks *uint32, bias, cells *float32, flags int) uint32 {
	on, sums := unsafe.Slice(masks, tile*tile), unsafe.Slice(cells, (values+1)*goWidth)[values*goWidth:]
	for ch := range vectors * goWidth {
		var d [side][side]float32
		for e := range values {
			d[e/side][e%side] = *isa.Add(m, e*es+4*ch)
		}
		all := bothWays(d, transformProducts)
		for _, z := range all {
			sums[ch%goWidth] += z
		}
		for at := range tile * tile {
			if on[at]>>(ch%goWidth)&1 != 0 {
				i, j := at/tile, at%tile
				isa.Finish(unsafe.Slice(isa.Add(y, i*row+j*pixel+4*ch), 1), all[side*i+j:], bias, ch, 0, flags)
			}
		}
	}
	return 0
}

func tileFilterGo(n int, w *float32, ws, cs int, u *float32, us, ucs int, _ *float32) uint32 {
	for i := range n * goWidth {
		at, to := i/goWidth*cs+i%goWidth*4, i/goWidth*ucs+i%goWidth*4
		var g [9]float32
		for k := range g {
			g[k] = isa.Flush32(*isa.Add(w, at+k*ws))
		}
		for e, x := range transformFilter(&g) {
			*isa.Add(u, to+e*us) = isa.Flush32(x)
		}
	}
	return 0
}

// transformFilter is G g Gᵀ for the points 0, 1, -1, 2, -2 and infinity.
func transformFilter(g *[9]float32) (u [values]float32) {
	var half [3][side]float32
	for i := range 3 {
		half[i] = transformTaps(g[3*i], g[3*i+1], g[3*i+2])
	}
	for j := range side {
		for i, x := range transformTaps(half[0][j], half[1][j], half[2][j]) {
			u[side*i+j] = x
		}
	}
	return u
}

func transformTaps(a, b, c float32) [side]float32 {
	s, h := (a+c)*(-1./6), b*(1./6)
	t, k := a*(1./24)+c*(1./6), b*(1./12)
	return [side]float32{a * .25, s - h, s + h, t + k, t - k, c}
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
