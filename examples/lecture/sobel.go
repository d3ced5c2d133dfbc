package lecture

import (
	"context"
	"math"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/viz"
	"github.com/plexaura/plexaura/vm"
)

// sobels are the filters of Sobel: differences of neighbours in one direction, smoothed in the
// other.
var sobels = [2][]float64{
	{1, 0, -1, 2, 0, -2, 1, 0, -1}, // brighter on one side than on the other: vertical edges
	{1, 2, 1, 0, 0, 0, -1, -2, -1}, // brighter above than below: horizontal edges
}

// sobel finds the vertical and the horizontal edges of a photograph.
func sobel(ctx context.Context, b *Board) error {
	photo, says, err := b.photograph(1, 1024)
	if err != nil {
		return err
	}
	b.doing("two convolutions of %d by %d pixels", photo.w, photo.h)
	edges, err := edgesOf(ctx, photo)
	if err != nil {
		return err
	}
	vertical, horizontal := edges[0], edges[1]
	both := make([]float64, len(vertical)) // the length of the gradient
	for i := range both {
		both[i] = math.Hypot(vertical[i], horizontal[i])
	}

	b.say("This is %s. Each of the two filters of Sobel, 3 by 3 weights, is slid over it; the border is continued by its mirror image, "+
		"so that the result has the picture's size. It is shown by its magnitude: bright where the picture has an edge of that direction. Together they are the gradient, whose length shows edges of any direction.", says)
	b.numbers(
		number{"height", float64(photo.h), "%g pixels"},
		number{"width", float64(photo.w), "%g pixels"},
		number{"vertical edges, least", least(vertical), "%g"},
		number{"vertical edges, greatest", -least(negated(vertical)), "%g"},
		number{"horizontal edges, least", least(horizontal), "%g"},
		number{"horizontal edges, greatest", -least(negated(horizontal)), "%g"},
		number{"vertical edges, mean magnitude", magnitude(vertical) / float64(len(vertical)), "%.2f"},
		number{"horizontal edges, mean magnitude", magnitude(horizontal) / float64(len(horizontal)), "%.2f"},
		number{"edges of any direction, mean magnitude", magnitude(both) / float64(len(both)), "%.2f"},
	)
	b.say("The convolution is that of mathematics, as in SciPy, so the filters are turned by half a turn before they are slid. Pixels are " +
		"whole numbers from 0 to 255, and so are the results: in float64 they are exact.")
	return b.drawEdges(photo, vertical, horizontal, both)
}

func (b *Board) drawEdges(photo grey, vertical, horizontal, both []float64) error {
	return b.draw("sobel", "the picture, the magnitude of its vertical and of its horizontal edges, and that of both", viz.Images{
		Title: "Sobel filters",
		Tiles: []viz.Tile{
			tile("picture", photo.h, photo.w, photo.pix),
			tile("vertical edges", photo.h, photo.w, vertical),
			tile("horizontal edges", photo.h, photo.w, horizontal),
			tile("both: the length of the gradient", photo.h, photo.w, both),
		},
		Columns: 2,
	})
}

// edgesOf convolves a picture with both filters, as scipy.signal.convolve2d does with
// boundary='symm', mode='same'.
func edgesOf(ctx context.Context, photo grey) (edges [2][]float64, err error) {
	g := graph.New()
	x := g.Input("picture", shape.F64(1, 1, shape.Dim(photo.h), shape.Dim(photo.w))) // (N,C,H,W)
	border := ops.PadOp{Mode: ops.PadSymmetric}
	border.Before[2], border.After[2] = 1, 1
	border.Before[3], border.After[3] = 1, 1
	framed := ops.Pad(x, border)

	var maps []*graph.Node
	for _, f := range sobels {
		w := g.Const(shape.F64(1, 1, 3, 3), reversed(f)) // (filters, channels, height, width), turned round
		maps = append(maps, ops.Conv2D(framed, w, ops.Conv2DOp{}))
	}
	values, err := compute(ctx, vm.NewStore(0), maps, feed{x, floats(photo.pix, 1, 1, photo.h, photo.w)})
	if err != nil {
		return edges, err
	}
	for i, v := range values {
		edges[i] = v.Data().([]float64)
	}
	return edges, nil
}

// magnitude is the sum of magnitudes.
func magnitude(v []float64) (s float64) {
	for _, x := range v {
		s += math.Abs(x)
	}
	return s
}
