// Unet marks discs in noisy images, pixel by pixel, with a small U-Net (Ronneberger, Fischer and
// Brox, 2015): a path down that sees more of the image in each step, a path up to its full size,
// and bridges from each step down to the step up of the same size. It shows targets with a class
// for every pixel and a model with branches, which is a Go function. The outcome is the overlap
// of discs and marks, intersection over union, on images that it was not trained on.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"os/signal"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if _, err := run(ctx, os.Stdout, 1000); err != nil {
		log.Fatal(err)
	}
}

const side = 32

// UNet maps images (N,1,H,W), H and W multiples of 4, to logits (N,2,H,W).
type UNet struct{}

func (UNet) Apply(s nn.Scope, x *graph.Node) *graph.Node {
	pool := nn.MaxPool2D{Kernel: 2}
	top := block("down1", 8).Apply(s, x)
	middle := block("down2", 16).Apply(s, pool.Apply(s, top))
	bottom := block("bottom", 32).Apply(s, pool.Apply(s, middle))
	y := block("up2", 16).Apply(s, ops.Concat(1, middle, up("grow2", 16).Apply(s, bottom)))
	y = block("up1", 8).Apply(s, ops.Concat(1, top, up("grow1", 8).Apply(s, y)))
	return nn.Conv2D{Name: "classes", Out: 2, Kernel: 1}.Apply(s, y)
}

func block(name string, out int) nn.Layer {
	return nn.Named(name, nn.Sequential{
		nn.Conv2D{Out: out, Kernel: 3, Pad: 1}, nn.ReLU{}, nn.Conv2D{Out: out, Kernel: 3, Pad: 1}, nn.ReLU{},
	})
}

// up doubles height and width.
func up(name string, out int) nn.Layer {
	return nn.ConvTranspose2D{Name: name, Out: out, Kernel: 2, Stride: 2}
}

// run returns the intersection over union.
func run(ctx context.Context, w io.Writer, images int) (float64, error) {
	r := rand.New(rand.NewPCG(1, 1))
	x, y := discs(r, images)
	training, err := data.New(x, y, data.Info{Input: shape.F32(1, side, side), Target: shape.I32(side, side), Classes: []string{"noise", "disc"}})
	if err != nil {
		return 0, err
	}
	result, err := train.Fit(ctx, train.Config{
		Model: UNet{}, Train: training, Engine: cpu.New(), Optimizer: optim.Adam{LR: 0.003}, Epochs: 5, Batch: 16, Seed: 1,
		OnEpoch: func(e train.Epoch) error {
			_, err := fmt.Fprintf(w, "epoch %d: loss %.4f, %.2f %% of the pixels right\n", e.Number, e.Train.Loss(), 100*e.Train.Accuracy())
			return err
		},
	})
	if err != nil {
		return 0, err
	}
	predictor, err := train.NewPredictor(UNet{}, result.Checkpoint, cpu.New())
	if err != nil {
		return 0, err
	}
	x, y = discs(r, 100)
	p, err := predictor.Predict(ctx, x)
	if err != nil {
		return 0, err
	}
	score := overlap(p, y)
	_, err = fmt.Fprintf(w, "intersection over union on 100 further images: %.3f\n", score)
	return score, err
}

// overlap compares probabilities (n,2,side,side) with classes (n,side,side).
func overlap(p []float32, y []int32) float64 {
	const plane = side * side
	both, either := 0, 0
	for i, class := range y {
		image, pixel := i/plane, i%plane
		marked := p[(2*image+1)*plane+pixel] > 0.5
		if marked && class == 1 {
			both++
		}
		if marked || class == 1 {
			either++
		}
	}
	return float64(both) / float64(max(either, 1))
}

// discs returns n images of one disc each, hardly brighter than the noise around it, and the class of each pixel.
func discs(r *rand.Rand, n int) (x []float32, y []int32) {
	for range n {
		radius := 4 + 5*r.Float64()
		cx, cy := radius+r.Float64()*(side-2*radius), radius+r.Float64()*(side-2*radius)
		for p := range side * side {
			dx, dy := float64(p%side)-cx, float64(p/side)-cy
			class, v := int32(0), r.NormFloat64()
			if dx*dx+dy*dy < radius*radius {
				class, v = 1, v+1.5
			}
			x, y = append(x, float32(v)), append(y, class)
		}
	}
	return x, y
}
