package main

import (
	"fmt"
	"image"
	"image/color"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/picture"
	"github.com/plexaura/plexaura/shape"
)

// scaled is a dataset whose small images are prepared as pictures are.
type scaled struct {
	data.Dataset // of intensities
	from         shape.Shape
	info         data.Info
	way          picture.Shorter
}

// scale returns ds, images (1,H,W) in grey or (3,H,W) in colour, as inputs of another shape:
// each becomes a picture of H by W pixels, with 256 steps of intensity, that is prepared and
// normalised as p says. Its Image is the name of a [picture.Shorter].
func scale(ds data.Dataset, input shape.Shape, p data.Preprocess) (data.Dataset, error) {
	info := ds.Info()
	from := info.Input.Shape
	if from.Rank() != 3 || from.Int(0) != 1 && from.Int(0) != 3 {
		return nil, fmt.Errorf("images of %v to scale: want (1,H,W) or (3,H,W)", from)
	}
	way, ok := picture.ParseShorter(p.Image)
	if !ok {
		return nil, fmt.Errorf("preprocessing %q; want that of a picture.Shorter, such as %q", p.Image, picture.ImageNet().Image)
	}
	if err := way.Check(input); err != nil {
		return nil, err
	}
	info.Input, info.Preprocess = info.Input.Of(input), p
	if err := info.Err(); err != nil {
		return nil, err
	}
	raw, err := data.WithPreprocess(ds, data.Preprocess{})
	return scaled{raw, from, info, way}, err
}

func (d scaled) Info() data.Info { return d.info }

// Path implements [data.Filed].
func (d scaled) Path(i int) string { return data.Path(d.Dataset, i) }

// Label implements [data.Labelled].
func (d scaled) Label(i int) (int32, bool) {
	if l, ok := d.Dataset.(data.Labelled); ok {
		return l.Label(i)
	}
	return 0, false
}

// Read scales image i.
func (d scaled) Read(i int, e data.Example) error {
	if len(e.X) != d.info.Input.Len() {
		return fmt.Errorf("room for %d elements; want %v", len(e.X), d.info.Input)
	}
	small := e
	small.X = make([]float32, d.from.Len())
	if err := d.Dataset.Read(i, small); err != nil {
		return err
	}
	if err := d.way.Fill(e.X, pixels(small.X, d.from), d.info.Input.Shape); err != nil {
		return fmt.Errorf("image %d: %w", i, err)
	}
	d.info.Preprocess.Apply(e.X)
	return nil
}

// pixels draws intensities of the given shape.
func pixels(x []float32, s shape.Shape) image.Image {
	h, w := s.Int(1), s.Int(2)
	bounds, plane := image.Rect(0, 0, w, h), h*w
	if s.Int(0) == 1 {
		img := image.NewGray(bounds)
		for i, v := range x {
			img.Pix[i] = step(v)
		}
		return img
	}
	img := image.NewRGBA(bounds)
	for i := range plane {
		img.SetRGBA(i%w, i/w, color.RGBA{step(x[i]), step(x[plane+i]), step(x[2*plane+i]), 255})
	}
	return img
}

// step is the nearest of the 256 steps.
func step(v float32) uint8 { return uint8(max(0, min(255, 255*v+.5))) }
