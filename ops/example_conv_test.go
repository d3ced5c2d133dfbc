package ops_test

import (
	"context"
	"fmt"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

func ExampleConv2D() {
	g := graph.New()
	images := g.Input("images", shape.F32(shape.N, 1, 28, 28))
	w := g.Param("conv1.weight", shape.F32(6, 1, 5, 5), nil)
	b := g.Param("conv1.bias", shape.F32(6), nil)
	y := ops.ReLU(ops.AddBias(ops.Conv2D(images, w, ops.Conv2DOp{Pad: ops.SamePad(5)}), b))
	fmt.Println(y.Type())

	ops.Conv2D(y, w, ops.Conv2DOp{})
	fmt.Println(g.Err().(graph.ErrorList)[0].Err)
	// Output:
	// float32(N,6,28,28)
	// input has 6 channels, the filter (6,1,5,5) with 1 group wants 1; its axis 1 is the input's channels divided by the groups
}

func ExampleMaxPool2D() {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 1, 2, 6))
	y := ops.MaxPool2D(x, ops.MaxPool2DOp{Kernel: [2]int{2, 2}})

	m, err := vm.MustCompile(ref.Engine{}, []*graph.Node{y}).NewMachine(vm.NewStore(1))
	if err != nil {
		panic(err)
	}
	out, err := m.Run(context.Background(), tensor.New(tensor.WithShape(1, 1, 2, 6), tensor.WithBacking([]float32{
		1, 2, 3, 4, 5, 6,
		6, 5, 4, 3, 2, 1,
	})))
	if err != nil {
		panic(err)
	}
	fmt.Println(out[0].Shape(), out[0].Data())
	// Output: (1, 1, 1, 3) [6 4 6]
}

func ExampleMatMul() {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 400))
	w := g.Param("fc1.weight", shape.F32(120, 400), nil) // (out,in), as PyTorch keeps it
	fmt.Println(ops.MatMul(x, w, ops.MatMulOp{TransB: true}).Type())
	// Output: float32(N,120)
}
