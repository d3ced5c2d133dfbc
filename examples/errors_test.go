package examples_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

func Example_errors() {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 1, 28, 28))
	target := g.Input("target", shape.I32(shape.N))
	features := nn.Sequential{
		nn.Conv2D{Name: "conv1", Out: 6, Kernel: 5}, nn.MaxPool2D{Kernel: 2},
		nn.Conv2D{Name: "conv2", Out: 16, Kernel: 13}, nn.ReLU{}, // the image is 12x12 by now
	}.Apply(nn.Root(g), x)
	loss := ops.CrossEntropy(nn.Flatten{}.Apply(nn.Root(g), features), target)
	again := g.Param("conv1.bias", shape.F32(6), nil)

	_, err := vm.Compile(cpu.New(), []*graph.Node{loss, again}, vm.Train)
	fmt.Println(err)
	// Output:
	// errors_test.go:26: layer conv2: Conv2D: filter (16,6,13,13) over input (N,6,12,12): height: a window of extent 13 does not fit in 12 padded by 0 and 0
	//	input 0: %7 MaxPool2D float32(N,6,12,12), built at errors_test.go:26
	//	input 1: conv2.weight float32(16,6,13,13), built at errors_test.go:26
	// errors_test.go:28: Param: the name "conv1.bias" is taken by the Param built at errors_test.go:26; to share it, use that node
}

func Example_errorsOfRun() {
	ctx := context.Background()
	g := graph.New()
	logits := g.Input("logits", shape.F32(shape.N, 10))
	target := g.Input("target", shape.I32(shape.N))
	loss := ops.CrossEntropy(logits, target)
	machine, err := vm.MustCompile(cpu.New(), []*graph.Node{loss}).NewMachine(vm.NewStore(1))
	if err != nil {
		log.Fatal(err)
	}
	scores := tensor.New(tensor.WithShape(3, 10), tensor.Of(tensor.Float32))
	for _, labels := range [][]int32{{4, 1, 2, 3}, {4, 1, 10}} {
		_, err := machine.Run(ctx, scores, tensor.New(tensor.WithShape(len(labels)), tensor.WithBacking(labels)))
		first, _, _ := strings.Cut(err.Error(), "\n")
		fmt.Println(first)
	}
	// Output:
	// vm: input "target" has shape (4), so N = 4, but an input before it has N = 3
	// errors_test.go:44: OneHot: id 10, element 2, is not one of the 10 classes 0..9
}
