package watch

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
)

// The maps of a convolution are those of the loops that define it, as far as bytes can tell.
func TestMapsAreWhatTheLayersMake(t *testing.T) {
	c := config(t)
	r := NewRun(Options{})
	result, err := fit(t, c, r)
	require.NoError(t, err)
	require.Len(t, r.maps, maxExamples)

	w, err := watchedAt(c, result)
	require.NoError(t, err)
	all, err := w.maps(context.Background())
	require.NoError(t, err)
	weight, err := result.Checkpoint.Store.Value("conv.weight")
	require.NoError(t, err)
	bias, err := result.Checkpoint.Store.Value("conv.bias")
	require.NoError(t, err)
	for i, m := range all {
		require.Equal(t, []string{"column", "row"}[i%2], m.Label)
		x, conv := example(w.batch.x, i), m.Layers[0]
		require.Equal(t, "conv Conv2D (3,8,8) 3 8 8", fmt.Sprintln(conv.Name, conv.Op, conv.Shape, conv.Channels, conv.Height, conv.Width)[:25])
		for k, pixel := range conv.Pixels {
			ch, at := k/64, k%64
			want := float64(bias.Float32s()[ch])
			for dy := range 3 {
				for dx := range 3 {
					y, xx := at/8+dy-1, at%8+dx-1
					if y >= 0 && y < 8 && xx >= 0 && xx < 8 {
						want += float64(x[y*8+xx]) * float64(weight.Float32s()[ch*9+dy*3+dx])
					}
				}
			}
			have := float64(conv.Least) + float64(pixel)/255*float64(conv.Most-conv.Least)
			require.InDelta(t, want, have, float64(conv.Most-conv.Least)/500)
		}
	}
	var names []string
	for _, l := range all[0].Layers {
		names = append(names, l.Name+" "+l.Op)
	}
	require.Equal(t, []string{"conv Conv2D", "norm Add", "2 ReLU", "3 MaxPool2D", "fc MatMul"}, names)
	require.Zero(t, all[0].Layers[2].Least, "of ReLU")
}

func watchedAt(c train.Config, result *train.Result) (*watched, error) {
	w, _, err := watchedOf(c, train.Start{Checkpoint: result.Checkpoint})
	return w, err
}

func TestLargeMapsAreMeansOfBlocks(t *testing.T) {
	const side = 2*maxSide - 1 // the last block is half
	v := make([]float32, 40*side*side)
	for i := range v {
		v[i] = float32(i % side)
	}
	m := draw("a", "B", shape.Of(40, side, side), v)
	require.Equal(t, maxChannels, m.Channels)
	require.Equal(t, maxSide, m.Height)
	require.Equal(t, maxSide, m.Width)
	require.Len(t, m.Pixels, maxChannels*maxSide*maxSide)
	require.EqualValues(t, .5, m.Least)
	require.EqualValues(t, side-1, m.Most)
	require.EqualValues(t, 255, m.Pixels[maxSide-1])

	long := draw("a", "B", shape.Of(100000), make([]float32, 100000))
	require.Len(t, long.Pixels, maxNumbers)
	signal := draw("a", "B", shape.Of(2, 1000), make([]float32, 2000))
	require.Equal(t, []int{2, 1, 56}, []int{signal.Channels, signal.Height, signal.Width})
	require.Equal(t, 2, signal.Flat)
}

func TestMapsThatAreNotFiniteAreDrawn(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	m := draw("a", "B", shape.Of(4), []float32{nan, 1, 3, inf})
	require.Equal(t, []byte{0, 0, 255, 0}, m.Pixels)
	m = draw("a", "B", shape.Of(2), []float32{nan, nan})
	require.Equal(t, []byte{0, 0}, m.Pixels)
	m = draw("a", "B", shape.Of(2), []float32{-math.MaxFloat32, math.MaxFloat32})
	require.Equal(t, []byte{0, 255}, m.Pixels)
}

// What is shown of one example is float32, whatever the network gives.
func TestAnExampleOfAnyTypeIsShown(t *testing.T) {
	for _, d := range shape.DTypes() {
		b := engine.BufferAt(engine.Aligned(6*d.Width()), d, 6)
		engine.Load(b, []float64{1, 0, 1, 1, 1, 0})
		require.Equal(t, []float32{1, 1, 0}, example(engine.DenseOf(shape.Of(2, 3), b), 1), d)
	}
}
