package simd

import "unsafe"

// winogradGo are the plain-Go twins: a group is one tile. What they write has no denormals.
var winogradGo = winogradKernels{
	winoLanes:     winoGroups,
	winoMaskWords: 1,
	winoIn: func(channels int, x *float32, xs int, at *int, row int, masks *uint32, v *float32, cs, es int, _ *float32, _ int) uint32 {
		return winoImageGo(channels, x, xs, at, row, masks, v, cs, es, 6, winoInputGo)
	},
	winoDy: func(channels int, x *float32, xs int, at *int, row int, masks *uint32, v *float32, cs, es int, _ *float32, _ int) uint32 {
		return winoImageGo(channels, x, xs, at, row, masks, v, cs, es, 4, winoAdjointGo)
	},
	winoOut:        winoOutGo,
	winoFilter:     winoFilterGo,
	winoFilterGrad: winoFilterGradGo,
}

// six are the values along one side of a transformed tile; shorter sides leave the rest.
type six [6]float32

// winoInputGo is the transform of images for the points 0, 1, -1, 2, -2 and infinity.
func winoInputGo(d six) six {
	a, b, c, e := d[4]-4*d[2], d[3]-4*d[1], d[4]-d[2], d[3]-d[1]
	return six{4*(d[0]-d[2]) + c, a + b, a - b, c + 2*e, c - 2*e, d[5] - d[3] - 4*e}
}

// winoAdjointGo is the adjoint of winoResultGo.
func winoAdjointGo(y six) six {
	p, q, r, s := y[0]+y[2], y[1]+y[3], y[0]+4*y[2], y[1]+4*y[3]
	return six{y[0], p + q, p - q, r + 2*s, r - 2*s, y[3]}
}

// winoResultGo gives four outputs.
func winoResultGo(m six) six {
	p, q, r, s := m[1]+m[2], m[1]-m[2], m[3]+m[4], m[3]-m[4]
	return six{m[0] + p + r, q + 2*s, p + 4*r, q + 8*s + m[5]}
}

func winoTapsGo(g six) six {
	s, h := (g[0]+g[2])*(-1./6), g[1]*(1./6)
	t, k := g[0]*(1./24)+g[2]*(1./6), g[1]*(1./12)
	return six{g[0] * 0.25, s - h, s + h, t + k, t - k, g[2]}
}

// winoTapsAdjointGo is the adjoint of winoTapsGo.
func winoTapsAdjointGo(u six) six {
	p, q, r, s := (u[1]+u[2])*(-1./6), (u[2]-u[1])*(1./6), u[3]+u[4], u[3]-u[4]
	return six{u[0]*0.25 + p + r*(1./24), q + s*(1./12), p + r*(1./6) + u[5]}
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

func winoImageGo(channels int, x *float32, xs int, at *int, row int, masks *uint32, v *float32, cs, es int, size int, line six1D) uint32 {
	offsets := unsafe.Slice(at, winoGroups)
	parts := size/winoTile + size%winoTile/2
	on := unsafe.Slice(masks, size*parts*winoGroups)
	for c := range channels {
		for g, offset := range offsets {
			var s [6]six
			for i := range size {
				for j := range size {
					mask := on[(i*parts+j/winoTile)*winoGroups+g]
					if mask>>(j%winoTile)&1 != 0 {
						s[i][j] = flush32(*add(x, c*xs+offset+i*row+4*j))
					}
				}
			}
			s = line.square(s, size)
			for e := range winoValues {
				*add(v, c*cs+e*es+4*g) = flush32(s[e/6][e%6])
			}
		}
	}
	return 0
}

func winoOutGo(channels int, m *float32, ms, es int, y *float32, ys int, at *int, row int, masks *uint32, bias, _ *float32, flags int) uint32 {
	offsets, on := unsafe.Slice(at, winoGroups), unsafe.Slice(masks, winoTile*winoGroups)
	for c := range channels {
		for g, offset := range offsets {
			var s [6]six
			for e := range winoValues {
				s[e/6][e%6] = *add(m, c*ms+e*es+4*g)
			}
			s = six1D(winoResultGo).square(s, 6)
			for i := range winoTile {
				for j := range winoTile {
					if on[i*winoGroups+g]>>j&1 != 0 {
						finish(unsafe.Slice(add(y, c*ys+offset+i*row+4*j), 1), s[i][j:], bias, 0, c, flags)
					}
				}
			}
		}
	}
	return 0
}

func winoFilterGo(n int, w *float32, ws int, u *float32, us int, _ *float32) uint32 {
	for i := range n {
		var s [6]six
		for j := range winoTaps {
			s[j/3][j%3] = flush32(*add(w, j*ws+4*i))
		}
		s = six1D(winoTapsGo).square(s, 3)
		for e := range winoValues {
			*add(u, e*us+4*i) = flush32(s[e/6][e%6])
		}
	}
	return 0
}

func winoFilterGradGo(n int, w *float32, ws int, u *float32, us int, _ *float32) uint32 {
	for i := range n {
		var s [6]six
		for e := range winoValues {
			s[e/6][e%6] = *add(u, e*us+4*i)
		}
		s = six1D(winoTapsAdjointGo).square(s, 6)
		for j := range winoTaps {
			*add(w, j*ws+4*i) = flush32(s[j/3][j%3])
		}
	}
	return 0
}
