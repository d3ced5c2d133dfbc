package mnist

import (
	"cmp"
	"errors"
	"fmt"
	"image"
	"math"
	"slices"

	"golang.org/x/image/draw"
)

// box is the side of the square that a digit is scaled to.
const box = 20

// Limits of the pictures that Prepare accepts. A picture with a longer side would be mostly border.
const (
	maxPixels = 1 << 26
	maxSide   = 1 << 16
)

// visible is the smallest contrast, of 255, that counts as ink.
const visible = 12

// ErrBlank is wrapped by the error of [Prepare] for a picture without a digit.
var ErrBlank = errors.New("the picture is blank: nothing in it differs from its border")

// Prepare turns a picture of one digit into an input like those of MNIST: (1,28,28) intensities
// from 0 for the background to 1 for ink, to be normalised by [Info]'s Preprocess. The picture may
// have any size and any colours, including transparent ones.
//
// The colour of the border is taken as the background, and pixels that differ from it as ink, so
// that black on white and white on black give the same result. As in LeCun et al. (1998), the ink
// is cropped, scaled to fit 20 by 20 pixels with its aspect ratio kept and its edges smoothed, and
// placed in 28 by 28 pixels with its centre of mass in the middle.
func Prepare(img image.Image) ([]float32, error) {
	if img == nil {
		return nil, errors.New("mnist: no picture: it is nil")
	}
	size := img.Bounds().Size()
	if size.X <= 0 || size.Y <= 0 || max(size.X, size.Y) > maxSide || size.X > maxPixels/size.Y {
		return nil, fmt.Errorf("mnist: a picture of %d by %d pixels; want 1 to %d pixels, in sides of at most %d", size.X, size.Y, maxPixels, maxSide)
	}
	picture := image.NewRGBA(image.Rectangle{Max: size})
	draw.Draw(picture, picture.Bounds(), img, img.Bounds().Min, draw.Src)
	ink, err := extract(picture)
	if err != nil {
		return nil, fmt.Errorf("mnist: %w", err)
	}
	return centre(fit(ink, bounds(ink))), nil
}

// colour is red, green and blue from 0 to 255.
type colour [3]float64

// at returns the colour of pixel i of p on the given background.
func at(p *image.RGBA, i int, background colour) (c colour) {
	through := 1 - float64(p.Pix[4*i+3])/255
	for k := range c {
		c[k] = min(255, float64(p.Pix[4*i+k])+through*background[k])
	}
	return c
}

func distance(a, b colour) float64 {
	return math.Sqrt((sq(a[0]-b[0]) + sq(a[1]-b[1]) + sq(a[2]-b[2])) / 3)
}

func sq(x float64) float64 { return x * x }

// extract returns how much each pixel differs from the background, on a scale from 0, the noise of
// the border, to 255, the largest difference.
func extract(p *image.RGBA) (*image.Gray, error) {
	border := frame(p.Rect)
	background := backgroundOf(p, border)
	ink := image.NewGray(p.Rect)
	for i := range ink.Pix {
		ink.Pix[i] = uint8(math.Round(distance(at(p, i, background), background)))
	}
	noise := make([]uint8, len(border))
	for k, i := range border {
		noise[k] = ink.Pix[i]
	}
	floor, peak := 3*float64(median(noise)), float64(slices.Max(ink.Pix))
	if peak-floor < visible {
		return nil, ErrBlank
	}
	for i, v := range ink.Pix {
		ink.Pix[i] = uint8(math.Round(255 * max(0, float64(v)-floor) / (peak - floor)))
	}
	return ink, nil
}

// frame returns the pixels along the border, in a width of 1 to 8 pixels that grows with r.
func frame(r image.Rectangle) (pixels []int) {
	inner := r.Inset(min(8, 1+min(r.Dx(), r.Dy())/32))
	for y := range r.Dy() {
		for x := 0; x < r.Dx(); x++ {
			if image.Pt(x, y).In(inner) {
				x = inner.Max.X // the first pixel outside inner
			}
			pixels = append(pixels, y*r.Dx()+x)
		}
	}
	return pixels
}

// backgroundOf returns the median colour of the border's opaque pixels. If nearly all of the border
// is transparent, so is the background; dark ink is then assumed to be on white and light ink on
// black.
func backgroundOf(p *image.RGBA, border []int) (c colour) {
	var channels [3][]float64
	for _, i := range border {
		if p.Pix[4*i+3] < 128 {
			continue
		}
		for k, v := range at(p, i, colour{}) {
			channels[k] = append(channels[k], v*255/float64(p.Pix[4*i+3]))
		}
	}
	if 4*len(channels[0]) >= len(border) {
		return colour{median(channels[0]), median(channels[1]), median(channels[2])}
	}
	light, opaque := 0.0, 0.0
	for i := 0; i < len(p.Pix); i += 4 {
		light += float64(p.Pix[i]) + float64(p.Pix[i+1]) + float64(p.Pix[i+2])
		opaque += 3 * float64(p.Pix[i+3])
	}
	if light < opaque/2 {
		return colour{255, 255, 255}
	}
	return colour{}
}

// median returns the median of s, which it sorts.
func median[T cmp.Ordered](s []T) T {
	slices.Sort(s)
	return s[len(s)/2]
}

// bounds returns the part of ink that contains the digit, without faint edges.
func bounds(ink *image.Gray) (r image.Rectangle) {
	for i, v := range ink.Pix {
		if v >= 16 {
			x, y := i%ink.Stride, i/ink.Stride
			r = r.Union(image.Rect(x, y, x+1, y+1))
		}
	}
	return r
}

// fit scales the part r of ink so that its longer side is that of the box.
func fit(ink *image.Gray, r image.Rectangle) *image.Gray {
	scale := box / float64(max(r.Dx(), r.Dy()))
	side := func(n int) int { return max(1, int(math.Round(scale*float64(n)))) }
	scaled := image.NewRGBA(image.Rect(0, 0, side(r.Dx()), side(r.Dy()))) // scaling to it is fast
	draw.CatmullRom.Scale(scaled, scaled.Rect, ink, r, draw.Src, nil)
	digit := image.NewGray(scaled.Rect)
	draw.Draw(digit, digit.Rect, scaled, image.Point{}, draw.Src)
	return digit
}

// centre places the digit in an image, with its centre of mass in the pixel (14,14) and its darkest
// ink at 1.
func centre(digit *image.Gray) []float32 {
	w, h := digit.Rect.Dx(), digit.Rect.Dy()
	var mass, mx, my float64
	for i, v := range digit.Pix {
		mass += float64(v)
		mx += float64(v) * float64(i%w)
		my += float64(v) * float64(i/w)
	}
	left := place(mx/mass, w)
	top := place(my/mass, h)
	peak := float32(slices.Max(digit.Pix))
	out := make([]float32, Side*Side)
	for i, v := range digit.Pix {
		out[(top+i/w)*Side+left+i%w] = float32(v) / peak
	}
	return out
}

// place returns where n pixels with the given centre of mass begin, such that all are inside the
// image. The centre is then from 13.5 to below 14.5, as in the database.
func place(mass float64, n int) int {
	return min(max(int(math.Ceil(13.5-mass)), 0), Side-n)
}
