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
	n, _ := e.row(e.inputs[0])
	if len(x) != n {
		return refuse(http.StatusInternalServerError, "the model makes %d numbers of a picture, its input has %d", len(x), n)
	}
	c.fit(1)
	c.shapes[0] = append(c.shapes[0][:0], e.inputs[0].Shape...)
	if e.batched {
		c.shapes[0][0] = 1
	}
	c.own[0] = grown(c.own[0], 4*n)
	for i, v := range x {
		native.PutUint32(c.own[0][4*i:], math.Float32bits(v))
	}
	c.in[0], c.rows, c.answers = c.own[0], 1, c.answers[:0]
	for i, t := range e.outputs {
		if err := t.inForm(false); err != nil {
			return err
		}
		c.answers = append(c.answers, answer{index: i})
	}
	return nil
}
