package winograd

import (
	"unsafe"

	"github.com/plexaura/plexaura/internal/simd/isa"
)

// plain are the plain-Go twins. What they write has no denormals.
var plain = Kernels{lanes: lanesGo, maskWords: 1, forms: []form{
	formGo(4, 3, Adjoint4, Result4, Taps3, TapsAdjoint3),
	formGo(2, 5, Adjoint2, Result2, Taps5, TapsAdjoint5),
}}

const lanesGo = 4

func formGo(tile, size int, adjoint, result, taps, tapsAdjoint Transform) form {
	return form{
		tile: tile, size: size,
		in: func(channels int, x *float32, xs int, at *int, row int, masks *uint32, v *float32, cs, es int, _ *float32, _ int) uint32 {
			return imageGo(channels, x, xs, at, row, masks, v, cs, es, tile, side, Input)
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

// Line is the values along one side of a transformed tile; shorter sides leave the rest.
type Line [6]float32

// Input is the transform of images for the points 0, 1, -1, 2, -2 and infinity.
func Input(d Line) Line {
	a, b, c, e := d[4]-4*d[2], d[3]-4*d[1], d[4]-d[2], d[3]-d[1]
	return Line{4*(d[0]-d[2]) + c, a + b, a - b, c + 2*e, c - 2*e, d[5] - d[3] - 4*e}
}

// Adjoint4 is the adjoint of Result4.
func Adjoint4(y Line) Line {
	p, q, r, s := y[0]+y[2], y[1]+y[3], y[0]+4*y[2], y[1]+4*y[3]
	return Line{y[0], p + q, p - q, r + 2*s, r - 2*s, y[3]}
}

// Adjoint2 is the adjoint of Result2.
func Adjoint2(y Line) Line {
	return Line{y[0], y[0] + y[1], y[0] - y[1], y[0] + 2*y[1], y[0] - 2*y[1], y[1]}
}

// Result4 gives four outputs.
func Result4(m Line) Line {
	p, q, r, s := m[1]+m[2], m[1]-m[2], m[3]+m[4], m[3]-m[4]
	return Line{m[0] + p + r, q + 2*s, p + 4*r, q + 8*s + m[5]}
}

// Result2 gives two outputs.
func Result2(m Line) Line {
	return Line{m[0] + (m[1] + m[2]) + (m[3] + m[4]), m[1] - m[2] + m[5] + 2*(m[3]-m[4])}
}

// Taps3 transforms three elements of a filter.
func Taps3(g Line) Line {
	s, h := (g[0]+g[2])*(-1./6), g[1]*(1./6)
	t, k := g[0]*(1./24)+g[2]*(1./6), g[1]*(1./12)
	return Line{g[0] * 0.25, s - h, s + h, t + k, t - k, g[2]}
}

// TapsAdjoint3 is the adjoint of Taps3.
func TapsAdjoint3(u Line) Line {
	p, q, r, s := (u[1]+u[2])*(-1./6), (u[2]-u[1])*(1./6), u[3]+u[4], u[3]-u[4]
	return Line{u[0]*0.25 + p + r*(1./24), q + s*(1./12), p + r*(1./6) + u[5]}
}

// Taps5 transforms five elements of a filter.
func Taps5(g Line) Line {
	s, h := (g[0]+g[2]+g[4])*(-1./6), (g[1]+g[3])*(1./6)
	t, k := g[0]*(1./24)+g[2]*(1./6)+g[4]*(2./3), g[1]*(1./12)+g[3]*(1./3)
	return Line{g[0] * 0.25, s - h, s + h, t + k, t - k, g[4]}
}

// TapsAdjoint5 is the adjoint of Taps5.
func TapsAdjoint5(u Line) Line {
	p, q, r, s := (u[1]+u[2])*(-1./6), (u[2]-u[1])*(1./6), u[3]+u[4], u[3]-u[4]
	return Line{u[0]*0.25 + p + r*(1./24), q + s*(1./12), p + r*(1./6), q + s*(1./3), p + r*(2./3) + u[5]}
}

// Square transforms the lines and columns of a square, from×from elements of which are used.
func (f Transform) Square(s [6]Line, from int) [6]Line {
	for i := range from {
		s[i] = f(s[i])
	}
	for j := range 6 {
		var column Line
		for i := range from {
			column[i] = s[i][j]
		}
		for i, x := range f(column) {
			s[i][j] = x
		}
	}
	return s
}

// Transform is a transform along one side, in plain Go.
type Transform func(Line) Line

// imageGo transforms tiles of size×size elements.
func imageGo(channels int, x *float32, xs int, at *int, row int, masks *uint32, v *float32, cs, es, tile, size int, line Transform) uint32 {
	offsets, side := unsafe.Slice(at, tile), lanesGo/tile
	parts := isa.Ceil(size, tile)
	on := unsafe.Slice(masks, size*parts*tile)
	for c := range channels {
		for lane := range lanesGo {
			g, first := lane/side, lane%side*tile
			var s [6]Line
			for i := range size {
				for j := range size {
					mask := on[(i*parts+j/tile)*tile+g]
					if mask>>(first+j%tile)&1 != 0 {
						s[i][j] = isa.Flush32(*isa.Add(x, c*xs+offsets[g]+i*row+4*(first+j)))
					}
				}
			}
			s = line.Square(s, size)
			for e := range values {
				*isa.Add(v, c*cs+e*es+4*lane) = isa.Flush32(s[e/6][e%6])
			}
		}
	}
	return 0
}

func outGo(channels int, m *float32, ms, es int, y *float32, ys int, at *int, row int, masks *uint32, bias *float32, flags, tile int, line Transform) uint32 {
	offsets, side, on := unsafe.Slice(at, tile), lanesGo/tile, unsafe.Slice(masks, tile*tile)
	for c := range channels {
		for lane := range lanesGo {
			g, first := lane/side, lane%side*tile
			var s [6]Line
			for e := range values {
				s[e/6][e%6] = *isa.Add(m, c*ms+e*es+4*lane)
			}
			s = line.Square(s, 6)
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
func flatGo(n int, src *float32, ss, from int, dst *float32, ds, to int, line Transform) uint32 {
	for i := range n {
		var s [6]Line
		for j := range from * from {
			s[j/from][j%from] = isa.Flush32(*isa.Add(src, j*ss+4*i))
		}
		s = line.Square(s, from)
		for j := range to * to {
			*isa.Add(dst, j*ds+4*i) = isa.Flush32(s[j/to][j%to])
		}
	}
	return 0
}
