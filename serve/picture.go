package serve

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"math"
	"net/http"

	"github.com/plexaura/plexaura/data/picture"
	"github.com/plexaura/plexaura/internal/rescue"
)

// maxPixels is how many pixels a picture may have. Few are decoded at a time, each in up to 16 bytes
// a pixel.
const maxPixels = 1 << 24

// decodePicture fills c with the picture in body, as the row that the classifier makes of it.
func (s *Server) decodePicture(ctx context.Context, e *entry, c *call, body []byte) error {
	if e.classes == nil {
		return refuse(http.StatusUnsupportedMediaType, "the model takes no pictures; send JSON")
	}
	select {
	case s.decoding <- struct{}{}:
		defer func() { <-s.decoding }()
	case <-ctx.Done():
		return late(ctx)
	}
	size, _, err := image.DecodeConfig(bytes.NewReader(body))
	if err == nil && size.Width > maxPixels/max(size.Height, 1) {
		return fmt.Errorf("a picture of %d by %d pixels is too large; at most %d pixels", size.Width, size.Height, maxPixels)
	}
	img, err := picture.Decode(bytes.NewReader(body))
	if err != nil {
		return err
	}
	g := e.use()
	defer e.release(g)
	var x []float32
	err = rescue.Do(func() (err error) {
		x, err = g.model.(Classifier).Prepare(img)
		return err
	})
	if err != nil {
		return err
	}
	row := e.inputs[0].Row
	if len(x) != row.Len() {
		return refuse(http.StatusInternalServerError, "the model makes %d numbers of a picture, a row has %d", len(x), row.Len())
	}
	c.fit(1)
	c.own[0] = grown(c.own[0], row.Bytes())
	for i, v := range x {
		native.PutUint32(c.own[0][4*i:], math.Float32bits(v))
	}
	c.in[0], c.rows, c.answers = c.own[0], 1, c.answers[:0]
	for i := range e.outputs {
		c.answers = append(c.answers, answer{index: i})
	}
	return nil
}
