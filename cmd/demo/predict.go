package main

import (
	"context"
	"fmt"
	"image"
	_ "image/jpeg" // the formats that pictures may have
	_ "image/png"
	"io"
	"os"
	"strings"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/mnist"
)

// prepares turns a picture into intensities, by the name of the way in [data.Preprocess].
var prepares = map[string]func(image.Image) ([]float32, error){
	mnist.ImagePrep: mnist.Prepare,
}

func predict(ctx context.Context, c *call) error {
	weights := c.String("weights", "runs/lenet/model.safetensors", "weights `file`")
	top := c.Int("top", 3, "how many classes to print")
	engineName := c.String("engine", "cpu", "one of "+list(engines()))
	if err := c.parse(true); err != nil {
		return err
	}
	if c.NArg() == 0 {
		return usagef("no picture; give the path of a PNG or JPEG file")
	}
	if *top < 1 {
		return usagef("-top %d: at least 1", *top)
	}
	_, p, err := loadPredictor(*weights, *engineName)
	if err != nil {
		return err
	}
	for _, path := range c.Args() {
		x, err := readPicture(path, p.Info().Preprocess)
		if err != nil {
			return err
		}
		probabilities, err := p.Predict(ctx, x)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		var classes []string
		for _, k := range p.Top(*top, probabilities) {
			classes = append(classes, fmt.Sprintf("%s %.2f%%", k.Name, 100*k.Probability))
		}
		fmt.Fprintf(c.stdout, "%s: %s\n", path, strings.Join(classes, "  "))
	}
	return nil
}

// readPicture returns a picture as the input of a model.
func readPicture(path string, p data.Preprocess) ([]float32, error) {
	prepare, ok := prepares[p.Image]
	if !ok {
		return nil, fmt.Errorf("the weights name the preprocessing %q, which demo does not have", p.Image)
	}
	img, err := decodeFile(path)
	if err != nil {
		return nil, err
	}
	x, err := prepare(img)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	p.Apply(x)
	return x, nil
}

func decodeFile(path string) (image.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	img, err := decode(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return img, nil
}

// maxPixels bounds pictures, before memory is taken for them.
const maxPixels = 1 << 26

// decode reads a PNG or JPEG picture.
func decode(r io.ReadSeeker) (image.Image, error) {
	c, _, err := image.DecodeConfig(r)
	if err != nil {
		return nil, fmt.Errorf("no picture that can be read, PNG or JPEG: %w", err)
	}
	if c.Width > maxPixels/max(c.Height, 1) {
		return nil, fmt.Errorf("a picture of %d by %d pixels is too large; at most %d pixels", c.Width, c.Height, maxPixels)
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	img, _, err := image.Decode(r)
	if err != nil {
		return nil, fmt.Errorf("the picture is damaged: %w", err)
	}
	return img, nil
}
