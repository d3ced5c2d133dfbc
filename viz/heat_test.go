package viz

import (
	"encoding/xml"
	"errors"
	"image/color"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var nan = float32(math.NaN())

func TestColoursOfMapsSayTheirSign(t *testing.T) {
	d := Diverging([]float32{2, 0, -2, nan, -1}, 1, 5, 0)
	at := func(x int) color.RGBA { return d.color(0, x, 0, 1) }
	require.Equal(t, white, at(1), "0 is white")
	require.Greater(t, at(0).R, at(0).B, "positive is red")
	require.Greater(t, at(2).B, at(2).R, "negative is blue")
	require.Equal(t, undefined, at(3))
	require.Greater(t, luma(at(4)), luma(at(2)), "half as much is paler")
	require.Equal(t, at(0), Diverging([]float32{9}, 1, 1, 2).color(0, 0, 0, 1), "what is beyond the scale has its colour")

	h := Heat([]float32{0, 1, 2, 4, -4}, 1, 5, 4)
	for x := range 3 {
		require.Less(t, luma(h.color(0, x, 0, 1)), luma(h.color(0, x+1, 0, 1)), "more is brighter")
	}
	require.Equal(t, h.color(0, 0, 0, 1), h.color(0, 4, 0, 1), "what is negative is as 0")
	require.Equal(t, white, Diverging([]float32{0}, 1, 1, 0).color(0, 0, 0, 1), "nothing but zeros")
}

func TestAnOverlayKeepsThePictureWhereThereIsNoHeat(t *testing.T) {
	picture := Tile{C: 1, H: 2, W: 8, Pix: make([]float32, 16)}
	for i := range picture.Pix {
		picture.Pix[i] = .5
	}
	o := Overlay(picture, []float32{0, 1}, 1, 2)
	require.Equal(t, [3]int{3, 2, 8}, [3]int{o.C, o.H, o.W})
	require.Equal(t, color.RGBA{128, 128, 128, 255}, o.color(1, 0, 0, 1))
	hot := o.color(1, 7, 0, 1)
	require.Greater(t, int(hot.R), int(hot.B)+50)
	middle := o.color(0, 4, 0, 1)
	require.Greater(t, hot.R, middle.R, "heat is stretched linearly")
	require.Greater(t, middle.R, uint8(128))

	_, err := Images{Tiles: []Tile{Overlay(picture, []float32{0, 1}, 2, 2)}}.Render()
	require.Error(t, err, "a map that is not h×w")
}

func TestAMosaicHasAPixelAValueAndTransparentGaps(t *testing.T) {
	img, err := Mosaic{Tiles: []Tile{
		{C: 1, H: 2, W: 2, Pix: []float32{0, 1, 1, 0}},
		{C: 3, H: 2, W: 2, Pix: []float32{1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0}},
		{C: 1, H: 1, W: 1, Pix: []float32{nan}},
	}, Columns: 2, Gap: 1, Lo: 0, Hi: 1}.Render()
	require.NoError(t, err)
	require.Equal(t, [2]int{5, 5}, [2]int{img.Rect.Dx(), img.Rect.Dy()})
	require.Equal(t, color.RGBA{255, 255, 255, 255}, img.RGBAAt(1, 0))
	require.Equal(t, color.RGBA{0, 0, 0, 255}, img.RGBAAt(1, 1))
	require.Equal(t, color.RGBA{255, 0, 0, 255}, img.RGBAAt(3, 1))
	require.Equal(t, undefined, img.RGBAAt(0, 3))
	for _, at := range [][2]int{{2, 0}, {0, 2}, {1, 4}, {4, 4}} {
		require.Zero(t, img.RGBAAt(at[0], at[1]), "%v is no tile's", at)
	}
	square, err := Mosaic{Tiles: make5x1(7)}.Render()
	require.NoError(t, err)
	require.Equal(t, [2]int{3, 3}, [2]int{square.Rect.Dx(), square.Rect.Dy()}, "a square that holds seven")

	for want, m := range map[string]Mosaic{
		"0 tiles":    {},
		"2 channels": {Tiles: []Tile{{C: 2, H: 1, W: 1, Pix: []float32{1, 1}}}},
		"gaps of -1": {Tiles: make5x1(1), Gap: -1},
		"too large":  {Tiles: []Tile{big(), big(), big(), big(), big(), big(), big(), big(), big()}, Gap: 9},
	} {
		_, err := m.Render()
		require.ErrorContains(t, err, want)
	}
}

func make5x1(n int) (tiles []Tile) {
	for range n {
		tiles = append(tiles, Tile{C: 1, H: 1, W: 1, Pix: []float32{1}})
	}
	return tiles
}

func big() Tile { return Tile{C: 1, H: maxTile, W: maxTile, Pix: bigPix} }

var bigPix = make([]float32, maxTile*maxTile)

func TestATileIsReducedByMeans(t *testing.T) {
	tile := Tile{C: 1, H: 2, W: 4, Pix: []float32{1, 3, 5, 7, 1, 3, 5, 7}}
	require.Equal(t, Tile{C: 1, H: 1, W: 2, Pix: []float32{2, 6}}, tile.Within(2))
	require.Equal(t, tile, tile.Within(4), "what is small enough stays")
	require.Equal(t, Tile{C: 1, H: 1, W: 3, Pix: []float32{1, 3, 6}}, tile.Within(3))
}

// texts are the parts of an SVG by element; it fails where the XML is not well formed.
func texts(t *testing.T, svg []byte) map[string]int {
	count := map[string]int{}
	d := xml.NewDecoder(strings.NewReader(string(svg)))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return count
		}
		require.NoError(t, err)
		if e, ok := token.(xml.StartElement); ok {
			count[e.Name.Local]++
		}
	}
}

