package viz

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"

	"github.com/plexaura/plexaura/internal/plain"
)

// maxPixels limits a picture to 256 MiB of memory.
const maxPixels = 1 << 26

// point is a position on the canvas in pixels, y downwards.
type point struct{ x, y float64 }

// canvas is a picture with the fonts and state for drawing on it.
type canvas struct {
	*image.RGBA
	raster        vector.Rasterizer
	regular, bold *opentype.Font
	faces         map[style]font.Face
}

// style is a size in pixels and a weight.
type style struct {
	size float64
	bold bool
}

// newCanvas returns a canvas with fonts but without a picture: text is measured before the size is
// known.
func newCanvas() (*canvas, error) {
	regular, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return nil, fmt.Errorf("viz: the regular font: %w", err)
	}
	bold, err := opentype.Parse(gobold.TTF)
	if err != nil {
		return nil, fmt.Errorf("viz: the bold font: %w", err)
	}
	return &canvas{regular: regular, bold: bold, faces: map[style]font.Face{}}, nil
}

// open creates the picture, w by h white pixels.
func (c *canvas) open(w, h int) error {
	if w < 1 || h < 1 || w > maxPixels/h {
		return fmt.Errorf("viz: a picture of %d×%d pixels is too large: draw fewer or smaller parts", w, h)
	}
	c.RGBA = image.NewRGBA(image.Rect(0, 0, w, h))
	c.fill(c.Rect, white)
	return nil
}

func (c *canvas) fill(r image.Rectangle, col color.Color) {
	draw.Draw(c, r, image.NewUniform(col), image.Point{}, draw.Src)
}

// frame draws a line of one pixel just outside r.
func (c *canvas) frame(r image.Rectangle, col color.Color) {
	out := r.Inset(-1)
	c.fill(image.Rect(out.Min.X, out.Min.Y, out.Max.X, r.Min.Y), col)
	c.fill(image.Rect(out.Min.X, r.Max.Y, out.Max.X, out.Max.Y), col)
	c.fill(image.Rect(out.Min.X, out.Min.Y, r.Min.X, out.Max.Y), col)
	c.fill(image.Rect(r.Max.X, out.Min.Y, out.Max.X, out.Max.Y), col)
}

// polygons fills the union of convex polygons with the same orientation, antialiased.
func (c *canvas) polygons(shapes [][]point, col color.Color) {
	box := bounds(shapes).Intersect(c.Rect)
	if box.Empty() {
		return
	}
	c.raster.Reset(box.Dx(), box.Dy())
	at := func(p point) (x, y float32) {
		return float32(p.x - float64(box.Min.X)), float32(p.y - float64(box.Min.Y))
	}
	for _, shape := range shapes {
		c.raster.MoveTo(at(shape[0]))
		for _, p := range shape[1:] {
			c.raster.LineTo(at(p))
		}
		c.raster.ClosePath()
	}
	c.raster.Draw(c, box, image.NewUniform(col), image.Point{})
}

func bounds(shapes [][]point) image.Rectangle {
	lo, hi := point{math.Inf(1), math.Inf(1)}, point{math.Inf(-1), math.Inf(-1)}
	for _, shape := range shapes {
		for _, p := range shape {
			lo = point{math.Min(lo.x, p.x), math.Min(lo.y, p.y)}
			hi = point{math.Max(hi.x, p.x), math.Max(hi.y, p.y)}
		}
	}
	if lo.x > hi.x {
		return image.Rectangle{}
	}
	return image.Rect(int(math.Floor(lo.x)), int(math.Floor(lo.y)), int(math.Ceil(hi.x)), int(math.Ceil(hi.y)))
}

// stroke draws lines with round joints and ends.
func (c *canvas) stroke(lines [][]point, width float64, col color.Color) {
	var shapes [][]point
	for _, line := range lines {
		for i, p := range line {
			shapes = append(shapes, ngon(p, width/2, 12, 0))
			if i > 0 && line[i-1] != p {
				shapes = append(shapes, bar(line[i-1], p, width))
			}
		}
	}
	c.polygons(shapes, col)
}

// bar returns the rectangle around a segment. Its orientation is that of ngon, so that polygons
// fills their union.
func bar(a, b point, width float64) []point {
	length := math.Hypot(b.x-a.x, b.y-a.y)
	nx, ny := -(b.y-a.y)/length*width/2, (b.x-a.x)/length*width/2
	return []point{{a.x - nx, a.y - ny}, {b.x - nx, b.y - ny}, {b.x + nx, b.y + ny}, {a.x + nx, a.y + ny}}
}

