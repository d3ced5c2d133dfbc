package lecture

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/augment"
	"github.com/plexaura/plexaura/data/mnist"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/viz"
)

// widest is the largest angle by which a digit is turned, in degrees. The targets are angles in
// units of it.
const widest = 60

// regression trains networks to predict the angle by which a digit is turned.
func regression(ctx context.Context, b *Board) error {
	all, others, err := b.imagesFor(either(b, 2000, 20000), either(b, 500, 2000))
	if err != nil {
		return err
	}
	b.doing("turning %d images", all.Len()+others.Len())
	learn, _, _, err := turned(all, b.Seed)
	if err != nil {
		return err
	}
	test, images, angles, err := turned(others, b.Seed+1)
	if err != nil {
		return err
	}
	b.say("%d digits of MNIST, each turned by an angle drawn evenly from -%d to %d degrees. The target is a number, the loss the mean square of the difference, and "+
		"the network is LeNet with one output in the place of ten. On %d other digits:", learn.Len(), widest, widest, test.Len())
	if err := b.told(ctx, learn, images, angles); err != nil {
		return err
	}
	slant, err := slantOfOnes(others)
	if err != nil {
		return err
	}
	b.say("No one can tell these angles exactly, because the digits were not upright before they were turned. How much people's ones lean, measured by "+
		"their longer axis, has a standard deviation of %.1f°.", slant)
	b.numbers(number{"spread of the lean of ones, before they are turned", slant, "%.1f°"})
	return nil
}

// told trains the networks, and writes and draws their predictions on the test images.
func (b *Board) told(ctx context.Context, learn data.Dataset, images []float32, angles []float64) (err error) {
	rows := []string{"the mean of all angles"}
	values := [][]float64{errorsOf(make([]float64, len(angles)), angles)}
	var panels []viz.Panel
	var said []float64
	for _, m := range []named{
		{"dense, 300 units", nn.Sequential{nn.Flatten{}, nn.Linear{Out: 300}, nn.ReLU{}, nn.Linear{Out: 1}}},
		{"LeNet, one output", nn.Replace(lenet.Model, "fc3", nn.Linear{Name: "angle", Out: 1})},
	} {
		b.doing("training: %s", m.name)
		if said, err = b.angles(ctx, m.model, learn, images); err != nil {
			return err
		}
		rows, values = append(rows, m.name), append(values, errorsOf(said, angles))
		panels = append(panels, scatter(m.name, angles, said))
	}
	b.table("prediction", []string{"mean error, °", "root mean square, °", "within 10°, %"}, rows, values, "%.2f")
	if err := b.draw("regression", "predicted against true angle of turned digits, for a dense network and for LeNet", viz.Plot{
		Title: "The angle of a digit", Panels: panels, Height: 560,
	}); err != nil {
		return err
	}
	return b.draw("turned", "turned digits with their true angle and the one that LeNet says", examplesOf(images, angles, said))
}

// turned turns each image by an angle of its own. It returns the images with their angles in units
// of the widest as a dataset, and both in memory, angles in degrees.
func turned(ds data.Dataset, seed uint64) (set data.Dataset, images []float32, angles []float64, err error) {
	r := rand.New(rand.NewPCG(seed, 1))
	in := ds.Info()
	x, label := make([]float32, in.Input.Len()), make([]int32, 1)
	var targets []float32
	for i := range ds.Len() {
		if err := ds.Read(i, data.Example{X: x, Labels: label}); err != nil {
			return nil, nil, nil, err
		}
		angle := widest * (2*r.Float64() - 1)
		turn, _, err := augment.Affine{Rotate: augment.Range{Min: angle, Max: angle}}.Bind(in)
		if err != nil {
			return nil, nil, nil, err
		}
		images = append(images, turn(x, new(data.Rand))...)
		angles, targets = append(angles, angle), append(targets, float32(angle/widest))
	}
	set, err = data.New(images, targets, data.Info{Input: in.Input, Target: shape.F32(1)})
	return set, images, angles, err
}

