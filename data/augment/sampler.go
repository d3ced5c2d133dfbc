package augment

import "github.com/plexaura/plexaura/data"

// sampler takes images at places between their pixels, bilinearly. Outside they are black.
type sampler struct {
	from, to image
	pitch    int       // of a padded row
	padded   []float32 // each plane with black around: one pixel before and two behind
	out      []float32

	// The places of one row: of their upper left pixels in a padded plane, and how far right
	// of and below it they are, from 0 to 1.
	at          []int32
	right, down []float32
}

func newSampler(in data.Info, from image, h, w int) *sampler {
	to := image{from.c, h, w}
	s := &sampler{
		from: from, to: to, pitch: from.w + 3, out: make([]float32, to.len()),
		at: make([]int32, w), right: make([]float32, w), down: make([]float32, w),
	}
	for _, black := range from.levels(in, 0) {
		plane := make([]float32, (from.h+3)*s.pitch)
		fill(plane, black)
		s.padded = append(s.padded, plane...)
	}
	return s
}

// places says where in the image the pixel (x,y) of the result is taken:
// (xx*x + xy*y + x0, yx*x + yy*y + y0), or at the nearest place within the bounds.
type places struct {
	xx, xy, x0               float32
	yx, yy, y0               float32
	left, right, top, bottom float32
}

// anywhere bounds the places to where one pixel of black is met.
func (m image) anywhere() places {
	return places{left: -1, right: float32(m.w), top: -1, bottom: float32(m.h)}
}

// stretch are the places that scale a part of an image, whose pixels are squares, to another
// size.
func stretch(left, top, w, h, toW, toH int) places {
	sx, sy := float64(w)/float64(toW), float64(h)/float64(toH)
	return places{
		xx: float32(sx), x0: float32(float64(left) + sx/2 - .5),
		yy: float32(sy), y0: float32(float64(top) + sy/2 - .5),
		left: float32(left), right: float32(left + w - 1), top: float32(top), bottom: float32(top + h - 1),
	}
}

// sample returns image x at the given places. A field, if not nil, displaces the pixels of the
// result before: it holds for each row the displacements in x and then those in y.
func (s *sampler) sample(x []float32, p places, field []float32) []float32 {
	s.load(x)
	w, h, plane := s.to.w, s.to.h, len(s.padded)/s.to.c
	for y := range h {
		if field == nil {
			s.line(p, float32(y))
		} else {
			s.displaced(p, float32(y), field[2*y*w:][:w], field[(2*y+1)*w:][:w])
		}
		for c := range s.to.c {
			s.blend(s.out[(c*h+y)*w:][:w], s.padded[c*plane:][:plane])
		}
	}
	return s.out
}

// load puts the planes of x into their frames.
func (s *sampler) load(x []float32) {
	m := s.from
	for row := range m.c * m.h {
		y := row/m.h*(m.h+3) + row%m.h + 1
		copy(s.padded[y*s.pitch+1:][:m.w], x[row*m.w:])
	}
}

// line finds the places of row y.
func (s *sampler) line(p places, y float32) {
	for i := range s.at {
		s.place(i, p, float32(i), y)
	}
}

// displaced finds the places of row y where pixels are displaced.
func (s *sampler) displaced(p places, y float32, dx, dy []float32) {
	dx, dy = dx[:len(s.at)], dy[:len(s.at)]
	for i := range s.at {
		s.place(i, p, float32(i)+dx[i], y+dy[i])
	}
}

// place finds the place of pixel i of a row.
func (s *sampler) place(i int, p places, px, py float32) {
	x, y := p.xx*px+p.xy*py+p.x0, p.yx*px+p.yy*py+p.y0
	if x < p.left {
		x = p.left
	} else if x > p.right {
		x = p.right
	}
	if y < p.top {
		y = p.top
	} else if y > p.bottom {
		y = p.bottom
	}
	x, y = x+1, y+1 // in the frame; not negative, so that rounding is down
	column, row := int32(x), int32(y)
	s.at[i] = row*int32(s.pitch) + column
	s.right[i], s.down[i] = x-float32(column), y-float32(row)
}

// blend takes a plane at the places of a row.
func (s *sampler) blend(dst, plane []float32) {
	at, right, down := s.at[:len(dst)], s.right[:len(dst)], s.down[:len(dst)]
	for i := range dst {
		upper := plane[at[i]:]
		lower := upper[s.pitch : s.pitch+2]
		upper = upper[:2]
		above := upper[0] + right[i]*(upper[1]-upper[0])
		below := lower[0] + right[i]*(lower[1]-lower[0])
		dst[i] = above + down[i]*(below-above)
	}
}
