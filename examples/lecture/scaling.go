package lecture

import (
	"context"
	"fmt"
	"math"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/viz"
)

// scaling trains three models on more and more images.
func scaling(ctx context.Context, b *Board) error {
	learn, test, err := b.digitsFor(either(b, 2000, 10000))
	if err != nil {
		return err
	}
	sizes := either(b, []int{100, 1000, 10000}, []int{100, 300, 1000, 3000, 10000, 60000})
	models := []struct {
		name  string
		layer nn.Layer
	}{{"linear", dense()}, {"dense, 300 units", dense(300)}, {"LeNet", lenet.Model}}

	var columns, rows []string
	for _, n := range sizes {
		columns = append(columns, fmt.Sprint(n))
	}
	var values [][]float64
	panel := viz.Panel{Heading: "Accuracy", XLabel: "training images", LogX: true, Bounds: [2]float64{0, 1}}
	for _, m := range models {
		line := viz.Series{Name: m.name}
		for _, n := range sizes {
			b.doing("training: %s on %d images", m.name, n)
			mean, spread, err := b.accuracyOf(ctx, m.layer, learn, test, n)
			if err != nil {
				return err
			}
			line.X, line.Y, line.Err = append(line.X, float64(n)), append(line.Y, mean), append(line.Err, spread)
		}
		rows, values = append(rows, m.name), append(values, line.Y)
		panel.Series = append(panel.Series, line)
	}
	b.say("A linear model, a dense network and LeNet, trained on parts of MNIST by as many steps each, but at least three times all images, and tested on %d other images.", test.Len())
	b.table("accuracy", columns, rows, values, "%.4f")
	last := len(sizes) - 1
	middle := last / 2
	gain := func(row int) float64 { return (1 - values[row][middle]) / (1 - values[row][last]) }
	b.say("From %d to %d images the errors of the linear model are divided by %.1f, those of the dense network by %.1f, and those of LeNet by %.1f.",
		sizes[middle], sizes[last], gain(0), gain(1), gain(2))
	b.numbers(
		number{"errors divided by, linear", gain(0), "%.2f"},
		number{"errors divided by, dense", gain(1), "%.2f"},
		number{"errors divided by, LeNet", gain(2), "%.2f"},
	)
	return b.draw("scaling", "accuracy of a linear model, a dense network and LeNet against the number of training images", viz.Plot{
		Title: "More data", Panels: []viz.Panel{panel}, Width: 900, Height: 480,
	})
}

// accuracyOf trains on n images of some seeds, few where n is large.
func (b *Board) accuracyOf(ctx context.Context, model nn.Layer, learn, test data.Dataset, n int) (mean, spread float64, err error) {
	const steps = 900
	seeds := either(b, 1, max(1, min(3, 10000/n)))
	epochs := max(3, int(math.Round(float64(either(b, steps/4, steps))/math.Ceil(float64(n)/batch))))
	var all []float64
	for s := range seeds {
		seed := b.Seed + uint64(s)
		part, err := some(learn, n, seed)
		if err != nil {
			return 0, 0, err
		}
		e, err := tested(ctx, lesson{model: model, learn: part, epochs: epochs, seed: seed}, test)
		if err != nil {
			return 0, 0, err
		}
		all = append(all, e.Accuracy())
	}
	mean, spread = meanAndSpread(all)
	return mean, spread, nil
}
