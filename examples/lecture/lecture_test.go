package lecture

import (
	"bytes"
	"image/png"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// taught runs the short form of a chapter.
func taught(t *testing.T, name string) *Board {
	t.Helper()
	c, err := Find(name)
	require.NoError(t, err)
	b := NewBoard(Options{Short: true, Seed: 1})
	require.NoError(t, c.Run(t.Context(), b))
	for _, f := range b.Figures() {
		require.NotEmpty(t, f.Alt)
		if strings.HasSuffix(f.Name, ".png") {
			_, err := png.Decode(bytes.NewReader(f.Data))
			require.NoError(t, err)
		}
	}
	return b
}

// value is a number that the chapter printed.
func (b *Board) value(t *testing.T, name string) float64 {
	t.Helper()
	v, ok := b.Value(name)
	require.True(t, ok, "no number is called %q", name)
	return v
}

func TestEveryChapterHasAFileOfItsNameAndSaysWhatItShows(t *testing.T) {
	for _, c := range Chapters() {
		_, err := os.Stat(c.Name + ".go")
		require.NoError(t, err)
		require.NotEmpty(t, c.Title)
		require.NotEmpty(t, c.Says)
		for _, p := range c.Papers {
			require.True(t, strings.HasPrefix(p.URL, "https://"), p)
		}
	}
	_, err := Find("sobel?")
	require.ErrorContains(t, err, `no chapter "sobel?"; there are edges, smooth, sobel`)
}

func TestEdges(t *testing.T) {
	b := taught(t, "edges")
	require.Equal(t, 5., b.value(t, "falls before"))
	require.Equal(t, 8., b.value(t, "rises before"))
	require.Equal(t, 4., b.value(t, "edges"))
	require.LessOrEqual(t, b.value(t, "largest difference of the framework from the loops"), 1e-15)
	require.Zero(t, b.value(t, "largest sum of convolution and cross-correlation"))
	require.Len(t, b.Figures(), 1)
}

func TestSmooth(t *testing.T) {
	b := taught(t, "smooth")
	require.InDelta(t, 1, b.value(t, "sum of the filter"), 1e-15)
	require.Equal(t, 1., b.value(t, "steepest step of the signal"))
	require.Less(t, b.value(t, "steepest step of the result"), .2)
	require.LessOrEqual(t, b.value(t, "largest difference of the framework from the loops"), 1e-15)
	// numpy.convolve(signal, filter, "valid").min()
	require.InDelta(t, 0.5138950267091668, b.value(t, "least of the result"), 1e-15)
}
