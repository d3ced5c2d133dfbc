package examples_test

import (
	"context"
	"fmt"
	"log"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

func Example_graph() {
	ctx := context.Background()
	images, labels := digits(4)

	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 1, 28, 28)) // N is the batch size, known when it runs
	target := g.Input("target", shape.I32(shape.N))
	loss := ops.CrossEntropy(LeNet.Apply(nn.Root(g), x), target)

	grads := autodiff.Grad(loss, g.Params()...)
	optim.SGD{LR: 0.05, Momentum: 0.9}.Apply(g, grads)

	program, err := vm.Compile(cpu.New(), []*graph.Node{loss}, vm.Train)
	if err != nil {
		log.Fatal(err) // every mistake made above, with its line
	}
	machine, err := program.NewMachine(vm.NewStore(1)) // 1 is the seed
	if err != nil {
		log.Fatal(err)
	}
	outs, err := machine.Run(ctx, images, labels) // one training step
	if err != nil {
		log.Fatal(err)
	}

	fmt.Println(outs[0].Shape(), g.Leaf("fc3.weight.momentum").Type())
	// Output: () float32(10,84)
}

// digits returns n images that are all alike, and labels.
func digits(n int) (images, labels *tensor.Dense) {
	images = tensor.New(tensor.WithShape(n, 1, 28, 28), tensor.Of(tensor.Float32))
	labels = tensor.New(tensor.WithShape(n), tensor.Of(tensor.Int32))
	return images, labels
}
