package augment

import (
	"fmt"
	"math"

	"github.com/plexaura/plexaura/data"
)

// RandomCrop cuts out a part at a random position.
type RandomCrop struct {
	Height, Width int // of the part; 0 means that of the image
	Pad           int // number of black pixels added around the image first
}

// Bind implements [data.Augmentation].
func (a RandomCrop) Bind(in data.Info) (data.Change, data.Info, error) {
	m, err := imageOf(in)
	if err != nil {
		return nil, in, err
	}
	to := image{m.c, a.Height, a.Width}
	if to.h == 0 {
		to.h = m.h
	}
	if to.w == 0 {
		to.w = m.w
	}
	if a.Pad < 0 || a.Pad > maxPad || to.h < 1 || to.w < 1 || to.h > m.h+2*a.Pad || to.w > m.w+2*a.Pad {
		return nil, in, fmt.Errorf("a part of %d by %d from %d by %d pixels with %d around", to.h, to.w, m.h, m.w, a.Pad)
	}
	if err := to.check(); err != nil {
		return nil, in, err
	}
	c := &crop{m, to, m.levels(in, 0), make([]float32, to.len())}
	return func(x []float32, r *data.Rand) []float32 {
		top := r.IntN(m.h+2*a.Pad-to.h+1) - a.Pad
		left := r.IntN(m.w+2*a.Pad-to.w+1) - a.Pad
		return c.cut(x, top, left)
	}, resized(in, to.h, to.w), nil
}

// maxPad is the largest Pad, larger than any image.
const maxPad = 1 << 16

type crop struct {
	from, to image
	black    []float32
	out      []float32
}

// cut returns the part that begins at the given position, which may be outside.
func (c *crop) cut(x []float32, top, left int) []float32 {
	lo, hi := max(0, -left), min(c.to.w, c.from.w-left) // columns of the part that are in the image
	for row := range c.to.c * c.to.h {
		channel, y := row/c.to.h, row%c.to.h+top
		dst := c.out[row*c.to.w:][:c.to.w]
		if y < 0 || y >= c.from.h || lo >= hi {
			fill(dst, c.black[channel])
			continue
		}
		src := x[(channel*c.from.h+y)*c.from.w:][:c.from.w]
		fill(dst[:lo], c.black[channel])
		copy(dst[lo:hi], src[lo+left:])
		fill(dst[hi:], c.black[channel])
	}
	return c.out
}

func fill(dst []float32, v float32) {
	for i := range dst {
		dst[i] = v
	}
}

// RandomResizedCrop cuts out a part of random area and aspect ratio and scales it to the given
// size, bilinearly (Szegedy et al., "Going deeper with convolutions", 2015). The scaling does not
// average, so a part should not be much larger than the result.
type RandomResizedCrop struct {
	Height, Width int   // of the result; 0 means that of the image
	Area          Range // of the part, as a fraction of the image's; zero means 0.08 to 1
	Aspect        Range // width by height, with a uniform logarithm; zero means 3/4 to 4/3
}

// Bind implements [data.Augmentation].
func (a RandomResizedCrop) Bind(in data.Info) (data.Change, data.Info, error) {
	m, err := imageOf(in)
	if err != nil {
		return nil, in, err
	}
	a.Area, a.Aspect = a.Area.or(Range{.08, 1}), a.Aspect.or(Range{3. / 4, 4. / 3})
	if a.Height == 0 {
		a.Height = m.h
	}
	if a.Width == 0 {
		a.Width = m.w
	}
	if a.Height < 1 || a.Width < 1 {
		return nil, in, fmt.Errorf("a result of %d by %d pixels", a.Height, a.Width)
	}
	if err := (image{m.c, a.Height, a.Width}).check(); err != nil {
		return nil, in, err
	}
	if err := a.Area.check("Area", 1e-6, 1); err != nil {
		return nil, in, err
	}
	if err := a.Aspect.check("Aspect", 1e-3, 1e3); err != nil {
		return nil, in, err
	}
	s := newSampler(in, m, a.Height, a.Width)
	return func(x []float32, r *data.Rand) []float32 {
		left, top, w, h := a.part(m, r)
		return s.sample(x, stretch(left, top, w, h, a.Width, a.Height), nil)
	}, resized(in, a.Height, a.Width), nil
}

// part draws a part of an image. If none of ten fits, it is the centre, as large as the aspect
// ratios allow, as in torchvision.
func (a RandomResizedCrop) part(m image, r *data.Rand) (left, top, w, h int) {
	for range 10 {
		area := a.Area.draw(r) * float64(m.h*m.w)
		aspect := math.Exp(r.Between(math.Log(a.Aspect.Min), math.Log(a.Aspect.Max)))
		w, h = int(math.Round(math.Sqrt(area*aspect))), int(math.Round(math.Sqrt(area/aspect)))
		if 0 < w && w <= m.w && 0 < h && h <= m.h {
			return r.IntN(m.w - w + 1), r.IntN(m.h - h + 1), w, h
		}
	}
	w, h = m.w, m.h
	switch aspect := float64(w) / float64(h); {
	case aspect < a.Aspect.Min:
		h = max(1, int(math.Round(float64(w)/a.Aspect.Min)))
	case aspect > a.Aspect.Max:
		w = max(1, int(math.Round(float64(h)*a.Aspect.Max)))
	}
	return (m.w - w) / 2, (m.h - h) / 2, w, h
}
