package viz

import (
	"image/color"
	"math"
)

var (
	white     = color.RGBA{255, 255, 255, 255}
	ink       = color.RGBA{0x22, 0x22, 0x22, 255}
	faint     = color.RGBA{0x6b, 0x6b, 0x6b, 255}
	pale      = color.RGBA{0xb4, 0xb4, 0xb4, 255}
	gridline  = color.RGBA{0xe6, 0xe6, 0xe6, 255}
	absent    = color.RGBA{0xf0, 0xf0, 0xf0, 255} // a class without samples
	undefined = color.RGBA{0xd5, 0x5e, 0x00, 255} // a pixel that is NaN
)

// palette is that of Okabe and Ito (2008), which is suitable for colour-blind readers, without its
// yellow, which is too light for a line on white.
var palette = [...]color.RGBA{
	{0x00, 0x72, 0xb2, 255}, // blue
	{0xd5, 0x5e, 0x00, 255}, // vermilion
	{0x00, 0x9e, 0x73, 255}, // bluish green
	{0xcc, 0x79, 0xa7, 255}, // reddish purple
	{0xe6, 0x9f, 0x00, 255}, // orange
	{0x56, 0xb4, 0xe9, 255}, // sky blue
	{0x33, 0x33, 0x33, 255}, // near black
}

// ramp goes from white to dark blue. Every channel decreases, and so does lightness.
var ramp = [...]color.RGBA{
	{0xff, 0xff, 0xff, 255},
	{0xb8, 0xd5, 0xeb, 255},
	{0x7a, 0xb3, 0xd9, 255},
	{0x3f, 0x8f, 0xc5, 255},
	{0x12, 0x56, 0xa0, 255},
	{0x08, 0x26, 0x60, 255},
}

// shade returns the colour of a fraction in [0, 1]. The scale is its square root, so that an error
// of one percent is visible next to a diagonal of 99.
func shade(fraction float64) color.RGBA {
	at := math.Sqrt(clamp(fraction, 0, 1)) * float64(len(ramp)-1)
	i := min(int(at), len(ramp)-2)
	return mix(ramp[i], ramp[i+1], at-float64(i))
}

func mix(a, b color.RGBA, t float64) color.RGBA {
	channel := func(x, y uint8) uint8 { return uint8(math.Round(float64(x) + t*(float64(y)-float64(x)))) }
	return color.RGBA{channel(a.R, b.R), channel(a.G, b.G), channel(a.B, b.B), 255}
}

// luma returns the perceived lightness of a colour, 0 to 255 (Rec. 601 weights).
func luma(c color.RGBA) float64 {
	return 0.299*float64(c.R) + 0.587*float64(c.G) + 0.114*float64(c.B)
}

// readableOn returns a text colour that is readable on a background.
func readableOn(c color.RGBA) color.RGBA {
	if luma(c) < 140 {
		return white
	}
	return ink
}

func clamp(x, lo, hi float64) float64 { return math.Max(lo, math.Min(hi, x)) }
