package lecture

import (
	"context"
	"fmt"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/viz"
	"github.com/plexaura/plexaura/vm"
)

// capacity compares deep, narrow networks with shallow, wide ones with the same number of
// parameters: what they can express, and what they learn.
func capacity(ctx context.Context, b *Board) error {
	if err := b.pieces(ctx); err != nil {
		return err
	}
	return b.depths(ctx)
}

// pieces counts the straight pieces of the function that a network computes.
func (b *Board) pieces(ctx context.Context) error {
	b.say("What can be expressed: two neurons of ReLU fold the line from 0 to 1 into a tent, 2 ReLU(x) - 4 ReLU(x-1/2). Tents one after the other double the " +
		"number of straight pieces each time, while one layer of ReLUs gains one piece with each neuron.")
	var columns []string
	deep, shallow, used := viz.Series{Name: "deep"}, viz.Series{Name: "one hidden layer, at most"}, []float64(nil)
	for depth := 1; depth <= 8; depth++ {
		n, err := tentPieces(ctx, depth)
		if err != nil {
			return err
		}
		parameters := 7 * depth // of each tent: 2 weights and 2 biases of the hidden neurons, 2 weights and a bias of the output
		columns = append(columns, fmt.Sprint("depth ", depth))
		deep.Y = append(deep.Y, float64(n))
		shallow.Y = append(shallow.Y, float64((parameters-1)/3+1)) // 3 parameters a neuron and a bias; a kink each
		used = append(used, float64(parameters))
	}
	b.table("pieces", columns, []string{"parameters", "deep", "one hidden layer, at most"}, [][]float64{used, deep.Y, shallow.Y}, "%.0f")
	return b.draw("pieces", "straight pieces of deep networks and of networks with one hidden layer, of as many parameters", viz.Plot{
		Title:  "What as many parameters can express",
		Panels: []viz.Panel{{Heading: "Straight pieces", XLabel: "depth", LogY: true, Series: []viz.Series{deep, shallow}}},
		Width:  800, Height: 420,
	})
}

// tentPieces computes the tent of a tent and so on, at many points, and counts how often its slope
// changes.
func tentPieces(ctx context.Context, depth int) (int, error) {
	const points = 1 << 12
	g := graph.New()
	x := g.Input("x", shape.F64(points+1))
	y := x
	for range depth {
		rising, falling := ops.ReLU(y), ops.ReLU(ops.AddScalar(y, -.5))
		y = ops.Sub(ops.MulScalar(rising, 2), ops.MulScalar(falling, 4))
	}
	line := make([]float64, points+1)
	for i := range line {
		line[i] = float64(i) / points // exact, as everything that follows is
	}
	values, err := compute(ctx, vm.NewStore(0), []*graph.Node{y}, feed{x, floats(line, points+1)})
	if err != nil {
		return 0, err
	}
	v, pieces := values[0].Data().([]float64), 1
	for i := range points - 1 {
		if v[i+1]-v[i] != v[i+2]-v[i+1] {
			pieces++
		}
	}
	return pieces, nil
}

// depths trains dense networks with one to five hidden layers and about the same number of
// parameters.
func (b *Board) depths(ctx context.Context) error {
	learn, test, err := b.digitsFor(either(b, 1000, 10000))
	if err != nil {
		return err
	}
	n, seeds, epochs := either(b, 2000, 10000), either(b, 1, 3), either(b, 3, 8)
	var rows []string
	var values [][]float64
	line := viz.Series{Name: "test images", Points: true}
	for _, widths := range [][]int{{50}, {47, 47}, {45, 45, 45}, {43, 43, 43, 43}, {42, 42, 42, 42, 42}} {
		b.doing("training: %d hidden layers", len(widths))
		count, err := parameterCount(dense(widths...), digits)
		if err != nil {
			return err
		}
		var errors []float64
		for s := range seeds {
			part, err := some(learn, n, b.Seed+uint64(s))
			if err != nil {
				return err
			}
			e, err := tested(ctx, lesson{model: dense(widths...), learn: part, epochs: epochs, seed: b.Seed + uint64(s)}, test)
			if err != nil {
				return err
			}
			errors = append(errors, 100*(1-e.Accuracy()))
		}
		mean, spread := meanAndSpread(errors)
		rows = append(rows, fmt.Sprintf("%d x %d", len(widths), widths[0]))
		values = append(values, []float64{float64(count), mean, spread})
		line.Y, line.Err = append(line.Y, mean), append(line.Err, spread)
	}
	b.say("What is learnt: networks of dense layers, on %d images of MNIST, %d epochs, %d seeds. That a network can express more does not mean that "+
		"it learns more: what helps on images is that layers are convolutions, as the chapter on parameters measures.", n, epochs, seeds)
	b.table("hidden layers", []string{"parameters", "errors in %", "spread"}, rows, values, "%.5g")
	return b.draw("depths", "errors on test images of dense networks with one to five hidden layers, of about as many parameters", viz.Plot{
		Title:  "What as many parameters learn",
		Panels: []viz.Panel{{Heading: "Errors in %", XLabel: "hidden layers", Series: []viz.Series{line}, Bounds: [2]float64{0, 100}}},
		Width:  800, Height: 420,
	})
}
