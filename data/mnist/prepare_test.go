package mnist

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/image/draw"
)

// gray returns pixels as a picture.
func gray(x []float32) *image.Gray {
	g := image.NewGray(image.Rect(0, 0, Side, Side))
	for i, v := range x {
		g.Pix[i] = uint8(math.Round(float64(v) * 255))
	}
	return g
}

func enlarged(g image.Image, side int) *image.Gray {
	big := image.NewGray(image.Rect(0, 0, side, side))
	draw.CatmullRom.Scale(big, big.Rect, g, g.Bounds(), draw.Src, nil)
	return big
}

// painted returns the digit of g in one colour on another.
func painted(g *image.Gray, ink, paper color.Color) image.Image {
	p := image.NewNRGBA(g.Rect)
	a, b := color.NRGBAModel.Convert(ink).(color.NRGBA), color.NRGBAModel.Convert(paper).(color.NRGBA)
	mixed := func(v, a, b uint8) uint8 { return uint8((int(v)*int(a) + (255-int(v))*int(b) + 127) / 255) }
	for i, v := range g.Pix {
		p.SetNRGBA(i%g.Stride, i/g.Stride, color.NRGBA{
			mixed(v, a.R, b.R), mixed(v, a.G, b.G), mixed(v, a.B, b.B), mixed(v, a.A, b.A),
		})
	}
	return p
}

// shifted returns g on a larger canvas, off its centre.
func shifted(g *image.Gray, canvas image.Point, at image.Point) *image.Gray {
	p := image.NewGray(image.Rectangle{Max: canvas})
	draw.Draw(p, g.Rect.Add(at), g, image.Point{}, draw.Src)
	return p
}

func throughPNG(t *testing.T, img image.Image) image.Image {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, img))
	img, err := png.Decode(&b)
	require.NoError(t, err)
	return img
}

// cosine is the likeness of two images, 1 for equal ones, at the best of the nine places
// around: where rounding moves the centre of mass by a pixel, the digit is as good.
func cosine(a, b []float32) float64 {
	best := 0.0
	for dy := -1; dy <= 1; dy++ {
		for dx := -1; dx <= 1; dx++ {
			var ab, aa, bb float64
			for i := range a {
				j := i + dy*Side + dx
				aa += float64(a[i] * a[i])
				bb += float64(b[i] * b[i])
				if 0 <= j && j < len(b) {
					ab += float64(a[i] * b[j])
				}
			}
			best = max(best, ab/math.Sqrt(aa*bb))
		}
	}
	return best
}

// Only ink fainter than 1/16 may be lost, at the edges.
func TestPrepareLeavesDigitsOfTheDatabase(t *testing.T) {
	test, err := Test()
	require.NoError(t, err)
	for i := range 200 {
		want, _ := example(t, test, i)
		got, err := Prepare(throughPNG(t, gray(want)))
		require.NoError(t, err)
		worst := 0.0
		for j := range got {
			worst = max(worst, math.Abs(float64(want[j]-got[j])))
		}
		require.Less(t, worst, 0.063, "digit %d", i)
	}
}

func TestPrepareRestoresDigits(t *testing.T) {
	white, black := color.White, color.Black
	blue, yellow := color.NRGBA{20, 30, 160, 255}, color.NRGBA{250, 240, 90, 255}
	red, green := color.NRGBA{220, 40, 40, 255}, color.NRGBA{30, 120, 90, 255} // of one brightness
	clear := color.NRGBA{}
	noise := rand.New(rand.NewPCG(1, 1))
	for name, picture := range map[string]func(g *image.Gray) image.Image{
		"small":             func(g *image.Gray) image.Image { return enlarged(g, 23) },
		"large":             func(g *image.Gray) image.Image { return enlarged(g, 300) },
		"odd":               func(g *image.Gray) image.Image { return enlarged(g, 97) },
		"inverted":          func(g *image.Gray) image.Image { return painted(g, black, white) },
		"inverted large":    func(g *image.Gray) image.Image { return painted(enlarged(g, 150), black, white) },
		"coloured":          func(g *image.Gray) image.Image { return painted(enlarged(g, 90), blue, yellow) },
		"coloured inverted": func(g *image.Gray) image.Image { return painted(enlarged(g, 90), yellow, blue) },
		"equally bright":    func(g *image.Gray) image.Image { return painted(enlarged(g, 90), red, green) },
		"faint":             func(g *image.Gray) image.Image { return painted(g, color.Gray{190}, color.Gray{230}) },
		"black, clear":      func(g *image.Gray) image.Image { return painted(g, color.NRGBA{0, 0, 0, 255}, clear) },
		"white, clear": func(g *image.Gray) image.Image {
			return painted(enlarged(g, 64), white, color.NRGBA{255, 255, 255, 0})
		},
		"half clear":     func(g *image.Gray) image.Image { return painted(g, color.NRGBA{0, 0, 0, 128}, clear) },
		"rounded corner": roundedCorners,
		"corner":         func(g *image.Gray) image.Image { return shifted(g, image.Pt(200, 90), image.Pt(165, 5)) },
		"not at origin": func(g *image.Gray) image.Image {
			return shifted(g, image.Pt(60, 60), image.Pt(20, 10)).SubImage(image.Rect(15, 5, 55, 45))
		},
		"JPEG": func(g *image.Gray) image.Image {
			var b bytes.Buffer
			require.NoError(t, jpeg.Encode(&b, painted(enlarged(g, 200), blue, white), &jpeg.Options{Quality: 50}))
			img, err := jpeg.Decode(&b)
			require.NoError(t, err)
			return img
		},
		"noisy": func(g *image.Gray) image.Image {
			big := enlarged(g, 120)
			for i, v := range big.Pix {
				big.Pix[i] = uint8(min(255, max(0, 20+200*int(v)/255+noise.IntN(9)-4)))
			}
			return big
		},
	} {
		t.Run(name, func(t *testing.T) { requireRestored(t, picture) })
	}
}

