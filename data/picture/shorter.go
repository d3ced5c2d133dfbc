package picture

import (
	"errors"
	"fmt"
	"image"
	"math"
	"strconv"
	"strings"

	"golang.org/x/image/draw"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/shape"
)

// Shorter is a conversion from a picture of any size to an input: it scales the shorter side to the
// given number of pixels, keeping the aspect ratio, and cuts out the centre in the size of the
// input. Scaling is linear and averages when it reduces, as in Pillow and torchvision.
type Shorter int

// ImageNet returns the usual preprocessing for testing networks on ImageNet: the shorter side is
// 256 pixels, and red, green and blue are normalised by the mean and standard deviation of the
// training images. Inputs are (3,224,224), or another size up to 256.
func ImageNet() data.Preprocess {
	return data.Preprocess{Image: Shorter(256).String(), Mean: []float32{.485, .456, .406}, Std: []float32{.229, .224, .225}}
}

const prefix = "shorter-"

// String returns the name of s in [data.Preprocess]: "shorter-256".
func (s Shorter) String() string { return prefix + strconv.Itoa(int(s)) }

// ParseShorter returns the Shorter whose String is name, or false.
func ParseShorter(name string) (Shorter, bool) {
	number, ok := strings.CutPrefix(name, prefix)
	n, err := strconv.Atoi(number)
	return Shorter(n), ok && err == nil && n > 0 && n <= maxShorter && Shorter(n).String() == name
}

const maxShorter = 1 << 14

// Check returns an error if s cannot make inputs of the given shape, which must be (3,H,W) in
// colour or (1,H,W) in grey.
func (s Shorter) Check(input shape.Shape) error {
	if !input.Concrete() || input.Rank() != 3 || input.Int(0) != 1 && input.Int(0) != 3 {
		return fmt.Errorf("pictures as inputs of shape %v: want (3,H,W) or (1,H,W)", input)
	}
	if s < 1 || s > maxShorter {
		return fmt.Errorf("pictures scaled to a shorter side of %d: want 1 to %d", int(s), maxShorter)
	}
	if h, w := input.Int(1), input.Int(2); h < 1 || w < 1 || h > int(s) || w > int(s) {
		return fmt.Errorf("inputs of %d by %d cut from pictures whose shorter side is %d: want 1 to %d", h, w, int(s), int(s))
	}
	return nil
}

// Prepare returns img as an input of the given shape, row-major: intensities from 0 to 1, to be
// normalised by [data.Preprocess.Apply]. Transparent pixels are black.
func (s Shorter) Prepare(img image.Image, input shape.Shape) ([]float32, error) {
	if err := s.Check(input); err != nil {
		return nil, err
	}
	x := make([]float32, input.Len())
	if err := s.Fill(x, img, input); err != nil {
		return nil, err
	}
	return x, nil
}

// Fill is [Shorter.Prepare] into x, whose length is the number of elements of the input. Check must
// accept the shape.
func (s Shorter) Fill(x []float32, img image.Image, input shape.Shape) error {
	if img == nil {
		return errors.New("no picture: it is nil")
	}
	if err := s.Check(input); err != nil {
		return err
	}
	if len(x) != input.Len() {
		return fmt.Errorf("room for %d elements; want %d, of %v", len(x), input.Len(), input)
	}
	from := img.Bounds()
	if from.Empty() {
		return fmt.Errorf("a picture of %d by %d pixels", from.Dx(), from.Dy())
	}
	to := s.size(from.Size())
	if to.X > maxScaled/from.Dy() {
		return fmt.Errorf("a picture of %d by %d pixels is too long or too large to be scaled", from.Dx(), from.Dy())
	}
	cut := image.NewRGBA(image.Rect(0, 0, input.Int(2), input.Int(1)))
	offset := image.Pt(centre(to.X, cut.Rect.Dx()), centre(to.Y, cut.Rect.Dy()))
	draw.BiLinear.Scale(cut, image.Rectangle{Max: to}.Sub(offset), img, from, draw.Src, nil)
	if input.Int(0) == 1 {
		grey(x, cut.Pix)
	} else {
		colours(x, cut.Pix)
	}
	return nil
}

// maxScaled is the largest number of pixels of a picture with one side scaled, 256 MiB.
const maxScaled = 1 << 23

// size returns the size that a picture of the given size is scaled to. As in torchvision, fractions
// of a pixel are dropped.
func (s Shorter) size(of image.Point) image.Point {
	if of.X < of.Y {
		return image.Pt(int(s), int(s)*of.Y/of.X)
	}
	return image.Pt(int(s)*of.X/of.Y, int(s))
}

// centre returns where the middle n of all pixels begin; halves are rounded to even, as in
// torchvision.
func centre(all, n int) int { return int(math.RoundToEven(float64(all-n) / 2)) }

// colours splits pixels of red, green, blue and opacity into planes.
func colours(x []float32, pix []uint8) {
	n := len(x) / 3
	r, g, b := x[:n], x[n:2*n], x[2*n:]
	for i := range r {
		p := pix[4*i : 4*i+3]
		r[i], g[i], b[i] = float32(p[0])/255, float32(p[1])/255, float32(p[2])/255
	}
}

// grey computes the luma of pixels, by ITU-R BT.601.
func grey(x []float32, pix []uint8) {
	for i := range x {
		p := pix[4*i : 4*i+3]
		x[i] = (.299*float32(p[0]) + .587*float32(p[1]) + .114*float32(p[2])) / 255
	}
}
