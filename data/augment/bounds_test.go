package augment_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/augment"
	"github.com/plexaura/plexaura/shape"
)

// A size is refused before memory is taken for it, and a sum of sizes does not overflow.
func TestSizesHaveBounds(t *testing.T) {
	info := data.Info{Input: shape.F32(3, 8, 8), Target: shape.I32()}
	for _, a := range []data.Augmentation{
		augment.RandomCrop{Pad: math.MaxInt}, augment.RandomCrop{Pad: math.MaxInt/2 + 1}, augment.RandomCrop{Pad: 1 << 40},
		augment.RandomCrop{Pad: 1 << 16, Height: 1 << 16, Width: 1 << 16},
		augment.RandomResizedCrop{Height: math.MaxInt, Width: math.MaxInt}, augment.RandomResizedCrop{Height: 1 << 20, Width: 1 << 20},
		augment.RandomResizedCrop{Height: 1 << 30},
	} {
		_, _, err := a.Bind(info)
		require.Error(t, err, "%+v", a)
	}
}
