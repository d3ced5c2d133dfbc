package lecture

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/mnist"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/viz"
	"github.com/plexaura/plexaura/vm"
)

// vanishing measures the size of each layer's gradient in networks of growing depth, before any
// training.
func vanishing(ctx context.Context, b *Board) error {
	depths := []int{4, 8, 16, 32, 64}
	var rows, columns []string
	var values [][]float64
	deepest, ratio := viz.Panel{Heading: "Norm of the gradient, depth 64", XLabel: "layer, from the input", LogY: true},
		viz.Panel{Heading: "First layer's norm over the last's", XLabel: "depth", LogX: true, LogY: true}
	for _, d := range depths {
		columns = append(columns, fmt.Sprint("depth ", d))
	}
	x, labels, err := firstImages(batch)
	if err != nil {
		return err
	}
	for _, kind := range kinds() {
		b.doing("gradients: %s", kind.name)
		rows = append(rows, kind.name)
		line := viz.Series{Name: kind.name}
		for _, d := range depths {
			norms, err := gradientNorms(ctx, kind.block, d, b.Seed, x, labels)
			if err != nil {
				return err
			}
			line.X, line.Y = append(line.X, float64(d)), append(line.Y, norms[0]/norms[d-1])
			if d == 64 {
				deepest.Series = append(deepest.Series, viz.Series{Name: kind.name, Y: norms})
			}
		}
		values = append(values, line.Y)
		ratio.Series = append(ratio.Series, line)
	}
	b.say("Networks of %v dense layers of 64 units, all layers alike, on %d images of MNIST, as they are before training. The norm of the gradient of "+
		"the first layer's weights is divided by that of the last layer's: where it is tiny, the first layers do not learn.", depths, batch)
	b.table("network", columns, rows, values, "%.1e")
	b.say("A sigmoid's slope is at most 1/4, and each layer multiplies by it once more. Weights of He's variance let ReLUs keep the size of what passes, "+
		"on average; the smaller ones that PyTorch draws do not. With batch normalisation the gradient no longer vanishes but, before training, grows "+
		"towards the input, at depth 64 by a factor of %.2f a layer; a skip connection, which passes the gradient on as it is, holds that to %.2f.",
		math.Pow(values[3][4], 1./63), math.Pow(values[4][4], 1./63))
	return b.draw("vanishing", "norms of gradients by layer at depth 64, and the first layer's over the last's by depth, for five kinds of network", viz.Plot{
		Title: "Vanishing gradients", Panels: []viz.Panel{deepest, ratio},
	})
}

// kinds are the compared networks, as sequences of layers.
func kinds() []struct {
	name  string
	block func(name string) nn.Layer
} {
	const width = 64
	linear := func(name string, init graph.Initializer) nn.Layer {
		return nn.Linear{Name: name, Out: width, Init: init}
	}
	normalised := func(name string) nn.Layer {
		return nn.Sequential{linear(name, nn.HeNormal{}), nn.BatchNorm{Name: name + "bn"}, nn.ReLU{}}
	}
	return []struct {
		name  string
		block func(name string) nn.Layer
	}{
		{"sigmoid", func(name string) nn.Layer { return nn.Sequential{linear(name, nn.GlorotUniform{}), nn.Sigmoid{}} }},
		{"ReLU, PyTorch's weights", func(name string) nn.Layer { return nn.Sequential{linear(name, nil), nn.ReLU{}} }},
		{"ReLU, He's weights", func(name string) nn.Layer { return nn.Sequential{linear(name, nn.HeNormal{}), nn.ReLU{}} }},
		{"ReLU, batch normalisation", normalised},
		{"the same, skip connections", func(name string) nn.Layer { return nn.Residual{Body: normalised(name)} }},
	}
}

// gradientNorms returns the norm of the gradient of each layer's weights.
func gradientNorms(ctx context.Context, block func(name string) nn.Layer, depth int, seed uint64, x, labels feed) ([]float64, error) {
	g := graph.New()
	model := nn.Sequential{nn.Flatten{}, nn.Linear{Name: "in", Out: 64}}
	for i := range depth {
		model = append(model, block(fmt.Sprint("layer", i)))
	}
	model = append(model, nn.Linear{Name: "out", Out: 10})
	x.node = g.Input("x", shape.F64(shape.N, 1, 28, 28)) // in float32 the smallest of these gradients would be 0
	labels.node = g.Input("labels", shape.I32(shape.N))
	loss := ops.CrossEntropy(model.Apply(nn.Root(g), x.node), labels.node)
	if err := g.Err(); err != nil {
		return nil, err
	}
	var weights []*graph.Node
	for _, p := range g.Params() {
		if strings.Contains(p.Name(), "layer") && p.Type().Shape.Rank() == 2 { // not the scales of normalisations
			weights = append(weights, p)
		}
	}
	var squares []*graph.Node
	for _, dw := range autodiff.Grad(loss, weights...) {
		squares = append(squares, ops.Sum(ops.Square(dw)))
	}
	values, err := compute(ctx, vm.NewStore(seed), squares, x, labels)
	if err != nil {
		return nil, err
	}
	norms := make([]float64, depth)
	for i, v := range values {
		n, err := vm.Number(v)
		if err != nil {
			return nil, err
		}
		norms[i] = math.Sqrt(n)
	}
	return norms, nil
}

// firstImages are the first n images of MNIST with their labels, for inputs that are made later.
func firstImages(n int) (x, labels feed, err error) {
	ds, err := mnist.Train()
	if err != nil {
		return x, labels, err
	}
	l, err := data.NewLoader(data.Limit(ds, n), data.Batching{Size: n})
	if err != nil {
		return x, labels, err
	}
	for batch, err := range l.Epoch(0) {
		if err != nil {
			return x, labels, err
		}
		labels.value = batch.Y // no batch follows that would take its place
		images := make([]float64, batch.X.Shape().TotalSize())
		for i, v := range batch.X.Data().([]float32) {
			images[i] = float64(v)
		}
		x.value = floats(images, n, 1, 28, 28)
	}
	return x, labels, nil
}
