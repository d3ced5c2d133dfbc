package lecture

import (
	"context"
	"fmt"
	"math"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/mnist"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/viz"
)

// handcrafted compares features designed by hand with learnt features.
func handcrafted(ctx context.Context, b *Board) error {
	h := hog{orientations: 9, cell: 4, block: 2}
	pixels, test, err := b.imagesFor(either(b, 1000, 10000), either(b, 1000, 10000))
	if err != nil {
		return err
	}
	b.doing("histograms of %d images", pixels.Len()+test.Len())
	features, err := h.dataset(pixels)
	if err != nil {
		return err
	}
	testFeatures, err := h.dataset(test)
	if err != nil {
		return err
	}
	b.say("A histogram of oriented gradients says, for each cell of %d by %d pixels, how strong the edges of each of %d directions are in it; "+
		"blocks of %d by %d cells are brought to one length, so that light and dark pictures look alike. Of an image of MNIST %d numbers come, and nothing in them "+
		"is learnt. A linear classifier on them stands against one on the pixels, and against LeNet, which learns its features.",
		h.cell, h.cell, h.orientations, h.block, h.block, h.size(mnist.Side, mnist.Side))
	return b.contest(ctx, either(b, []int{30, 1000}, []int{30, 100, 300, 1000, 3000, 10000}), []contestant{
		{"pixels, linear", dense(), pixels, test},
		{"histograms, linear", dense(), features, testFeatures},
		{"LeNet", lenet.Model, pixels, test},
	})
}

// contest trains all on more and more images. The second of them has features by hand, the third
// learnt ones.
func (b *Board) contest(ctx context.Context, sizes []int, all []contestant) error {
	var columns, rows []string
	for _, n := range sizes {
		columns = append(columns, fmt.Sprint(n))
	}
	var values [][]float64
	panel := viz.Panel{Heading: "Errors in %", XLabel: "training images", LogX: true, LogY: true}
	for _, c := range all {
		line := viz.Series{Name: c.name}
		for _, n := range sizes {
			b.doing("training: %s on %d images", c.name, n)
			mean, spread, err := b.accuracyOf(ctx, c.model, c.learn, c.test, n)
			if err != nil {
				return err
			}
			line.X, line.Y, line.Err = append(line.X, float64(n)), append(line.Y, 100*(1-mean)), append(line.Err, 100*spread)
		}
		rows, values = append(rows, c.name), append(values, line.Y)
		panel.Series = append(panel.Series, line)
	}
	b.table("errors in %", columns, rows, values, "%.2f")
	b.say("%s", handOver(sizes, values[1], values[2]))
	return b.draw("handcrafted", "errors on test images against the number of training images, for a linear classifier on pixels and on histograms and for LeNet", viz.Plot{
		Title: "Features by hand, and learnt ones", Panels: []viz.Panel{panel}, Width: 900, Height: 480,
	})
}

// contestant is a model with what it sees.
type contestant struct {
	name        string
	model       nn.Layer
	learn, test data.Dataset
}

// handOver is the number of images from which on learnt features make fewer errors.
func handOver(sizes []int, byHand, learnt []float64) string {
	last := len(sizes) - 1
	from := len(sizes)
	for from > 0 && learnt[from-1] < byHand[from-1] {
		from--
	}
	ends := fmt.Sprintf("With %d images the histograms err in %.1f %% of all cases and LeNet in %.1f %%; with %d in %.1f %% and %.1f %%.",
		sizes[0], byHand[0], learnt[0], sizes[last], byHand[last], learnt[last])
	switch from {
	case 0:
		return ends + " LeNet errs less often with any number."
	case len(sizes):
		return ends + " So many are too few for LeNet to err less often."
	}
	return fmt.Sprintf("%s From %d images on LeNet errs less often.", ends, sizes[from])
}

// hog makes histograms of oriented gradients as scikit-image does: gradients are differences of the
// two neighbours, each pixel votes for one direction of its cell, and blocks overlap by all but one
// cell. Dalal and Triggs share each vote among neighbouring directions and cells.
type hog struct {
	orientations int // from 0 to 180 degrees
	cell         int // pixels
	block        int // cells
}

// size is the number of features of an image.
func (h hog) size(height, width int) int {
	return (height/h.cell - h.block + 1) * (width/h.cell - h.block + 1) * h.block * h.block * h.orientations
}

// of returns the features of an image: for each block, row by row, for each of its cells the
// histogram.
func (h hog) of(image []float64, height, width int) []float64 {
	cells := h.histograms(image, height, width)
	rows, columns := height/h.cell, width/h.cell
	features := make([]float64, 0, h.size(height, width))
	for r := range rows - h.block + 1 {
		for c := range columns - h.block + 1 {
			from := len(features)
			for i := range h.block {
				at := ((r+i)*columns + c) * h.orientations
				features = append(features, cells[at:at+h.block*h.orientations]...)
			}
			normalise(features[from:])
		}
	}
	return features
}

// histograms are the mean votes of each cell for each direction.
func (h hog) histograms(image []float64, height, width int) []float64 {
	rows, columns := height/h.cell, width/h.cell
	cells := make([]float64, rows*columns*h.orientations)
	for y := range rows * h.cell {
		for x := range columns * h.cell {
			var dx, dy float64 // none across the border
			if x > 0 && x < width-1 {
				dx = image[y*width+x+1] - image[y*width+x-1]
			}
			if y > 0 && y < height-1 {
				dy = image[(y+1)*width+x] - image[(y-1)*width+x]
			}
			angle := math.Atan2(dy, dx) * 180 / math.Pi
			if angle < 0 {
				angle += 180 // an edge has the same direction from either side
			}
			direction := int(angle*float64(h.orientations)/180) % h.orientations
			cells[((y/h.cell)*columns+x/h.cell)*h.orientations+direction] += math.Hypot(dx, dy) / float64(h.cell*h.cell)
		}
	}
	return cells
}

// normalise brings a block to length 1, cuts off what is above 0.2, and brings it to length 1
// again.
func normalise(block []float64) {
	const most = .2
	unit(block)
	for i, v := range block {
		block[i] = min(v, most)
	}
	unit(block)
}

// unit divides a vector by its length; one of zeros stays.
func unit(v []float64) {
	const eps = 1e-5
	square := eps * eps
	for _, x := range v {
		square += x * x
	}
	for i := range v {
		v[i] /= math.Sqrt(square)
	}
}

// dataset returns the features of the images (1,H,W) of a dataset, with the same classes.
func (h hog) dataset(ds data.Dataset) (data.Dataset, error) {
	height, width := ds.Info().Input.Int(1), ds.Info().Input.Int(2)
	n := h.size(height, width)
	features, labels := make([]float32, 0, ds.Len()*n), make([]int32, ds.Len())
	x, image := make([]float32, height*width), make([]float64, height*width)
	for i := range ds.Len() {
		if err := ds.Read(i, data.Example{X: x, Labels: labels[i : i+1]}); err != nil {
			return nil, err
		}
		for j, v := range x {
			image[j] = float64(v)
		}
		for _, v := range h.of(image, height, width) {
			features = append(features, float32(v))
		}
	}
	return data.New(features, labels, data.Info{Input: shape.F32(shape.Dim(n)), Classes: ds.Info().Classes})
}
