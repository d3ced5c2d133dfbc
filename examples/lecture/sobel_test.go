package lecture

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// scipys is what SciPy's convolve2d makes of the photograph; testdata/sobel.py writes it.
type scipys struct {
	SHA256    string
	Least     float64
	Greatest  float64
	Magnitude float64              `json:"sum of magnitudes"`
	Rows      map[string][]float64 // a few of them
}

func readScipys(t *testing.T) (each [2]scipys, both float64) {
	t.Helper()
	text, err := os.ReadFile("testdata/sobel.json")
	require.NoError(t, err)
	var file struct {
		Vertical, Horizontal scipys
		Both                 struct {
			Mean float64 `json:"mean magnitude"`
		}
	}
	require.NoError(t, json.Unmarshal(text, &file))
	return [2]scipys{file.Vertical, file.Horizontal}, file.Both.Mean
}

// TestSobelIsSciPysToTheLastBit compares all 2·512·512 values, by their bits: the rows say where it
// goes wrong.
func TestSobelIsSciPysToTheLastBit(t *testing.T) {
	photo, _, err := NewBoard(Options{}).photograph(1, 1024)
	require.NoError(t, err)
	edges, err := edgesOf(t.Context(), photo)
	require.NoError(t, err)
	both, _ := readScipys(t)
	for i, want := range both {
		require.Len(t, want.Rows, 3)
		for row, values := range want.Rows {
			r, err := strconv.Atoi(row)
			require.NoError(t, err)
			require.Equal(t, values, edges[i][r*photo.w:(r+1)*photo.w], "row %d", r)
		}
		require.Equal(t, want.SHA256, checksum(edges[i]))
	}
}

// checksum is the SHA-256 of float64 values, little-endian; a zero has no sign in it.
func checksum(v []float64) string {
	h := sha256.New()
	for _, x := range v {
		_ = binary.Write(h, binary.LittleEndian, math.Float64bits(x+0))
	}
	return hex.EncodeToString(h.Sum(nil))
}

func TestSobel(t *testing.T) {
	b := taught(t, "sobel")
	require.Equal(t, 512., b.value(t, "height"))
	require.Equal(t, 512., b.value(t, "width"))
	each, both := readScipys(t)
	require.InDelta(t, both, b.value(t, "edges of any direction, mean magnitude"), 1e-9)
	for i, name := range []string{"vertical", "horizontal"} {
		want := each[i]
		require.Equal(t, want.Least, b.value(t, name+" edges, least"))
		require.Equal(t, want.Greatest, b.value(t, name+" edges, greatest"))
		require.Equal(t, want.Magnitude/(512*512), b.value(t, name+" edges, mean magnitude"))
	}
	require.Len(t, b.Figures(), 1)
}

// A picture of the user's has any size and colours: half of it black, half white, one edge.
func TestSobelOfAPictureOfTheUsers(t *testing.T) {
	for _, c := range []struct{ w, h, shownW, shownH float64 }{
		{4, 3, 4, 3}, {1, 1, 1, 1}, {2, 1, 2, 1}, {1, 70, 1, 70}, {3000, 40, 1024, 13}, {30_000, 2, 1024, 1},
	} {
		img := image.NewNRGBA(image.Rect(7, -5, 7+int(c.w), -5+int(c.h)))
		for y := range int(c.h) {
			for x := range int(c.w) {
				img.Set(7+x, y-5, color.Gray{uint8(255 * (2 * x / int(c.w)))})
			}
		}
		b := NewBoard(Options{Image: img, Short: true})
		require.NoError(t, sobel(t.Context(), b))
		require.Equal(t, c.shownW, b.value(t, "width"))
		require.Equal(t, c.shownH, b.value(t, "height"))
		require.Zero(t, b.value(t, "horizontal edges, mean magnitude"))
		switch greatest := b.value(t, "vertical edges, greatest"); {
		case c.w == 1:
			require.Zero(t, greatest)
		case c.w == c.shownW:
			require.Equal(t, 4*255., greatest)
		default: // scaling has blurred the edge
			require.Greater(t, greatest, 3*255.)
		}
		_, err := png.Decode(bytes.NewReader(b.Figures()[0].Data))
		require.NoError(t, err)
	}
	_, _, err := NewBoard(Options{Image: image.NewGray(image.Rectangle{})}).photograph(1, 1024)
	require.EqualError(t, err, "your picture in grey, 0 by 0 pixels: at least 1 by 1 are needed")
}
