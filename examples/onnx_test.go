package examples_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/mnist"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/vm"
)

// lenetFile writes LeNet, with random weights, as an ONNX file, which stands for one from elsewhere.
func lenetFile() (file string, remove func()) {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	file = filepath.Join(dir, "digits.onnx")
	g := graph.New()
	logits := LeNet.Apply(nn.Root(g), g.Input("image", shape.F32(shape.N, 1, 28, 28)))
	if err := onnx.WriteFile(file, []*graph.Node{logits}, vm.NewStore(1), onnx.ExportOptions{Outputs: []string{"logits"}}); err != nil {
		log.Fatal(err)
	}
	return file, func() { os.RemoveAll(dir) }
}

func Example_onnx() {
	file, remove := lenetFile()
	defer remove()
	ctx := context.Background()

	m, err := onnx.ReadFile(file, onnx.Options{})
	if err != nil {
		log.Fatal(err)
	}
	s, err := m.NewSession(cpu.New(), nil) // for any number of goroutines
	if err != nil {
		log.Fatal(err) // names each node that cannot be run
	}
	x := &onnx.Tensor{Type: ir.Float, Dims: []int{2, 1, 28, 28}, Data: make([]float32, 2*28*28)}
	outs, err := s.Run(ctx, map[string]*onnx.Tensor{"image": x})

	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Inputs(), m.Outputs(), outs["logits"])
	// Output:
	// [image float(N,1,28,28)] [logits float(N,10)] float(2,10)
}

func Example_onnxFineTuning() {
	file, remove := lenetFile()
	defer remove()
	digits, validation, err := mnist.TrainValidation()
	if err != nil {
		log.Fatal(err)
	}

	whole, err := onnx.ReadFile(file, onnx.Options{})
	if err != nil {
		log.Fatal(err)
	}
	nodes := whole.Proto().Graph.Nodes // the last one is the head
	body, err := onnx.ReadFile(file, onnx.Options{Outputs: []string{nodes[len(nodes)-1].Inputs[0]}})
	if err != nil {
		log.Fatal(err)
	}
	model := nn.Sequential{nn.Named("body", nn.Frozen{Layer: body.Layer()}), nn.Linear{Name: "head", Out: 10}}
	result, err := train.Fit(context.Background(), train.Config{
		Model: model, Train: data.Limit(digits, 2000), Validation: data.Limit(validation, 500), Epochs: 3, Seed: 1,
		Engine: cpu.New(), Optimizer: optim.SGD{LR: 0.05, Momentum: 0.9},
	})
	if err != nil {
		log.Fatal(err)
	}

	g := graph.New()
	logits := model.Apply(nn.Root(g), g.Input("image", shape.F32(shape.N, 1, 28, 28)))
	err = onnx.WriteFile(file, []*graph.Node{logits}, result.Checkpoint.Store, onnx.ExportOptions{Outputs: []string{"logits"}})

	fmt.Println(err, result.Epochs[2].Validation.Loss() < result.Epochs[0].Validation.Loss())
	// Output:
	// <nil> true
}

func Example_onnxApply() {
	file, remove := lenetFile()
	defer remove()
	m, err := onnx.ReadFile(file, onnx.Options{})
	if err != nil {
		log.Fatal(err)
	}

	g := graph.New()
	image := g.Input("image", shape.F32(shape.N, 1, 28, 28))
	outs, err := m.Apply(nn.Root(g), image)
	if err != nil {
		log.Fatal(err) // all mistakes, each with its node of the file
	}
	program, err := vm.Compile(cpu.New(), graph.Inference(outs...))

	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(program.Outputs(), len(g.Params()))
	// Output:
	// [float32(N,10)] 10
}
