package winograd

import (
	"unsafe"

	"github.com/plexaura/plexaura/internal/simd/isa"
)

// plain are the plain-Go twins. What they write has no denormals.
var plain = Kernels{lanes: lanesGo, maskWords: 1, forms: []form{
	formGo(4, 3, adjoint4Go, result4Go, taps3Go, tapsAdjoint3Go),
	formGo(2, 5, adjoint2Go, result2Go, taps5Go, tapsAdjoint5Go),
}}

const lanesGo = 4

func formGo(tile, size int, adjoint, result, taps, tapsAdjoint six1D) form {
	return form{
		tile: tile, size: size,
		in: func(channels int, x *float32, xs int, at *int, row int, masks *uint32, v *float32, cs, es int, _ *float32, _ int) uint32 {
			return imageGo(channels, x, xs, at, row, masks, v, cs, es, tile, side, inputGo)
		},
		dy: func(channels int, x *float32, xs int, at *int, row int, masks *uint32, v *float32, cs, es int, _ *float32, _ int) uint32 {
			return imageGo(channels, x, xs, at, row, masks, v, cs, es, tile, tile, adjoint)
		},
		out: func(channels int, m *float32, ms, es int, y *float32, ys int, at *int, row int, masks *uint32, bias, _ *float32, flags int) uint32 {
			return outGo(channels, m, ms, es, y, ys, at, row, masks, bias, flags, tile, result)
		},
		filter: func(n int, w *float32, ws int, u *float32, us int, _ *float32) uint32 {
			return flatGo(n, w, ws, size, u, us, side, taps)
		},
		filterGrad: func(n int, w *float32, ws int, u *float32, us int, _ *float32) uint32 {
			return flatGo(n, u, us, side, w, ws, size, tapsAdjoint)
		},
	}
}

// six are the values along one side of a transformed tile; shorter sides leave the rest.
type six [6]float32

// inputGo is the transform of images for the points 0, 1, -1, 2, -2 and infinity.
func inputGo(d six) six {
	a, b, c, e := d[4]-4*d[2], d[3]-4*d[1], d[4]-d[2], d[3]-d[1]
	return six{4*(d[0]-d[2]) + c, a + b, a - b, c + 2*e, c - 2*e, d[5] - d[3] - 4*e}
}

// adjoint4Go is the adjoint of result4Go.
func adjoint4Go(y six) six {
	p, q, r, s := y[0]+y[2], y[1]+y[3], y[0]+4*y[2], y[1]+4*y[3]
	return six{y[0], p + q, p - q, r + 2*s, r - 2*s, y[3]}
}

func adjoint2Go(y six) six {
	return six{y[0], y[0] + y[1], y[0] - y[1], y[0] + 2*y[1], y[0] - 2*y[1], y[1]}
}

// result4Go gives four outputs.
func result4Go(m six) six {
	p, q, r, s := m[1]+m[2], m[1]-m[2], m[3]+m[4], m[3]-m[4]
	return six{m[0] + p + r, q + 2*s, p + 4*r, q + 8*s + m[5]}
}

func result2Go(m six) six {
	return six{m[0] + (m[1] + m[2]) + (m[3] + m[4]), m[1] - m[2] + m[5] + 2*(m[3]-m[4])}
}

func taps3Go(g six) six {
	s, h := (g[0]+g[2])*(-1./6), g[1]*(1./6)
	t, k := g[0]*(1./24)+g[2]*(1./6), g[1]*(1./12)
	return six{g[0] * 0.25, s - h, s + h, t + k, t - k, g[2]}
}

// tapsAdjoint3Go is the adjoint of taps3Go.
func tapsAdjoint3Go(u six) six {
	p, q, r, s := (u[1]+u[2])*(-1./6), (u[2]-u[1])*(1./6), u[3]+u[4], u[3]-u[4]
	return six{u[0]*0.25 + p + r*(1./24), q + s*(1./12), p + r*(1./6) + u[5]}
}

func taps5Go(g six) six {
	s, h := (g[0]+g[2]+g[4])*(-1./6), (g[1]+g[3])*(1./6)
	t, k := g[0]*(1./24)+g[2]*(1./6)+g[4]*(2./3), g[1]*(1./12)+g[3]*(1./3)
	return six{g[0] * 0.25, s - h, s + h, t + k, t - k, g[4]}
}

// tapsAdjoint5Go is the adjoint of taps5Go.
func tapsAdjoint5Go(u six) six {
	p, q, r, s := (u[1]+u[2])*(-1./6), (u[2]-u[1])*(1./6), u[3]+u[4], u[3]-u[4]
	return six{u[0]*0.25 + p + r*(1./24), q + s*(1./12), p + r*(1./6), q + s*(1./3), p + r*(2./3) + u[5]}
}

// square transforms the columns and lines of a square, from×from elements of which are used.
func (f six1D) square(s [6]six, from int) [6]six {
	for i := range from {
		s[i] = f(s[i])
	}
	for j := range 6 {
		var column six
		for i := range from {
			column[i] = s[i][j]
		}
		for i, x := range f(column) {
			s[i][j] = x
		}
	}
	return s
}

type six1D func(six) six

// imageGo transforms tiles of size×size elements.
func imageGo(channels int, x *float32, xs int, at *int, row int, masks *uint32, v *float32, cs, es, tile, size int, line six1D) uint32 {
	offsets, side := unsafe.Slice(at, tile), lanesGo/tile
	parts := isa.Ceil(size, tile)
	on := unsafe.Slice(masks, size*parts*tile)
	for c := range channels {
		for lane := range lanesGo {
			g, first := lane/side, lane%side*tile
			var s [6]six
			for i := range size {
				for j := range size {
					mask := on[(i*parts+j/tile)*tile+g]
					if mask>>(first+j%tile)&1 != 0 {
						s[i][j] = isa.Flush32(*isa.Add(x, c*xs+offsets[g]+i*row+4*(first+j)))
					}
				}
			}
			s = line.square(s, size)
			for e := range values {
				*isa.Add(v, c*cs+e*es+4*lane) = isa.Flush32(s[e/6][e%6])
			}
		}
	}
	return 0
}

func outGo(channels int, m *float32, ms, es int, y *float32, ys int, at *int, row int, masks *uint32, bias *float32, flags, tile int, line six1D) uint32 {
	offsets, side, on := unsafe.Slice(at, tile), lanesGo/tile, unsafe.Slice(masks, tile*tile)
	for c := range channels {
		for lane := range lanesGo {
			g, first := lane/side, lane%side*tile
			var s [6]six
			for e := range values {
				s[e/6][e%6] = *isa.Add(m, c*ms+e*es+4*lane)
			}
			s = line.square(s, 6)
			for i := range tile {
				for j := range tile {
					if on[i*tile+g]>>(first+j)&1 != 0 {
						isa.Finish(unsafe.Slice(isa.Add(y, c*ys+offsets[g]+i*row+4*(first+j)), 1), s[i][j:], bias, 0, c, flags)
					}
				}
			}
		}
	}
	return 0
}

// flatGo transforms n squares of from×from elements to squares of to×to.
func flatGo(n int, src *float32, ss, from int, dst *float32, ds, to int, line six1D) uint32 {
	for i := range n {
		var s [6]six
		for j := range from * from {
			s[j/from][j%from] = isa.Flush32(*isa.Add(src, j*ss+4*i))
		}
		s = line.square(s, from)
		for j := range to * to {
			*isa.Add(dst, j*ds+4*i) = isa.Flush32(s[j/to][j%to])
		}
	}
	return 0
}