func TestAScatterKeepsProportions(t *testing.T) {
	svg, err := Scatter{
		X: []float64{0, 10, 0, 5}, Y: []float64{0, 0, 20, 5}, Class: []int{0, 1, 2, 12}, Classes: []string{"a<b>", "c", "d\x1b", "never"},
	}.SVG()
	require.NoError(t, err)
	require.Equal(t, map[string]int{"svg": 1, "circle": 4, "title": 4, "text": 3}, texts(t, svg))
	require.Contains(t, string(svg), "a&lt;b&gt;")
	var at [][2]float64
	for _, m := range regexp.MustCompile(`cx="([\d.]+)" cy="([\d.]+)"`).FindAllStringSubmatch(string(svg), -1) {
		x, _ := strconv.ParseFloat(m[1], 64)
		y, _ := strconv.ParseFloat(m[2], 64)
		require.True(t, 0 < x && x < scatterW && 0 < y && y < scatterH, "%v", m)
		at = append(at, [2]float64{x, y})
	}
	require.InDelta(t, 2*(at[1][0]-at[0][0]), at[0][1]-at[2][1], .3, "one scale, and y upwards")

	one, err := Scatter{X: []float64{3}, Y: []float64{3}}.SVG()
	require.NoError(t, err)
	require.Equal(t, 1, texts(t, one)["circle"])
	_, err = Scatter{}.SVG()
	require.NoError(t, err)
	for _, bad := range []Scatter{{X: []float64{1}}, {X: []float64{1}, Y: []float64{1}, Class: []int{}}, {X: []float64{math.NaN()}, Y: []float64{1}}} {
		_, err := bad.SVG()
		require.Error(t, err)
	}
	require.NotEqual(t, classColor(3), classColor(13))
}

func TestBarsAreSquareRootsOfCounts(t *testing.T) {
	svg := string(Bars{0, 1, 4}.SVG())
	require.Equal(t, map[string]int{"svg": 1, "path": 1}, texts(t, []byte(svg)))
	require.Equal(t, 2, strings.Count(svg, "M"), "no bar for nothing")
	require.Contains(t, svg, "v-22.00")
	require.Contains(t, svg, "v-44.00")
	texts(t, Bars{}.SVG())
	texts(t, Bars{0, 0}.SVG())
}