// ngon returns a regular polygon around p, with its first corner at the given angle in turns.
func ngon(p point, radius float64, corners int, turn float64) []point {
	shape := make([]point, corners)
	for i := range shape {
		sin, cos := math.Sincos(2 * math.Pi * (turn + float64(i)/float64(corners)))
		shape[i] = point{p.x + radius*cos, p.y + radius*sin}
	}
	return shape
}

// dashed cuts lines into dashes of the given length, with gaps two thirds as long.
func dashed(lines [][]point, dash float64) [][]point {
	period := dash * 5 / 3
	var out [][]point
	for _, line := range lines {
		done := 0.0 // along this line, so that dashes continue around corners
		for i := 1; i < len(line); i++ {
			a, b := line[i-1], line[i]
			length := math.Hypot(b.x-a.x, b.y-a.y)
			for k := math.Floor(done / period); k*period < done+length; k++ {
				from, to := math.Max(k*period-done, 0), math.Min(k*period+dash-done, length)
				if from < to {
					out = append(out, []point{along(a, b, from/length), along(a, b, to/length)})
				}
			}
			done += length
		}
	}
	return out
}

func along(a, b point, t float64) point { return point{a.x + t*(b.x-a.x), a.y + t*(b.y-a.y)} }

func (c *canvas) face(s style) font.Face {
	if face, ok := c.faces[s]; ok {
		return face
	}
	f := c.regular
	if s.bold {
		f = c.bold
	}
	// At 72 dots per inch, points are pixels. NewFace does not fail for these options and our
	// fonts.
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: s.size, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		panic("viz: an embedded font has no face: " + err.Error())
	}
	c.faces[s] = face
	return face
}

// width returns the width of the text in pixels, rounded up. Characters without a glyph are shown,
// here and below, as by [plain.Name].
func (c *canvas) width(s style, text string) int {
	return font.MeasureString(c.face(s), plain.Name(text)).Ceil()
}

// capHeight returns the height of an H in pixels, by which text is centred.
func (c *canvas) capHeight(s style) int {
	return c.face(s).Metrics().CapHeight.Round()
}

// fit shortens the text to at most room pixels, with an ellipsis in place of what is left out.
func (c *canvas) fit(s style, text string, room int) string {
	text = plain.Name(text)
	if c.width(s, text) <= room {
		return text
	}
	runes := []rune(text)
	for n := len(runes); n > 0; n-- {
		short := strings.TrimRight(string(runes[:n]), " ") + "…"
		if c.width(s, short) <= room {
			return short
		}
	}
	return ""
}

// align is the part of a text that is at its x.
type align float64

const (
	left   align = 0
	center align = 0.5
	right  align = 1
)

// text writes on the baseline y.
func (c *canvas) text(s style, x, y int, a align, col color.Color, text string) {
	x -= int(math.Round(float64(a) * float64(c.width(s, text))))
	d := font.Drawer{Dst: c, Src: image.NewUniform(col), Face: c.face(s), Dot: fixed.P(x, y)}
	d.DrawString(plain.Name(text))
}

// middle writes text with its capitals centred on y.
func (c *canvas) middle(s style, x, y int, a align, col color.Color, text string) {
	c.text(s, x, y+c.capHeight(s)/2, a, col, text)
}

// upright writes text upwards, with its capitals centred on x. align is along y; left means below.
func (c *canvas) upright(s style, x, y int, a align, col color.Color, text string) {
	m := c.face(s).Metrics()
	w, h := c.width(s, text), m.Ascent.Ceil()+m.Descent.Ceil()
	mask := image.NewAlpha(image.Rect(0, 0, w, h))
	d := font.Drawer{Dst: mask, Src: image.Opaque, Face: c.face(s), Dot: fixed.P(0, m.Ascent.Ceil())}
	d.DrawString(plain.Name(text))

	turned := image.NewAlpha(image.Rect(0, 0, h, w))
	for i := range w {
		for j := range h {
			turned.SetAlpha(j, w-1-i, mask.AlphaAt(i, j))
		}
	}
	corner := image.Pt(x-m.Ascent.Ceil()+c.capHeight(s)/2, y-w+int(math.Round(float64(a)*float64(w))))
	draw.DrawMask(c, turned.Rect.Add(corner), image.NewUniform(col), image.Point{}, turned, image.Point{}, draw.Over)
}
