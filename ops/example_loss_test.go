package ops_test

import (
	"context"
	"fmt"
	"os"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

func ExampleCrossEntropy() {
	g := graph.New()
	logits := g.Input("logits", shape.F32(shape.N, 3))
	labels := g.Input("labels", shape.I32(shape.N))
	loss := ops.CrossEntropy(logits, labels)

	m, err := vm.MustCompile(ref.Engine{}, append(autodiff.Grad(loss, logits), loss)).NewMachine(vm.NewStore(1))
	if err != nil {
		panic(err)
	}
	out, err := m.Run(context.Background(),
		tensor.New(tensor.WithShape(1, 3), tensor.WithBacking([]float32{1, 1, 1})),
		tensor.New(tensor.WithShape(1), tensor.WithBacking([]int32{2})))
	if err != nil {
		panic(err)
	}
	fmt.Printf("loss %.4f, gradient %.4f\n", out[1].Float32s(), out[0].Float32s())
	// Output: loss [1.0986], gradient [0.3333 0.3333 -0.6667]
}

func ExampleSum() {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 3, 4, 5))
	fmt.Println(ops.Sum(x, 1).Type())
	fmt.Println(ops.SumKeep(x, -1).Type())
	fmt.Println(ops.Mean(x).Type())
	// Output:
	// float32(N,4,5)
	// float32(N,3,4,1)
	// float32()
}

func ExampleWhere() {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 4))
	y := ops.Where(ops.Greater(x, ops.Scalar(x, 0)), ops.Log(x), ops.Scalar(x, 0))
	fmt.Println(y.Type())

	ops.Add(x, g.Input("ids", shape.I32(4)))
	fmt.Println(g.Err().(graph.ErrorList)[0].Err)
	// Output:
	// float32(N,4)
	// inputs are float32 and int32; want one element type, see Cast
}

func ExampleDropout() {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 4))
	y := ops.Tanh(ops.Dropout(x, .5))
	for _, n := range graph.Reachable(graph.Inference(y)...) {
		fmt.Fprintln(os.Stdout, n, n.Type())
	}
	// Output:
	// x float32(N,4)
	// %1 Tanh float32(N,4)
}
