package viz

import (
	"fmt"
	"image"
	"image/color"
)

// Mosaic draws tiles side by side without captions, one pixel per value: channels of a layer,
// filters, patches. Gaps between tiles, and around tiles that are smaller than others, are
// transparent. A pixel that is NaN is vermilion.
type Mosaic struct {
	Tiles []Tile
	// Lo and Hi are the values drawn as black and as full brightness, as in Images: if both are 0,
	// those of each tile.
	Lo, Hi  float32
	Columns int // default: a square
	Gap     int // pixels between tiles
}

// Render draws the picture. It fails if the number of values of a tile is not C×H×W or C is not 1
// or 3, if there are no tiles, or if the mosaic is too large.
func (m Mosaic) Render() (*image.RGBA, error) {
	if err := (Images{Tiles: m.Tiles, Lo: m.Lo, Hi: m.Hi, Columns: m.Columns}).check(); err != nil {
		return nil, err
	}
	if len(m.Tiles) == 0 || m.Gap < 0 || m.Gap > 64 {
		return nil, fmt.Errorf("viz: a mosaic of %d tiles with gaps of %d pixels: at least one tile, gaps up to 64", len(m.Tiles), m.Gap)
	}
	columns := m.Columns
	for columns == 0 || m.Columns == 0 && columns*columns < len(m.Tiles) {
		columns++
	}
	columns = min(columns, len(m.Tiles))
	rows := (len(m.Tiles) + columns - 1) / columns
	var h, w int
	for _, t := range m.Tiles {
		h, w = max(h, t.H), max(w, t.W)
	}
	width, height := columns*(w+m.Gap)-m.Gap, rows*(h+m.Gap)-m.Gap
	if width > maxPixels/height {
		return nil, fmt.Errorf("viz: a mosaic of %d×%d pixels is too large: draw fewer or smaller tiles", width, height)
	}
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for i, t := range m.Tiles {
		corner := image.Pt(i%columns*(w+m.Gap)+(w-t.W)/2, i/columns*(h+m.Gap)+(h-t.H)/2)
		lo, hi := float64(m.Lo), float64(m.Hi)
		if lo == 0 && hi == 0 {
			lo, hi = t.bounds()
		}
		t.paint(img, corner, lo, hi)
	}
	return img, nil
}

func (t Tile) paint(img *image.RGBA, corner image.Point, lo, hi float64) {
	for y := range t.H {
		for x := range t.W {
			img.SetRGBA(corner.X+x, corner.Y+y, t.color(y, x, lo, hi))
		}
	}
}

// Within returns the tile, reduced to means of its values so that no side is longer than side.
func (t Tile) Within(side int) Tile {
	if side < 1 || t.H <= side && t.W <= side || len(t.Pix) != t.C*t.H*t.W {
		return t
	}
	most := max(t.H, t.W)
	h, w := max(1, t.H*side/most), max(1, t.W*side/most)
	small := Tile{Caption: t.Caption, C: t.C, H: h, W: w, Pix: make([]float32, t.C*h*w)}
	for c := range t.C {
		for y := range h {
			for x := range w {
				small.Pix[(c*h+y)*w+x] = t.mean(c, y*t.H/h, (y+1)*t.H/h, x*t.W/w, (x+1)*t.W/w)
			}
		}
	}
	return small
}

// mean returns the mean of a part of a channel.
func (t Tile) mean(c, top, bottom, left, right int) float32 {
	sum := 0.
	for y := top; y < bottom; y++ {
		for x := left; x < right; x++ {
			sum += float64(t.Pix[(c*t.H+y)*t.W+x])
		}
	}
	return float32(sum / float64((bottom-top)*(right-left)))
}

// classColors are those of Tableau's palette, which are visible on white and on black.
var classColors = [...]color.RGBA{
	{0x4e, 0x79, 0xa7, 255}, {0xf2, 0x8e, 0x2b, 255}, {0xe1, 0x57, 0x59, 255}, {0x76, 0xb7, 0xb2, 255}, {0x59, 0xa1, 0x4f, 255},
	{0xd4, 0xa9, 0x1e, 255}, {0xb0, 0x7a, 0xa1, 255}, {0xff, 0x9d, 0xa7, 255}, {0x9c, 0x75, 0x5f, 255}, {0x8f, 0x8a, 0x86, 255},
}
