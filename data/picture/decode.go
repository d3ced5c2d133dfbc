package picture

import (
	"errors"
	"fmt"
	"image"
	"io"

	"github.com/plexaura/plexaura/internal/regular"
)

// Limits of pictures, checked before memory is allocated. MaxSide, of width and height, is the
// limit of JPEG; decoding MaxPixels takes up to about a gigabyte.
const (
	MaxPixels = 1 << 26
	MaxSide   = 1<<16 - 1
)

// Decode reads a PNG, JPEG, WebP, GIF, BMP or TIFF picture, of an animated GIF the first, of at most [MaxPixels] and [MaxSide]. If the Exif data
// of a PNG, JPEG or WebP, or the tag Orientation of a TIFF, say that the picture is stored rotated or mirrored, as phones do, it is
// returned upright.
func Decode(r io.ReadSeeker) (image.Image, error) {
	if r == nil {
		return nil, errors.New("nothing to read a picture from: the reader is nil")
	}
	size, format, err := config(r)
	if err != nil {
		return nil, err
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	img, _, err := image.Decode(r)
	if err != nil {
		return nil, fmt.Errorf("the picture is damaged: %w", err)
	}
	if format == "gif" {
		return whole(img, size), nil
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return upright(img, orientationOf(r, format)), nil
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
