package inspect_test

import (
	"context"
	"fmt"
	"log"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/inspect"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/vm"
)

// Gate is a layer of one's own: each channel is multiplied by a number that is learnt.
type Gate struct{}

func (Gate) Apply(s nn.Scope, x *graph.Node) *graph.Node {
	channels := shape.Of(x.Type().Dim(1), 1, 1)
	return ops.Mul(x, s.Param("gate", x.Type().Of(channels), nn.Constant(1)))
}

var model = nn.Sequential{
	nn.Conv2D{Name: "conv", Out: 4, Kernel: 3, Pad: 1}, nn.Named("gate", Gate{}), nn.ReLU{}, nn.MaxPool2D{Kernel: 2},
	nn.Flatten{}, nn.Linear{Name: "hidden", Out: 8}, nn.ReLU{}, nn.Linear{Name: "head", Out: 2},
}

// lines are images (1,8,8) with a bright column, class 0, or row, class 1.
func lines(n int) data.Dataset {
	pixels, labels := make([]float32, n*64), make([]int, n)
	for i := range n {
		labels[i] = i % 2
		for k := range 8 {
			at := 8*k + i/2%8
			if labels[i] == 1 {
				at = 8*(i/2%8) + k
			}
			pixels[i*64+at] = 1
		}
	}
	ds, err := data.New(pixels, labels, data.Info{Input: shape.F32(1, 8, 8), Classes: []string{"column", "row"}})
	if err != nil {
		log.Fatal(err)
	}
	return ds
}

// What a trained model of one's own looks like inside.
func ExampleTrained() {
	ctx := context.Background()
	ds := lines(160)
	result, err := train.Fit(ctx, train.Config{
		Model: model, Train: ds, Engine: cpu.New(), Optimizer: optim.Adam{LR: .01}, Epochs: 12, Batch: 16, Seed: 1,
	})
	if err != nil {
		log.Fatal(err)
	}
	n, err := inspect.Trained(cpu.New(), model, result.Checkpoint, nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, l := range n.Layers() {
		fmt.Println(l.Name, l.Op, l.Node.Type())
	}
	s, err := n.Survey(ctx, ds, inspect.SurveyOptions{Convolutions: n.Convolutions()})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("accuracy", s.Accuracy(), "mistakes", s.Mistakes(3))
	patches, err := n.Patches(ctx, ds, n.Convolutions()[0], s.Peaks[0])
	if err != nil {
		log.Fatal(err)
	}
	best := patches[0][0] // of channel 0: where it is, its pixels, and those of the deconvnet
	fmt.Println(len(patches), "channels,", len(patches[0]), "patches each,", len(best.Pixels) == len(best.Reconstruction))
	// Output:
	// conv Conv2D float32(N,4,8,8)
	// gate Mul float32(N,4,8,8)
	// 2 ReLU float32(N,4,8,8)
	// 3 MaxPool2D float32(N,4,4,4)
	// hidden MatMul float32(N,8)
	// 6 ReLU float32(N,8)
	// head MatMul float32(N,2)
	// accuracy 1 mistakes []
	// 4 channels, 9 patches each, true
}

// Which pixels an output comes from, for a graph without layers.
func ExampleNetwork_IntegratedGradients() {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 1, 2, 2))
	w := g.Param("w", shape.F32(4, 1), nn.Constant(.5))
	y := ops.Square(ops.MatMul(ops.Flatten(x), w))
	store := vm.NewStore(1)
	if err := store.Init(g.Leaves()...); err != nil {
		log.Fatal(err)
	}
	n, err := inspect.New(cpu.New(), store, y, nil)
	if err != nil {
		log.Fatal(err)
	}
	parts, err := n.IntegratedGradients(context.Background(), []float32{1, 2, 3, 0}, nil, []int{0}, 0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.3f\n", parts) // which add up to the output, 9, as that of zeros is 0
	// Output: [1.500 3.000 4.500 0.000]
}

// The gradient of a deconvnet in a graph of one's own.
func ExampleDeconvnet() {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 3))
	y := inspect.Deconvnet(x, ops.ReLU(x))
	x, activation := y[0], y[1]
	fmt.Println(activation.Op().Name(), activation.Type(), "of", x)
	// Output: Deconvnet float32(N,3) of x
}
