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

func TestHandcrafted(t *testing.T) {
	b := trained(t, "handcrafted")
	few, many := "100", "1000"
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
