package picture

import (
	"fmt"
	"image"
	_ "image/jpeg" // the formats that pictures may have
	_ "image/png"
	"io"
	"os"
)

// MaxPixels bounds pictures, before memory is taken for them.
const MaxPixels = 1 << 26

// Decode reads a PNG or JPEG picture of at most [MaxPixels].
func Decode(r io.ReadSeeker) (image.Image, error) {
	c, _, err := image.DecodeConfig(r)
	if err != nil {
		return nil, fmt.Errorf("no picture that can be read, PNG or JPEG: %w", err)
	}
	if c.Width > MaxPixels/max(c.Height, 1) {
		return nil, fmt.Errorf("a picture of %d by %d pixels is too large; at most %d pixels", c.Width, c.Height, MaxPixels)
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

// DecodeFile is [Decode] of a file. Errors name it.
func DecodeFile(path string) (image.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	img, err := Decode(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return img, nil
}
