package inspectpage

import (
	"bytes"
	"encoding/base64"
	"html/template"
	"image"
	"image/color"
	"image/png"
	"math"
	"slices"

	"github.com/plexaura/plexaura/inspect"
	"github.com/plexaura/plexaura/viz"
)

// figure is a picture with its caption.
type figure struct {
	URL           template.URL
	W             int // on the page, in pixels; the height follows
	Alt           string
	Name, Caption string
	Sharp         bool // pixels are drawn as squares
}

// picture turns a drawing into a figure, with zoom pixels of the page for each of its pixels.
func (m *maker) picture(img *image.RGBA, err error, zoom int) (f figure, _ error) {
	if err != nil {
		return f, err
	}
	var b bytes.Buffer
	if err := png.Encode(&b, paletted(img)); err != nil {
		return f, err
	}
	url := "data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())
	if m.bytes += len(url); m.bytes > MaxPage {
		return f, errTooLarge
	}
	return figure{URL: template.URL(url), W: img.Rect.Dx() * zoom, Sharp: zoom > 1}, nil
}

// paletted returns img with a palette if it has few colours, which reduces its file to a third.
func paletted(img *image.RGBA) image.Image {
	index, palette := map[color.RGBA]uint8{}, color.Palette{}
	out := image.NewPaletted(img.Rect, nil)
	for i := 0; i < len(img.Pix); i += 4 {
		c := color.RGBA{img.Pix[i], img.Pix[i+1], img.Pix[i+2], img.Pix[i+3]}
		k, known := index[c]
		if !known {
			if len(palette) == 256 {
				return img
			}
			k = uint8(len(palette))
			index[c], palette = k, append(palette, c)
		}
		out.Pix[i/4] = k
	}
	out.Palette = palette
	return out
}

// mosaic returns tiles side by side, each about the given number of pixels wide on the page.
func (m *maker) mosaic(tiles []viz.Tile, columns, gap, about int) (figure, error) {
	widest := 1
	for _, t := range tiles {
		widest = max(widest, t.W)
	}
	img, err := viz.Mosaic{Tiles: tiles, Columns: columns, Gap: gap, Lo: 0, Hi: 1}.Render()
	return m.picture(img, err, max(1, about/widest))
}

// photo returns an input, or a part of one, as a tile from 0 to 1.
func (m *maker) photo(x []float32, h, w int) viz.Tile {
	x = slices.Clone(x)
	m.info.Preprocess.Undo(x)
	c := len(x) / (h * w)
	if c != 1 && c != 3 { // not colours: show the mean of the channels
		grey := make([]float32, h*w)
		for i, v := range x {
			grey[i%(h*w)] += v / float32(c)
		}
		c, x = 1, unit(grey)
	}
	return viz.Tile{C: c, H: h, W: w, Pix: x}
}

// unit scales values to [0,1].
func unit(v []float32) []float32 {
	lo, hi := slices.Min(v), slices.Max(v)
	out := make([]float32, len(v))
	for i := range v {
		if hi > lo {
			out[i] = (v[i] - lo) / (hi - lo)
		}
	}
	return out
}

// signed returns values (C,h,w) around 0 as a tile: one channel in red and blue, three as colours
// around grey.
func signed(v []float32, h, w int, scale float32) viz.Tile {
	c := len(v) / (h * w)
	if c != 3 {
		sum := make([]float32, h*w)
		for i, x := range v {
			sum[i%(h*w)] += x
		}
		return viz.Diverging(sum, h, w, scale)
	}
	if scale == 0 {
		scale = magnitude(v)
	}
	pix := make([]float32, len(v))
	for i, x := range v {
		pix[i] = .5
		if scale > 0 {
			pix[i] += x / (2 * scale)
		}
	}
	return viz.Tile{C: 3, H: h, W: w, Pix: pix}
}

// magnitude returns the largest magnitude.
func magnitude(v []float32) (most float32) {
	for _, x := range v {
		most = max(most, float32(math.Abs(float64(x))))
	}
	return most
}

// tiles draws the first channels of a layer's maps, all on the same scale, in red and blue if some
// values are negative.
func (m *maker) tiles(maps inspect.Map) (all []viz.Tile) {
	shown := min(maps.C, m.Channels)
	v := maps.V[:shown*maps.H*maps.W]
	scale := magnitude(v)
	for c := range shown {
		tile := viz.Diverging(maps.Channel(c), maps.H, maps.W, scale)
		if slices.Min(v) >= 0 {
			tile = viz.Heat(maps.Channel(c), maps.H, maps.W, scale)
		}
		all = append(all, tile.Within(mapSide))
	}
	return all
}

// The longest sides with which maps and patches are drawn, to keep the page small.
const mapSide, patchSide = 40, 36
