package augment

import (
	"math"

	"github.com/plexaura/plexaura/data"
)

// Affine shears, rotates, scales and shifts an image around its centre, with random parameters for
// each image. It is resampled once, bilinearly. The zero Affine changes nothing.
type Affine struct {
	Rotate Range // degrees, counter-clockwise
	Shear  Range // degrees by which vertical lines lean; positive moves the lower end to the right
	Scale  Range // factor of width and height; zero means 1
	X, Y   Range // shift to the right and down, as fractions of width and height
}

// Bind implements [data.Augmentation].
func (a Affine) Bind(in data.Info) (data.Change, data.Info, error) {
	m, err := imageOf(in)
	if err != nil {
		return nil, in, err
	}
	if err := a.check(); err != nil {
		return nil, in, err
	}
	s := newSampler(in, m, m.h, m.w)
	return func(x []float32, r *data.Rand) []float32 { return s.sample(x, a.draw(m, r), nil) }, in, nil
}

func (a Affine) check() error {
	if err := a.Rotate.check("Rotate", -360, 360); err != nil {
		return err
	}
	if err := a.Shear.check("Shear", -80, 80); err != nil {
		return err
	}
	if err := a.scale().check("Scale", .01, 100); err != nil {
		return err
	}
	if err := a.X.check("X", -1, 1); err != nil {
		return err
	}
	return a.Y.check("Y", -1, 1)
}

func (a Affine) scale() Range { return a.Scale.or(Range{1, 1}) }

// draw draws parameters and returns the places that the pixels come from, using the inverse map.
func (a Affine) draw(m image, r *data.Rand) places {
	const degree = math.Pi / 180
	sin, cos := math.Sincos(a.Rotate.draw(r) * degree)
	lean := math.Tan(a.Shear.draw(r) * degree)
	scale := a.scale().draw(r)
	cx, cy := float64(m.w-1)/2, float64(m.h-1)/2
	toX, toY := cx+a.X.draw(r)*float64(m.w), cy+a.Y.draw(r)*float64(m.h) // of the centre
	xx, xy := (cos-lean*sin)/scale, (-sin-lean*cos)/scale
	yx, yy := sin/scale, cos/scale
	p := m.anywhere()
	p.xx, p.xy, p.x0 = float32(xx), float32(xy), float32(cx-xx*toX-xy*toY)
	p.yx, p.yy, p.y0 = float32(yx), float32(yy), float32(cy-yx*toX-yy*toY)
	return p
}
