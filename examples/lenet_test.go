package examples_test

import (
	"fmt"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
)

var LeNet = nn.Sequential{
	nn.Conv2D{Name: "conv1", Out: 6, Kernel: 5, Pad: 2}, nn.ReLU{}, nn.MaxPool2D{Kernel: 2},
	nn.Conv2D{Name: "conv2", Out: 16, Kernel: 5}, nn.ReLU{}, nn.MaxPool2D{Kernel: 2},
	nn.Flatten{},
	nn.Linear{Name: "fc1", Out: 120}, nn.ReLU{},
	nn.Linear{Name: "fc2", Out: 84}, nn.ReLU{},
	nn.Linear{Name: "fc3", Out: 10},
}

func Example_lenet() {
	g := graph.New()
	logits := LeNet.Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, 1, 28, 28)))
	parameters := 0
	for _, p := range g.Params() {
		parameters += p.Type().Len()
	}
	fmt.Println(logits.Type(), parameters)
	fmt.Println(g.Leaf("conv1.weight").Type())
	// Output:
	// float32(N,10) 61706
	// float32(6,1,5,5)
}