// angles trains a network, and returns its predictions on the test images, in degrees.
func (b *Board) angles(ctx context.Context, model nn.Layer, learn data.Dataset, images []float32) ([]float64, error) {
	epochs := either(b, 5, 15)
	steps := epochs * ((learn.Len() + batch - 1) / batch)
	r, err := teach(ctx, lesson{model: model, learn: learn, epochs: epochs, seed: b.Seed,
		rule: optim.Recipe{Rule: optim.Adam{LR: .002}, Schedule: optim.Cosine{Steps: steps}}})
	if err != nil {
		return nil, err
	}
	p, err := train.NewPredictor(model, r.Checkpoint, cpu.New())
	if err != nil {
		return nil, err
	}
	outputs, err := p.Outputs(ctx, images)
	said := make([]float64, len(outputs))
	for i, v := range outputs {
		said[i] = widest * float64(v)
	}
	return said, err
}

// errorsOf are the mean absolute difference, the root of the mean square, and the share within ten
// degrees in %.
func errorsOf(said, angles []float64) []float64 {
	var off, square, near float64
	for i, a := range angles {
		d := math.Abs(said[i] - a)
		off, square = off+d, square+d*d
		if d <= 10 {
			near++
		}
	}
	n := float64(len(angles))
	return []float64{off / n, math.Sqrt(square / n), 100 * near / n}
}

// slantOfOnes is the standard deviation of the angle at which digits 1 are written, in degrees.
func slantOfOnes(ds data.Dataset) (float64, error) {
	x, label := make([]float32, ds.Info().Input.Len()), make([]int32, 1)
	var leans []float64
	for i := range ds.Len() {
		if err := ds.Read(i, data.Example{X: x, Labels: label}); err != nil {
			return 0, err
		}
		if label[0] == 1 {
			leans = append(leans, leaning(x))
		}
	}
	_, spread := meanAndSpread(leans)
	return spread, nil
}

// leaning is the angle in degrees, counter-clockwise, from upright to the longer axis of what is
// not black in an image of MNIST.
func leaning(x []float32) float64 {
	black := slices.Min(x)
	var all, toRight, up float64
	each := func(do func(ink, right, up float64)) {
		for i, v := range x {
			do(float64(v-black), float64(i%mnist.Side), -float64(i/mnist.Side))
		}
	}
	each(func(ink, r, u float64) { all, toRight, up = all+ink, toRight+ink*r, up+ink*u })
	toRight, up = toRight/all, up/all
	var rr, ru, uu float64
	each(func(ink, r, u float64) {
		r, u = r-toRight, u-up
		rr, ru, uu = rr+ink*r*r, ru+ink*r*u, uu+ink*u*u
	})
	return math.Atan2(-2*ru, uu-rr) / 2 * 180 / math.Pi
}

// scatter draws predicted against true angles of the first images.
func scatter(name string, angles, said []float64) viz.Panel {
	n := min(len(angles), 400)
	return viz.Panel{
		Heading: "Predicted angle: " + name, XLabel: "true angle in degrees; the line is where both are equal",
		Series: []viz.Series{{X: angles[:n], Y: said[:n], Points: true}, {X: []float64{-widest, widest}, Y: []float64{-widest, widest}}},
	}
}

// examplesOf are some turned digits.
func examplesOf(images []float32, angles, said []float64) viz.Images {
	im := viz.Images{Title: "True angle, and the one that LeNet says", Columns: 8}
	const size = mnist.Side * mnist.Side
	for i := range 16 {
		im.Tiles = append(im.Tiles, viz.Tile{
			Caption: fmt.Sprintf("%.0f°, %.0f°", angles[i], said[i]),
			C:       1, H: mnist.Side, W: mnist.Side, Pix: images[i*size : (i+1)*size],
		})
	}
	return im
}
