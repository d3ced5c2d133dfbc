package augment

import "github.com/plexaura/plexaura/data"

// sampler samples images at positions between their pixels, bilinearly. Pixels outside are black.
type sampler struct {
	from, to image
	pitch    int       // length of a padded row
	padded   []float32 // each plane with black around it: one pixel before and two after
	out      []float32

	// The positions for one row: of their upper left pixels in a padded plane, and the distances to
	// the right of and below them, from 0 to 1.
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

// places maps the pixel (x,y) of the result to the position in the image that it is sampled at:
// (xx*x + xy*y + x0, yx*x + yy*y + y0), clamped to the bounds.
type places struct {
	xx, xy, x0               float32
	yx, yy, y0               float32
	left, right, top, bottom float32
}

// anywhere sets the bounds to one black pixel around the image.
func (m image) anywhere() places {
	return places{left: -1, right: float32(m.w), top: -1, bottom: float32(m.h)}
}

// stretch returns the places that scale a part of an image, with pixels as squares, to another
// size.
func stretch(left, top, w, h, toW, toH int) places {
	sx, sy := float64(w)/float64(toW), float64(h)/float64(toH)
	return places{
		xx: float32(sx), x0: float32(float64(left) + sx/2 - .5),
		yy: float32(sy), y0: float32(float64(top) + sy/2 - .5),
		left: float32(left), right: float32(left + w - 1), top: float32(top), bottom: float32(top + h - 1),
	}
}

// sample returns image x sampled at the given places. If field is not nil, it displaces the pixels
// of the result first; it holds for each row the displacements in x and then those in y.
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

// load copies the planes of x into their frames.
func (s *sampler) load(x []float32) {
	m := s.from
	for row := range m.c * m.h {
		y := row/m.h*(m.h+3) + row%m.h + 1
		copy(s.padded[y*s.pitch+1:][:m.w], x[row*m.w:])
	}
}

// place computes the positions for row y, whose pixels are displaced by dx and dy.
func (s *sampler) place(p *places, y float32, dx, dy []float32) {
	// The frame adds 1 to positions. They are not negative, so that conversion rounds down.
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

// blend samples a plane at the positions for a row.
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
