package augment

import (
	"slices"

	"github.com/plexaura/plexaura/data"
)

// HorizontalFlip exchanges left and right.
type HorizontalFlip struct {
	P float64 // probability of a flip; 0 means 0.5
}

// Bind implements [data.Augmentation].
func (a HorizontalFlip) Bind(in data.Info) (data.Change, data.Info, error) {
	m, err := imageOf(in)
	if err != nil {
		return nil, in, err
	}
	if a.P == 0 {
		a.P = .5
	}
	if err := checkNumber("P", a.P, 0, 1); err != nil {
		return nil, in, err
	}
	return func(x []float32, r *data.Rand) []float32 {
		if r.Float64() < a.P {
			for row := range slices.Chunk(x, m.w) {
				slices.Reverse(row)
			}
		}
		return x
	}, in, nil
}
