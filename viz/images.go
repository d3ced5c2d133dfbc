package viz

import (
	"fmt"
	"image"
	"image/color"
	"math"
)

// Tile is one picture of a grid: Pix holds C×H×W values, channel by channel, rows from the top.
type Tile struct {
	Caption string
	C, H, W int // C is 1 (grey) or 3 (red, green, blue)
	Pix     []float32
}

// Images draws tiles in a grid, row by row, with captions below: filters, misclassified digits. The
// tiles may differ in size. A pixel that is NaN is vermilion.
type Images struct {
	Title string
	Tiles []Tile
	// Lo and Hi are the values drawn as black and as full brightness; values outside are clamped.
	// If both are 0 (the default), each tile ranges from its smallest to its largest finite value.
	Lo, Hi  float32
	Columns int // default: a grid somewhat wider than high
	Zoom    int // pixels per value, 1 to 64; default: about 96 pixels for the largest tile
}

// maxTile is the largest side of a tile. Products of sides do not overflow.
const maxTile = 4096

// Render draws the picture. It fails if the number of values of a tile is not C×H×W or C is not 1
// or 3, or if the grid is too large.
func (im Images) Render() (*image.RGBA, error) {
	if err := im.check(); err != nil {
		return nil, err
	}
	c, err := newCanvas()
	if err != nil {
		return nil, err
	}
	if err := im.draw(c); err != nil {
		return nil, err
	}
	return c.RGBA, nil
}

func (im Images) check() error {
	if im.Columns < 0 || im.Zoom < 0 || im.Zoom > 64 {
		return fmt.Errorf("viz: a grid of %d columns at zoom %d: columns from 1, zoom 1 to 64, or 0 for the default", im.Columns, im.Zoom)
	}
	if (im.Lo != 0 || im.Hi != 0) && !(im.Lo < im.Hi) {
		return fmt.Errorf("viz: an image range from %g to %g: Lo must be below Hi", im.Lo, im.Hi)
	}
	for i, t := range im.Tiles {
		if t.C != 1 && t.C != 3 {
			return fmt.Errorf("viz: image %d (%q) has %d channels: 1 (grey) or 3 (RGB) can be drawn", i, t.Caption, t.C)
		}
		if t.H < 1 || t.W < 1 || t.H > maxTile || t.W > maxTile {
			return fmt.Errorf("viz: image %d (%q) is %d×%d: each side 1 to %d", i, t.Caption, t.H, t.W, maxTile)
		}
		if len(t.Pix) != t.C*t.H*t.W {
			return fmt.Errorf("viz: image %d (%q) has %d values, but %d×%d×%d needs %d", i, t.Caption, len(t.Pix), t.C, t.H, t.W, t.C*t.H*t.W)
		}
	}
	return nil
}

// grid is the layout of the tiles: cells of w by h pixels for pictures, with captions below.
type grid struct {
	columns, rows, zoom int
	w, h, caption       int
	gapX, gapY          int
}

func (im Images) layout(c *canvas) grid {
	g := grid{zoom: im.Zoom, columns: im.Columns, gapX: 14, gapY: 16}
	var tallest, widest, text int
	for _, t := range im.Tiles {
		tallest, widest = max(tallest, t.H), max(widest, t.W)
		if t.Caption != "" {
			text, g.caption = max(text, c.width(bodyStyle, t.Caption)), 20
		}
	}
	if g.zoom == 0 {
		g.zoom = min(64, max(1, 96/max(tallest, widest, 1)))
	}
	if g.columns == 0 {
		g.columns = int(math.Ceil(math.Sqrt(1.6 * float64(len(im.Tiles)))))
	}
	g.columns = max(1, min(g.columns, len(im.Tiles)))
	g.rows = (len(im.Tiles) + g.columns - 1) / g.columns
	g.h = tallest * g.zoom
	g.w = max(widest*g.zoom, min(text, 180))
	return g
}

func (im Images) draw(c *canvas) error {
	g := im.layout(c)
	top := margin
	w := 2*margin + g.columns*(g.w+g.gapX) - g.gapX
	if im.Title != "" {
		top += 40
		w = max(w, min(2*margin+c.width(titleStyle, im.Title), 600))
	}
	w = max(w, 160)
	h := top + max(g.rows*(g.h+g.caption+g.gapY)-g.gapY, 40) + margin
	if err := c.open(w, h); err != nil {
		return err
	}
	c.text(titleStyle, margin, margin+c.capHeight(titleStyle), left, ink, c.fit(titleStyle, im.Title, w-2*margin))
	if len(im.Tiles) == 0 {
		c.middle(bodyStyle, w/2, (top+h-margin)/2, center, faint, "no images")
	}
	for i, t := range im.Tiles {
		cell := image.Pt(margin+i%g.columns*(g.w+g.gapX), top+i/g.columns*(g.h+g.caption+g.gapY))
		corner := cell.Add(image.Pt((g.w-t.W*g.zoom)/2, (g.h-t.H*g.zoom)/2))
		im.tile(c, t, corner, g.zoom)
		c.text(bodyStyle, cell.X+g.w/2, cell.Y+g.h+18, center, ink, c.fit(bodyStyle, t.Caption, g.w))
	}
	return nil
}

func (im Images) tile(c *canvas, t Tile, corner image.Point, zoom int) {
	lo, hi := float64(im.Lo), float64(im.Hi)
	if lo == 0 && hi == 0 {
		lo, hi = t.bounds()
	}
	for y := range t.H {
		for x := range t.W {
			at := corner.Add(image.Pt(x*zoom, y*zoom))
			c.fill(image.Rectangle{at, at.Add(image.Pt(zoom, zoom))}, t.color(y, x, lo, hi))
		}
	}
	c.frame(image.Rectangle{corner, corner.Add(image.Pt(t.W*zoom, t.H*zoom))}, pale)
}

// bounds returns the smallest and the largest finite value, or 0 and 0 if there are none.
func (t Tile) bounds() (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, v := range t.Pix {
		if v := float64(v); !math.IsInf(v, 0) && !math.IsNaN(v) {
			lo, hi = math.Min(lo, v), math.Max(hi, v)
		}
	}
	if lo > hi {
		return 0, 0
	}
	return lo, hi
}

func (t Tile) color(y, x int, lo, hi float64) color.RGBA {
	var rgb [3]uint8
	for i := range rgb {
		v := float64(t.Pix[((i%t.C)*t.H+y)*t.W+x])
		if math.IsNaN(v) {
			return undefined
		}
		rgb[i] = brightness(v, lo, hi)
	}
	return color.RGBA{rgb[0], rgb[1], rgb[2], 255}
}

// brightness returns 0 at lo and 255 at hi. If they are equal it returns the middle.
func brightness(v, lo, hi float64) uint8 {
	switch {
	case v < lo || (v == lo && lo < hi):
		return 0
	case v > hi:
		return 255
	case lo == hi:
		return 128
	}
	return uint8(math.Round(255 * (v - lo) / (hi - lo)))
}
