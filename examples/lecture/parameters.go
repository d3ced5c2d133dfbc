package lecture

import (
	"context"
	"math"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/viz"
	"github.com/plexaura/plexaura/vm"
)

// parameters compares convolutional layers with dense ones: a layer that computes the same
// function, and a network with the same number of parameters.
func parameters(ctx context.Context, b *Board) error {
	convolution, layer, off, err := sameFunction(ctx)
	if err != nil {
		return err
	}
	b.say("The first layer of LeNet has 6 filters of 5x5 and gives 6 maps of 28x28. A dense layer can compute the very same function: each of its "+
		"outputs has a weight for each of the 784 pixels, nearly all of them 0, and the others repeat. It has %d times the parameters.", layer/convolution)
	b.numbers(
		number{"parameters of the convolutional layer", float64(convolution), "%.0f"},
		number{"parameters of a dense layer of the same function", float64(layer), "%.0f"},
		number{"largest difference of their outputs", off, "%.1g"},
	)
	return b.equalBudget(ctx)
}

// sameFunction counts the parameters of a convolutional layer and of the equivalent dense layer,
// and computes the difference of their outputs.
func sameFunction(ctx context.Context) (convolution, layer int, off float64, err error) {
	const filters, side, k, pad = 6, 28, 5, 2
	g := graph.New()
	x := g.Input("x", shape.F64(1, 1, side, side))
	w := g.Param("weight", shape.F64(filters, 1, k, k), nn.Uniform{Lo: -1, Hi: 1})
	maps := ops.Conv2D(x, w, ops.Conv2DOp{Pad: ops.SamePad(k)})
	// Pixel (i,j) reaches output (f,r,c) with the weight at (i-r+pad, j-c+pad) of filter f.
	s := vm.NewStore(1)
	values, err := compute(ctx, s, []*graph.Node{w})
	if err != nil {
		return 0, 0, 0, err
	}
	filter := values[0].Data().([]float64)
	matrix := make([]float64, side*side*filters*side*side) // (pixels, outputs)
	for f := range filters {
		for r := range side {
			for c := range side {
				for a := range k {
					for d := range k {
						i, j := r+a-pad, c+d-pad
						if i < 0 || j < 0 || i >= side || j >= side {
							continue
						}
						matrix[(i*side+j)*filters*side*side+(f*side+r)*side+c] = filter[(f*k+a)*k+d]
					}
				}
			}
		}
	}
	m := g.Input("matrix", shape.F64(side*side, filters*side*side))
	flat := ops.MatMul(ops.Flatten(x), m)
	apart := ops.Max(ops.Abs(ops.Sub(ops.Flatten(maps), flat)))
	image := make([]float64, side*side)
	for i := range image {
		image[i] = math.Sin(float64(i * i))
	}
	values, err = compute(ctx, s, []*graph.Node{apart}, feed{x, floats(image, 1, 1, side, side)}, feed{m, floats(matrix, side*side, filters*side*side)})
	if err != nil {
		return 0, 0, 0, err
	}
	off, err = vm.Number(values[0])
	outputs := filters * side * side
	return filters*k*k + filters, side*side*outputs + outputs, off, err // weights and biases
}

// equalBudget trains LeNet and dense networks, one with the same number of parameters.
func (b *Board) equalBudget(ctx context.Context) error {
	learn, test, err := b.imagesFor(either(b, 3000, 60000), either(b, 2000, 10000))
	if err != nil {
		return err
	}
	epochs := either(b, 3, 4)
	models := []struct {
		name  string
		layer nn.Layer
	}{
		{"LeNet", lenet.Model},
		{"dense, as many parameters", dense(77)},
		{"dense, ten times as many", dense(776)},
	}
	var rows []string
	var values [][]float64
	curve := viz.Series{Points: true}
	for _, m := range models {
		b.doing("training: %s", m.name)
		count, err := parameterCount(m.layer, digits)
		if err != nil {
			return err
		}
		e, err := tested(ctx, lesson{model: m.layer, learn: learn, epochs: epochs, seed: b.Seed}, test)
		if err != nil {
			return err
		}
		rows = append(rows, m.name)
		values = append(values, []float64{float64(count), 100 * (1 - e.Accuracy())})
		curve.X, curve.Y = append(curve.X, float64(count)), append(curve.Y, 100*(1-e.Accuracy()))
	}
	b.say("Networks, each trained on %d images of MNIST for %d epochs and tested on %d others:", learn.Len(), epochs, test.Len())
	b.table("network", []string{"parameters", "errors in %"}, rows, values, "%.6g")
	series := make([]viz.Series, len(models))
	for i, m := range models {
		series[i] = viz.Series{Name: m.name, Points: true, X: curve.X[i : i+1], Y: curve.Y[i : i+1]}
	}
	return b.draw("parameters", "errors on the test images against the number of parameters, for LeNet and two dense networks", viz.Plot{
		Title:  "Parameters and errors",
		Panels: []viz.Panel{{Heading: "Errors in %", XLabel: "parameters", LogX: true, Series: series, Bounds: [2]float64{0, 100}}},
		Width:  800, Height: 420,
	})
}
