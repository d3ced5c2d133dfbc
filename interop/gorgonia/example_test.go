package gorgonia_test

import (
	"context"
	"fmt"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/gorgonia"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// printGradients has gorgonia differentiate LeNet.
func printGradients(ctx context.Context, images, labels *tensor.Dense) error {
	g := graph.New()
	x, target := g.Input("images", shape.F32(shape.N, 1, 28, 28)), g.Input("labels", shape.I32(shape.N))
	loss := ops.CrossEntropy(lenet.Model.Apply(nn.Root(g), x), target)
	store := vm.NewStore(1)
	if err := store.Init(g.Leaves()...); err != nil {
		return err
	}
	p, err := gorgonia.Lower([]*graph.Node{loss}, 64, g.Params()...)
	if err != nil {
		return err
	}
	results, err := p.Run(ctx, store.Value, images, labels) // the loss, then a gradient a parameter
	if err != nil {
		return err
	}
	for i, w := range g.Params() {
		fmt.Println(w.Name(), results[1+i].Shape())
	}
	return nil
}

func Example() {
	images := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(64, 1, 28, 28))
	labels := tensor.New(tensor.Of(tensor.Int32), tensor.WithShape(64))
	if err := printGradients(context.Background(), images, labels); err != nil {
		fmt.Println(err)
	}
	// Output:
	// conv1.weight (6, 1, 5, 5)
	// conv1.bias (6)
	// conv2.weight (16, 6, 5, 5)
	// conv2.bias (16)
	// fc1.weight (120, 400)
	// fc1.bias (120)
	// fc2.weight (84, 120)
	// fc2.bias (84)
	// fc3.weight (10, 84)
	// fc3.bias (10)
}

// What cannot be lowered is an error with the line and the layer.
func ExampleLower_refused() {
	g := graph.New()
	x := g.Input("scores", shape.F32(shape.N, 8))
	y := nn.Named("precise", nn.Func(func(x *graph.Node) *graph.Node { return ops.Exp(ops.Cast(x, shape.Float64)) })).Apply(nn.Root(g), x)
	_, err := gorgonia.Lower([]*graph.Node{y}, 1)
	for _, e := range err.(graph.ErrorList) {
		fmt.Printf("layer %s: %s: %v\n", e.Layer, e.Op, e.Err)
	}
	// Output:
	// layer precise: Cast: the value is float64(1,8), others are float32; gorgonia confuses their constants, so a program has one floating-point type
}
