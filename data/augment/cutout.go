package augment

import (
	"fmt"

	"github.com/plexaura/plexaura/data"
)

// CutOut sets a square to zero, the mean of normalised inputs. Its centre is a random pixel, so
// that a part of it may be outside (DeVries and Taylor, "Improved regularization of convolutional
// neural networks with Cutout", 2017).
type CutOut struct {
	Side int // of the square, in pixels
}

// Bind implements [data.Augmentation].
func (a CutOut) Bind(in data.Info) (data.Change, data.Info, error) {
	m, err := imageOf(in)
	if err != nil {
		return nil, in, err
	}
	if a.Side < 1 {
		return nil, in, fmt.Errorf("Side is %d; want at least 1", a.Side)
	}
	return func(x []float32, r *data.Rand) []float32 {
		top, left := r.IntN(m.h)-a.Side/2, r.IntN(m.w)-a.Side/2
		bottom, right := min(top+a.Side, m.h), min(left+a.Side, m.w)
		top, left = max(top, 0), max(left, 0)
		for c := range m.c {
			for y := top; y < bottom; y++ {
				row := (c*m.h + y) * m.w
				clear(x[row+left : row+right])
			}
		}
		return x
	}, in, nil
}
