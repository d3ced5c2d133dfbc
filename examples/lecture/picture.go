package lecture

import (
	"bytes"
	_ "embed"
	"fmt"
	"image"
	"image/color"
	"math"

	"golang.org/x/image/draw"

	"github.com/plexaura/plexaura/data/picture"
	"github.com/plexaura/plexaura/viz"
)

//go:embed pictures/ascent.png
var ascent []byte // in the public domain; see pictures/LICENSE

// grey is a picture as intensities from 0, black, to 255, rows from above.
type grey struct {
	h, w int
	pix  []float64
}

// photograph returns the user's picture, or that of the lecture, and says which. One with a side of
// more than most pixels is scaled down; one that then has a side of fewer than least is an error.
func (b *Board) photograph(least, most int) (p grey, says string, err error) {
	img, what := b.Image, "your picture in grey"
	if img == nil {
		if img, err = picture.Decode(bytes.NewReader(ascent)); err != nil {
			return grey{}, "", err
		}
		what = "SciPy's photograph of a staircase"
	}
	size := img.Bounds().Size()
	p = greyOf(scaledDown(img, most))
	says = fmt.Sprintf("%s, %d by %d pixels", what, p.w, p.h)
	if max(size.X, size.Y) > most {
		says += fmt.Sprintf(" (scaled down from %d by %d)", size.X, size.Y)
	}
	if min(p.w, p.h) < least {
		return grey{}, "", fmt.Errorf("%s: at least %d by %d are needed", says, least, least)
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

// intensities are the pixels from 0 to 1.
func (p grey) intensities() []float64 {
	v := make([]float64, len(p.pix))
	for i, x := range p.pix {
		v[i] = x / 255
	}
	return v
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
func tile(caption string, h, w int, v []float64) viz.Tile {
	t := viz.Tile{Caption: caption, C: 1, H: h, W: w}
	for _, x := range v {
		t.Pix = append(t.Pix, float32(math.Abs(x)))
	}
	return t
}
