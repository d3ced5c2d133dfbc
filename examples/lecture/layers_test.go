package lecture

import (
	"image"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLayers(t *testing.T) {
	b := taught(t, "layers")
	// The example of many textbooks: 5 by 5 pixels, 3 by 3 weights.
	for i, row := range []string{"above", "centre", "below"} {
		for j, column := range []string{"left", "middle", "right"} {
			want := [3][3]float64{{4, 3, 4}, {2, 4, 3}, {2, 3, 4}}[i][j]
			require.Equal(t, want, b.value(t, row+", "+column))
		}
	}
	for name, want := range map[string]float64{
		"input channels, first": 1, "output channels, first": 8, "kernel size, first": 3, "parameters, first": 8 * (1*9 + 1),
		"map height, first": 254, "map width, first": 254,
		"input channels, second": 8, "output channels, second": 4, "kernel size, second": 5, "parameters, second": 4 * (8*25 + 1),
		"map height, second": 254, "map width, second": 254,
		"parameters of a dense layer in its place": (256*256 + 1) * 8 * 254 * 254,
	} {
		require.Equal(t, want, b.value(t, name), name)
	}
	require.LessOrEqual(t, b.value(t, "difference from the filters one by one"), 1e-14)
	require.Len(t, b.Figures(), 2)
}

// The concatenated maps are those of the filters, in their order, of which no two are alike.
func TestMapsAreInTheOrderOfTheFilters(t *testing.T) {
	photo, _, err := NewBoard(Options{}).photograph(3, 16)
	require.NoError(t, err)
	maps, err := oneByOne(t.Context(), photo)
	require.NoError(t, err)
	each := 14 * 14
	for i, f := range bank {
		one, err := conv2D(t.Context(), grey{photo.h, photo.w, photo.intensities()}, f.weights)
		require.NoError(t, err)
		require.Equal(t, one, maps[i*each:(i+1)*each])
		require.Positive(t, apart(one, maps[(i+1)%len(bank)*each:]), f.name)
	}
}

// A picture that is too small, or that becomes so because it is long, is one line.
func TestAPictureThatIsTooSmall(t *testing.T) {
	for _, c := range []struct {
		w, h    int
		chapter string
		want    string
	}{
		{2, 9, "layers", "your picture in grey, 2 by 9 pixels: at least 3 by 3 are needed"},
		{9, 3, "pooling", "your picture in grey, 9 by 3 pixels: at least 4 by 4 are needed"},
		{5000, 4, "layers", "your picture in grey, 256 by 1 pixels (scaled down from 5000 by 4): at least 3 by 3 are needed"},
	} {
		chapter, err := Find(c.chapter)
		require.NoError(t, err)
		b := NewBoard(Options{Short: true, Image: image.NewGray(image.Rect(0, 0, c.w, c.h))})
		require.EqualError(t, chapter.Run(t.Context(), b), c.want)
	}
	b := NewBoard(Options{Short: true, Image: image.NewGray(image.Rect(0, 0, 3, 3))})
	require.NoError(t, layers(t.Context(), b))
	require.Equal(t, 1., b.value(t, "map width, first"))
}
