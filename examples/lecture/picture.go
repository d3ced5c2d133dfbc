package lecture

import (
	"bytes"
	_ "embed"
	"fmt"
	"image"
	"image/color"

	"golang.org/x/image/draw"

	"github.com/plexaura/plexaura/data/picture"
	"github.com/plexaura/plexaura/viz"
)

//go:embed pictures/ascent.png
var ascent []byte // in the public domain; see pictures/LICENSE

// longest is the longer side, in pixels, to which a larger picture is scaled down.
const longest = 1024

// grey is a picture as intensities from 0, black, to 255, rows from above.
type grey struct {
	h, w int
	pix  []float64
}

// photograph returns the user's picture, or that of the lecture, and says which.
func (b *Board) photograph() (p grey, says string, err error) {
	if b.Image == nil {
		img, err := picture.Decode(bytes.NewReader(ascent))
		if err != nil {
			return grey{}, "", err
		}
		p = greyOf(img)
		return p, fmt.Sprintf("SciPy's photograph of a staircase, %d by %d pixels", p.w, p.h), nil
	}
	size := b.Image.Bounds().Size()
	if size.X < 1 || size.Y < 1 {
		return grey{}, "", fmt.Errorf("the picture has %d by %d pixels: at least one is needed", size.X, size.Y)
	}
	img := scaledDown(b.Image, longest)
	p = greyOf(img)
	says = fmt.Sprintf("your picture in grey, %d by %d pixels", p.w, p.h)
	if img != b.Image {
		says += fmt.Sprintf(" (scaled down from %d by %d)", size.X, size.Y)
	}
	return p, says, nil
}

// scaledDown returns img with a longer side of at most so many pixels, and its aspect.
func scaledDown(img image.Image, most int) image.Image {
	size := img.Bounds().Size()
	longer := max(size.X, size.Y)
	if longer <= most {
		return img
	}
	to := image.NewRGBA(image.Rect(0, 0, max(1, size.X*most/longer), max(1, size.Y*most/longer)))
	draw.BiLinear.Scale(to, to.Rect, img, img.Bounds(), draw.Src, nil)
	return to
}

// greyOf takes the luma of pixels, by ITU-R BT.601, in whole numbers; what is transparent is black.
func greyOf(img image.Image) grey {
	r := img.Bounds()
	p := grey{h: r.Dy(), w: r.Dx()}
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			p.pix = append(p.pix, float64(color.GrayModel.Convert(img.At(x, y)).(color.Gray).Y))
		}
	}
	return p
}

// tile is a plane of values as viz draws it, by their magnitude.
func tile[X float32 | float64](caption string, h, w int, v []X) viz.Tile {
	t := viz.Tile{Caption: caption, C: 1, H: h, W: w}
	for _, x := range v {
		t.Pix = append(t.Pix, float32(max(x, -x)))
	}
	return t
}
