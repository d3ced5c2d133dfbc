package lecture

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// hogImage is the image of testdata/hog.py.
func hogImage(p, height, width int) []float64 {
	image := make([]float64, height*width)
	for i := range image {
		x, y := i%width, i/width
		v := float64((7919*i+131*p)%1009) / 1009
		switch {
		case p == 0:
			image[i] = v + float64(x)/16
		case p == 1 && (x > 4 && x < 11 && y > 2 && y < 9 || x > 13 && y > 5):
			image[i] = v
		case p == 1:
			image[i] = .25
		default:
			image[i] = .5
		}
	}
	return image
}

func TestHistogramsOfOrientedGradientsEqualScikitImages(t *testing.T) {
	file, err := os.ReadFile("testdata/hog.json")
	require.NoError(t, err)
	var cases []struct {
		Image, Height, Width, Orientations, Cell, Block int
		Features                                        []float64
	}
	require.NoError(t, json.Unmarshal(file, &cases))
	require.Len(t, cases, 5)
	for _, c := range cases {
		h := hog{orientations: c.Orientations, cell: c.Cell, block: c.Block}
		got := h.of(hogImage(c.Image, c.Height, c.Width), c.Height, c.Width)
		require.Len(t, got, h.size(c.Height, c.Width))
		require.InDeltaSlice(t, c.Features, got, 1e-7) // scikit-image adds up the votes of a cell in float32
	}
}

// TestHistogramsDoNotChangeWithTheLight: with contrast and brightness of the whole picture.
func TestHistogramsDoNotChangeWithTheLight(t *testing.T) {
	h := hog{orientations: 9, cell: 4, block: 2}
	image := hogImage(0, 28, 28)
	want := h.of(image, 28, 28)
	for i := range image {
		image[i] = .25*image[i] + .5
	}
	require.InDeltaSlice(t, want, h.of(image, 28, 28), 1e-6)
}

func TestHandOverSaysFromWhereOnLearntFeaturesWin(t *testing.T) {
	sizes := []int{10, 100, 1000}
	require.Contains(t, handOver(sizes, []float64{5, 4, 3}, []float64{4, 5, 2}), "err in 5.0 % of all cases and LeNet in 4.0 %; with 1000 in 3.0 % and 2.0 %. From 1000 images on LeNet errs less often.")
	require.Contains(t, handOver(sizes, []float64{5, 4, 3}, []float64{4, 3, 2}), "LeNet errs less often with any number.")
	require.Contains(t, handOver(sizes, []float64{5, 4, 3}, []float64{4, 3, 3}), "too few for LeNet to err less often.")
}

func TestHandcrafted(t *testing.T) {
	b := trained(t, "handcrafted")
	few, many := "30", "1000"
	if *long {
		many = "10000"
	}
	byHand, pixels, learnt := "histograms, linear, ", "pixels, linear, ", "LeNet, "
	for _, n := range []string{few, many} {
		require.Less(t, b.value(t, byHand+n), b.value(t, pixels+n)-3, n)
	}
	require.Less(t, b.value(t, byHand+few), b.value(t, learnt+few), "with few images nothing learnt is as good")
	require.Less(t, b.value(t, learnt+many), b.value(t, learnt+few)-4)
	if *long {
		require.Less(t, b.value(t, learnt+many), b.value(t, byHand+many)-.5, "with many images learnt features win")
	}
}
