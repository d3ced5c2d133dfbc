package picture

import (
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // the formats that pictures may have
	_ "image/png"
	"io"

	"github.com/plexaura/plexaura/internal/regular"
)

// Limits of pictures, checked before memory is allocated. MaxSide, of width and height, is the
// limit of JPEG; decoding MaxPixels takes up to about a gigabyte.
const (
	MaxPixels = 1 << 26
	MaxSide   = 1<<16 - 1
)

// Decode reads a PNG or JPEG picture of at most [MaxPixels] and [MaxSide]. If the Exif data say
// that the picture is stored rotated or mirrored, as phones do, it is returned upright.
func Decode(r io.ReadSeeker) (image.Image, error) {
	if r == nil {
		return nil, errors.New("nothing to read a picture from: the reader is nil")
	}
	c, _, err := image.DecodeConfig(r)
	if err != nil {
		return nil, fmt.Errorf("no picture that can be read, PNG or JPEG: %w", err)
	}
	switch {
	case c.Width > MaxSide || c.Height > MaxSide:
		return nil, fmt.Errorf("a picture of %d by %d pixels is too long; at most %d", c.Width, c.Height, MaxSide)
	case c.Width > MaxPixels/max(c.Height, 1):
		return nil, fmt.Errorf("a picture of %d by %d pixels is too large; at most %d pixels", c.Width, c.Height, MaxPixels)
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	img, _, err := image.Decode(r)
	if err != nil {
		return nil, fmt.Errorf("the picture is damaged: %w", err)
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return upright(img, orientationOf(r)), nil
}

// DecodeFile is [Decode] of a regular file. Errors name it.
func DecodeFile(path string) (image.Image, error) {
	f, err := regular.Open(path)
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
