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
	still       []float32 // zeros
}

func newSampler(in data.Info, from image, h, w int) *sampler {
	to := image{from.c, h, w}
	s := &sampler{
		from: from, to: to, pitch: from.w + 3, out: make([]float32, to.len()),
		at: make([]int32, w), right: make([]float32, w), down: make([]float32, w), still: make([]float32, w),
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
	dx, dy := s.still, s.still
	for y := range h {
		if field != nil {
			dx, dy = field[2*y*w:][:w], field[(2*y+1)*w:][:w]
		}
		s.place(&p, float32(y), dx, dy)
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

// place finds the places of row y, whose pixels are displaced by dx and dy.
func (s *sampler) place(p *places, y float32, dx, dy []float32) {
	// In the frame places are one further. They are not negative, so that rounding is down.
	x0, y0 := p.x0+1, p.y0+1
	left, right, top, bottom := p.left+1, p.right+1, p.top+1, p.bottom+1
	xx, xy, yx, yy, pitch := p.xx, p.xy, p.yx, p.yy, int32(s.pitch)
	at := s.at
	toRight, toBelow := s.right[:len(at)], s.down[:len(at)]
	dx, dy = dx[:len(at)], dy[:len(at)]
	for i := range at {
		px, py := float32(i)+dx[i], y+dy[i]
		x, y := xx*px+xy*py+x0, yx*px+yy*py+y0
		if x < left {
			x = left
		}
		if x > right {
			x = right
		}
		if y < top {
			y = top
		}
		if y > bottom {
			y = bottom
		}
		column, row := int32(x), int32(y)
		at[i] = row*pitch + column
		toRight[i], toBelow[i] = x-float32(column), y-float32(row)
	}
}

// blend takes a plane at the places of a row.
func (s *sampler) blend(dst, plane []float32) {
	at, right, down := s.at[:len(dst)], s.right[:len(dst)], s.down[:len(dst)]
	pitch := s.pitch
	for i := range dst {
		p := plane[at[i]:]
		q := p[pitch:]
		above := p[0] + right[i]*(p[1]-p[0])
		below := q[0] + right[i]*(q[1]-q[0])
		dst[i] = above + down[i]*(below-above)
	}
}
