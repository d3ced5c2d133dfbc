package augment

import (
	"math"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/shape"
)

// CutMix replaces a rectangle of each image of a batch by that of another, and its target by t times
// its own plus 1-t times the other's, where t is the part of the image that is left (Yun et al.,
// "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features", 2019). The
// rectangle is drawn once per batch: its area from the distribution Beta(Alpha,Alpha), its centre
// anywhere; what is outside of the image is cut off. The other example, and the targets, are those of
// [MixUp].
type CutMix struct {
	Alpha float64 // 0 means 1, as in the paper
	// Classes is the number of classes if they have no names, and 0 otherwise.
	Classes int
}

// Bind implements [data.Mixer].
func (a CutMix) Bind(in data.Info) (data.Mix, data.Info, error) {
	if a.Alpha == 0 {
		a.Alpha = 1
	}
	if err := checkNumber("Alpha", a.Alpha, 1e-3, 1e3); err != nil {
		return nil, in, err
	}
	m, err := imageOf(in)
	if err != nil {
		return nil, in, err
	}
	first := make([]float32, m.len())
	if in.Target.DType == shape.Float32 {
		target := make([]float32, in.Target.Len())
		return func(n int, b data.Example, r *data.Rand) error {
			blend(b.Targets, target, n, m.cut(b.X, first, n, a.Alpha, r))
			return nil
		}, in, nil
	}
	classes, err := MixUp{Classes: a.Classes}.classes(in)
	if err != nil {
		return nil, in, err
	}
	in.Target, in.Classes = shape.F32(shape.Dim(classes)), nil
	return func(n int, b data.Example, r *data.Rand) error {
		return distribute(b, n, classes, m.cut(b.X, first, n, a.Alpha, r))
	}, in, nil
}

// cut copies a rectangle of each of n images from the next, and returns the part of an image that is
// left. first is memory for one image.
func (m image) cut(x, first []float32, n int, alpha float64, r *data.Rand) float32 {
	side := math.Sqrt(1 - beta(alpha, r))
	h, w := int(side*float64(m.h)), int(side*float64(m.w))
	cy, cx := r.IntN(m.h), r.IntN(m.w)
	top, bottom := max(cy-h/2, 0), min(cy+(h+1)/2, m.h)
	left, right := max(cx-w/2, 0), min(cx+(w+1)/2, m.w)
	size := m.len()
	copy(first, x[:size])
	for i := range n {
		from := first
		if i+1 < n {
			from = x[(i+1)*size:]
		}
		for row := range m.c * m.h {
			if y := row % m.h; y >= top && y < bottom {
				copy(x[i*size+row*m.w+left:i*size+row*m.w+right], from[row*m.w+left:])
			}
		}
	}
	return 1 - float32((bottom-top)*(right-left))/float32(m.h*m.w)
}