func requireRestored(t *testing.T, picture func(*image.Gray) image.Image) {
	test, err := Test()
	require.NoError(t, err)
	const n = 20
	mean := 0.0
	for i := range n {
		want, label := example(t, test, i)
		got, err := Prepare(throughPNG(t, picture(gray(want))))
		require.NoError(t, err)
		c := cosine(want, got)
		require.Greater(t, c, 0.8, "image %d, a %d", i, label)
		mean += c / n
	}
	require.Greater(t, mean, 0.94)
	t.Logf("mean likeness %.4f", mean)
}

// roundedCorners paints black on a white card with clear corners.
func roundedCorners(g *image.Gray) image.Image {
	p := painted(g, color.Black, color.White).(*image.NRGBA)
	for _, c := range []image.Point{{}, {Side - 4, 0}, {0, Side - 4}, {Side - 4, Side - 4}} {
		draw.Draw(p, image.Rectangle{c, c.Add(image.Pt(4, 4))}, image.Transparent, image.Point{}, draw.Src)
	}
	return p
}

func TestPrepareKeepsTheAspectAndCentresTheMass(t *testing.T) {
	bar := image.NewGray(image.Rect(0, 0, 100, 300))
	draw.Draw(bar, image.Rect(10, 20, 40, 140), image.White, image.Point{}, draw.Src) // 30 by 120
	x, err := Prepare(bar)
	require.NoError(t, err)
	want := image.NewGray(image.Rect(0, 0, Side, Side))
	draw.Draw(want, image.Rect(12, 4, 17, 24), image.White, image.Point{}, draw.Src) // 5 by 20
	require.Equal(t, want.Pix, gray(x).Pix)
}

func TestPrepareOfOddPictures(t *testing.T) {
	dot := image.NewGray(image.Rect(0, 0, 9, 9))
	dot.SetGray(4, 4, color.Gray{255})
	line := image.NewGray(image.Rect(0, 0, 9, 2000))
	draw.Draw(line, image.Rect(4, 10, 5, 1990), image.White, image.Point{}, draw.Src)
	lopsided := image.NewGray(image.Rect(0, 0, 50, 50)) // its centre of mass is near an end
	draw.Draw(lopsided, image.Rect(5, 5, 45, 6), image.White, image.Point{}, draw.Src)
	draw.Draw(lopsided, image.Rect(5, 5, 12, 45), image.White, image.Point{}, draw.Src)
	for _, img := range []image.Image{dot, line, lopsided, image.NewPaletted(dot.Rect, color.Palette{color.Black})} {
		x, err := Prepare(img)
		if img.ColorModel() != color.GrayModel {
			require.ErrorIs(t, err, ErrBlank)
			continue
		}
		require.NoError(t, err)
		require.Len(t, x, Side*Side)
		peak := float32(0)
		for _, v := range x {
			require.True(t, 0 <= v && v <= 1)
			peak = max(peak, v)
		}
		require.Equal(t, float32(1), peak)
	}
}

func TestPrepareRefusesBlankPictures(t *testing.T) {
	uneven := image.NewGray(image.Rect(0, 0, 50, 50)) // scanner noise
	noise := rand.New(rand.NewPCG(2, 2))
	for i := range uneven.Pix {
		uneven.Pix[i] = uint8(245 + noise.IntN(9))
	}
	for name, img := range map[string]image.Image{
		"black":       image.NewGray(image.Rect(0, 0, 28, 28)),
		"white":       painted(image.NewGray(image.Rect(0, 0, 28, 28)), color.Black, color.White),
		"transparent": image.NewNRGBA(image.Rect(0, 0, 28, 28)),
		"one pixel":   image.NewGray(image.Rect(0, 0, 1, 1)),
		"uneven":      uneven,
	} {
		_, err := Prepare(img)
		require.ErrorIs(t, err, ErrBlank, name)
	}
	for _, img := range []image.Image{image.NewGray(image.Rectangle{}), image.NewUniform(color.White), image.NewGray(image.Rect(0, 0, 1, 1<<16+1))} {
		_, err := Prepare(img)
		require.ErrorContains(t, err, "want 1 to")
	}
}

func ExamplePrepare() {
	picture := image.NewGray(image.Rect(0, 0, 120, 90)) // black on white, off the centre
	draw.Draw(picture, picture.Rect, image.White, image.Point{}, draw.Src)
	draw.Draw(picture, image.Rect(20, 10, 30, 60), image.Black, image.Point{}, draw.Src)
	x, err := Prepare(picture)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(x), "ink", x[14*Side+14], "paper", x[0])
	Info().Preprocess.Apply(x)
	fmt.Printf("ink %.2f paper %.2f\n", x[14*Side+14], x[0])
	// Output:
	// 784 ink 1 paper 0
	// ink 2.82 paper -0.42
}
