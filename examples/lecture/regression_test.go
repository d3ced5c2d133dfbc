package lecture

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/mnist"
)

func TestRegression(t *testing.T) {
	b := trained(t, "regression")
	const column = ", mean error, °"
	mean, layers, conv := b.value(t, "the mean of all angles"+column), b.value(t, "dense, 300 units"+column), b.value(t, "LeNet, one output"+column)
	require.InDelta(t, widest/2, mean, 2, "that of an even distribution")
	require.InDelta(t, widest/math.Sqrt(3), b.value(t, "the mean of all angles, root mean square, °"), 2)
	require.InDelta(t, 17, b.value(t, "spread of the lean of ones, before they are turned"), 5)
	require.Less(t, conv, mean/2)
	require.Less(t, layers, mean/2)
	if *long {
		require.Less(t, conv, layers-.5)
		require.Less(t, conv, 8.5)
	}
}

// TestTheTargetIsTheAngleThatAnImageIsTurnedBy measures the angle of an upright bar by its second
// moments.
func TestTheTargetIsTheAngleThatAnImageIsTurnedBy(t *testing.T) {
	const n = 20
	pixels := make([]uint8, n*mnist.Side*mnist.Side)
	for i := range n {
		for y := 4; y < 24; y++ {
			for x := 13; x < 15; x++ {
				pixels[(i*mnist.Side+y)*mnist.Side+x] = 255
			}
		}
	}
	info := mnist.Info()
	info.Preprocess = data.Preprocess{}
	bars, err := data.New(pixels, make([]uint8, n), info)
	require.NoError(t, err)
	set, images, angles, err := turned(bars, 1)
	require.NoError(t, err)
	x, target := make([]float32, mnist.Side*mnist.Side), make([]float32, 1)
	smallest, largest := 0., 0.
	for i := range n {
		require.NoError(t, set.Read(i, data.Example{X: x, Targets: target}))
		require.Equal(t, images[i*len(x):(i+1)*len(x)], x)
		require.InDelta(t, angles[i], widest*float64(target[0]), 1e-4)
		require.InDelta(t, leaning(x), angles[i], .5)
		smallest, largest = min(smallest, angles[i]), max(largest, angles[i])
	}
	require.Less(t, smallest, -widest/2.)
	require.Greater(t, largest, widest/2.)
}
