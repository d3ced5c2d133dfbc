package main

import (
	"context"
	"fmt"
	"image"
	"strings"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/mnist"
	"github.com/plexaura/plexaura/data/picture"
	"github.com/plexaura/plexaura/internal/plain"
)

func predict(ctx context.Context, c *call) error {
	pick := c.pickNetwork()
	top := c.Int("top", 3, "how many classes to print")
	fewer := c.pickFewerBits()
	if err := c.parse(true); err != nil {
		return err
	}
	opts, err := fewer.options()
	if err != nil {
		return err
	}
	if c.NArg() == 0 {
		return usagef("no picture; give the path of a PNG, JPEG, WebP, GIF, BMP or TIFF file")
	}
	w, err := pick.load()
	if err != nil {
		return err
	}
	if err := w.named(); err != nil {
		return err
	}
	p, err := w.predictor(opts...)
	if err != nil {
		return err
	}
	for _, path := range c.Args() {
		x, err := readPicture(path, p.Info())
		if err != nil {
			return err
		}
		probabilities, err := p.Predict(ctx, x)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		var classes []string
		for _, k := range p.Top(*top, probabilities) {
			classes = append(classes, fmt.Sprintf("%s %.2f%%", plain.Name(k.Name), 100*k.Probability))
		}
		if _, err := fmt.Fprintf(c.stdout, "%s: %s\n", plain.Name(path), strings.Join(classes, "  ")); err != nil {
			return err
		}
	}
	return nil
}

// readPicture returns a picture as the input of a model.
func readPicture(path string, info data.Info) ([]float32, error) {
	prepare, err := prepareFor(info)
	if err != nil {
		return nil, err
	}
	img, err := picture.DecodeFile(path)
	if err != nil {
		return nil, err
	}
	x, err := prepare(img)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	info.Preprocess.Apply(x)
	return x, nil
}

// prepareFor finds the way from pictures to intensities by its name in [data.Preprocess].
func prepareFor(info data.Info) (func(image.Image) ([]float32, error), error) {
	name := info.Preprocess.Image
	if name == mnist.ImagePrep {
		return mnist.Prepare, nil
	}
	if way, ok := picture.ParseShorter(name); ok {
		return func(img image.Image) ([]float32, error) { return way.Prepare(img, info.Input.Shape) }, nil
	}
	return nil, fmt.Errorf("the weights name the preprocessing %q, which this program does not have", name)
}
