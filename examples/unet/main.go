// Unet segments pictures: it classifies each pixel as disc, square or background. The program draws
// the pictures, with noise as strong as the shapes. It prints the mean intersection over union of
// the classes on test pictures.
package main

import (
	"context"
	"fmt"
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

const side = 32

var classes = []string{"background", "disc", "square"}

// block is two convolutions, each with batch normalisation.
func block(name string, out int) nn.Layer {
	return nn.Named(name, nn.Sequential{
		nn.Conv2D{Out: out, Kernel: 3, Pad: 1, NoBias: true}, nn.BatchNorm{}, nn.ReLU{},
		nn.Conv2D{Out: out, Kernel: 3, Pad: 1, NoBias: true}, nn.BatchNorm{}, nn.ReLU{},
	})
}

// UNet goes down to a quarter of the height and width and up again; each step up also sees the
// result of the step down of the same size (Ronneberger et al., 2015). It maps (N,1,H,W) to logits
// (N,Classes,H,W).
type UNet struct{ Width, Classes int }

// Apply implements nn.Layer.
func (u UNet) Apply(s nn.Scope, x *graph.Node) *graph.Node {
	half := nn.MaxPool2D{Kernel: 2}
	up := func(name string, out int, x, skip *graph.Node) *graph.Node {
		wide := nn.ConvTranspose2D{Name: name + ".widen", Out: out, Kernel: 2, Stride: 2}.Apply(s, x)
		return block(name, out).Apply(s, ops.Concat(1, wide, skip))
	}
	whole := block("down1", u.Width).Apply(s, x)
	halved := block("down2", 2*u.Width).Apply(s, half.Apply(s, whole))
	bottom := block("bottom", 4*u.Width).Apply(s, half.Apply(s, halved))
	halved = up("up2", 2*u.Width, bottom, halved)
	whole = up("up1", u.Width, halved, whole)
	return nn.Conv2D{Name: "out", Out: u.Classes, Kernel: 1}.Apply(s, whole)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "unet:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	training, err := draw(1000, 1)
	if err != nil {
		return err
	}
	test, err := draw(200, 2)
	if err != nil {
		return err
	}
	model := UNet{Width: 8, Classes: len(classes)}
	result, err := train.Fit(ctx, train.Config{
		Model: model, Train: training, Engine: cpu.New(),
		Optimizer: optim.Adam{LR: 0.01}, Epochs: 6, Batch: 16, Seed: 1,
		OnEpoch: func(e train.Epoch) error {
			fmt.Printf("epoch %d: loss %.3f, pixels right %.1f %%\n", e.Number, e.Train.Loss(), 100*e.Train.Accuracy())
			return nil
		},
	})
	if err != nil {
		return err
	}
	predictor, err := train.NewPredictor(model, result.Checkpoint, cpu.New())
	if err != nil {
		return err
	}
	iou, err := overlap(ctx, predictor, test)
	if err != nil {
		return err
	}
	fmt.Printf("test pictures: mean intersection over union %.3f\n", iou)
	return nil
}

// draw returns n pictures (1,H,W) of a disc and a square, and the class of each pixel.
func draw(n int, seed uint64) (data.Dataset, error) {
	r := rand.New(rand.NewPCG(seed, 0))
	var pixels []float32
	var labels []int32
	for range n {
		dx, dy, dr := 6+20*r.Float64(), 6+20*r.Float64(), 4+4*r.Float64()
		sx, sy, sr := 6+20*r.Float64(), 6+20*r.Float64(), 4+4*r.Float64()
		for p := range side * side {
			x, y := float64(p%side), float64(p/side)
			label, bright := int32(0), 0.0
			if (x-dx)*(x-dx)+(y-dy)*(y-dy) < dr*dr {
				label, bright = 1, 1
			}
			if max(x-sx, sx-x, y-sy, sy-y) < sr {
				label, bright = 2, 1
			}
			pixels, labels = append(pixels, float32(bright+0.5*r.NormFloat64())), append(labels, label)
		}
	}
	return data.New(pixels, labels, data.Info{
		Input: shape.F32(1, side, side), Target: shape.I32(side, side), Classes: classes,
	})
}

// overlap is the mean over the classes of intersection over union.
func overlap(ctx context.Context, predictor *train.Predictor, ds data.Dataset) (float64, error) {
	const n = side * side
	both, either := make([]float64, len(classes)), make([]float64, len(classes))
	e := data.Example{X: make([]float32, n), Labels: make([]int32, n)}
	for i := range ds.Len() {
		if err := ds.Read(i, e); err != nil {
			return 0, err
		}
		logits, err := predictor.Outputs(ctx, e.X)
		if err != nil {
			return 0, err
		}
		for p, want := range e.Labels {
			have := best(logits, p, n)
			either[want]++
			if have == int(want) {
				both[have]++
			} else {
				either[have]++
			}
		}
	}
	mean := 0.0
	for c := range classes {
		mean += both[c] / either[c] / float64(len(classes))
	}
	return mean, nil
}

// best is the class with the greatest logit at pixel p; logits are (C,n).
func best(logits []float32, p, n int) (class int) {
	for c := range classes {
		if logits[c*n+p] > logits[class*n+p] {
			class = c
		}
	}
	return class
}
