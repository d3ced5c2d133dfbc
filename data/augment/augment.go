package augment

import (
	"fmt"
	"math"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/shape"
)

// List applies augmentations one after the other. The empty List changes nothing.
type List []data.Augmentation

// Bind implements [data.Augmentation].
func (l List) Bind(in data.Info) (data.Change, data.Info, error) {
	changes := make([]data.Change, len(l))
	for i, a := range l {
		if a == nil {
			return nil, in, fmt.Errorf("augmentation %d of the list is nil", i)
		}
		var err error
		if changes[i], in, err = a.Bind(in); err != nil {
			return nil, in, fmt.Errorf("%T: %w", a, err)
		}
	}
	return func(x []float32, r *data.Rand) []float32 {
		for _, change := range changes {
			x = change(x, r)
		}
		return x
	}, in, nil
}

// Range is the range of a uniformly distributed parameter.
type Range struct{ Min, Max float64 }

// Within returns the Range from -x to x.
func Within(x float64) Range { return Range{-x, x} }

func (r Range) draw(from *data.Rand) float64 { return from.Between(r.Min, r.Max) }

// or returns r, or d if r is zero.
func (r Range) or(d Range) Range {
	if r == (Range{}) {
		return d
	}
	return r
}

// check returns an error unless r is a range of numbers from lo to hi.
func (r Range) check(name string, lo, hi float64) error {
	if !(lo <= r.Min && r.Min <= r.Max && r.Max <= hi) {
		return fmt.Errorf("%s is from %v to %v; want a range within %v to %v", name, r.Min, r.Max, lo, hi)
	}
	return nil
}

// checkNumber returns an error unless v is a number from lo to hi.
func checkNumber(name string, v, lo, hi float64) error {
	if !(lo <= v && v <= hi) || math.IsInf(v, 0) {
		return fmt.Errorf("%s is %v; want a number from %v to %v", name, v, lo, hi)
	}
	return nil
}

// image is the shape of an input.
type image struct{ c, h, w int }

func imageOf(in data.Info) (image, error) {
	s := in.Input
	if !s.Concrete() || s.Rank() != 3 {
		return image{}, fmt.Errorf("the input is %v; want an image (C,H,W)", s)
	}
	return image{s.Int(0), s.Int(1), s.Int(2)}, nil
}

// colourOf is imageOf for augmentations that need either grey or red, green and blue.
func colourOf(in data.Info) (image, error) {
	m, err := imageOf(in)
	if err == nil && m.c != 1 && m.c != 3 {
		err = fmt.Errorf("the input is %v; want one channel, or red, green and blue", in.Input)
	}
	return m, err
}

func (m image) len() int { return m.c * m.h * m.w }

// check returns an error if an image is larger than an example may be, before memory is allocated
// for it.
func (m image) check() error {
	const most = 1 << 30 // elements, as data.Info allows
	if m.h > most/m.c || m.w > most/m.c/m.h {
		return fmt.Errorf("a result of %d by %d pixels is too large; want at most %d numbers", m.h, m.w, most)
	}
	return nil
}

// resized returns the description of examples whose images are resized.
func resized(in data.Info, h, w int) data.Info {
	in.Input = shape.F32(in.Input.Dim(0), shape.Dim(h), shape.Dim(w))
	return in
}

// levels returns the normalised value of an intensity in each channel.
func (m image) levels(in data.Info, intensity float32) []float32 {
	x := make([]float32, m.c)
	for c := range x {
		x[c] = intensity
	}
	in.Preprocess.Apply(x)
	return x
}
