package viz

import (
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"

	"github.com/plexaura/plexaura/internal/atomicfile"
)

// WritePNG writes img to the file path, atomically: on an error an existing file is unchanged.
// Equal pictures give equal bytes.
func WritePNG(path string, img image.Image) error {
	if rgba, ok := img.(*image.RGBA); img == nil || (ok && rgba == nil) { // from a Render that failed
		return errors.New("viz: no picture to write to " + path)
	}
	err := atomicfile.Write(path, func(w io.Writer) error { return png.Encode(w, img) })
	if err != nil {
		return fmt.Errorf("viz: %w", err)
	}
	return nil
}
