package examples_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/models/resnet"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// lenetLoss is the loss of LeNet, and the leaves of the model.
func lenetLoss() (loss *graph.Node, leaves []*graph.Node) {
	g := graph.New()
	x, target := g.Input("x", shape.F32(shape.N, 1, 28, 28)), g.Input("target", shape.I32(shape.N))
	loss = ops.CrossEntropy(LeNet.Apply(nn.Root(g), x), target)
	return loss, g.Leaves()
}

func Example_saving() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	file, ctx := filepath.Join(dir, "model.safetensors"), context.Background()

	loss, _ := lenetLoss()
	g := loss.Graph()
	optim.Adam{LR: 0.01}.Apply(g, autodiff.Grad(loss, g.Params()...))
	program, err := vm.Compile(cpu.New(), []*graph.Node{loss}, vm.Train)
	if err != nil {
		log.Fatal(err)
	}
	store := vm.NewStore(1)
	step := func(s *vm.Store) any {
		images, labels := digits(4)
		machine, err := program.NewMachine(s)
		if err != nil {
			log.Fatal(err)
		}
		outs, err := machine.Run(ctx, images, labels)
		if err != nil {
			log.Fatal(err)
		}
		return outs[0].ScalarValue()
	}
	step(store)

	if err := store.Save(file, map[string]string{"epoch": "3"}); err != nil {
		log.Fatal(err)
	}
	again := vm.NewStore(1)
	report, err := again.Load(file, vm.LoadOptions{For: program.Leaves()})
	if err != nil {
		log.Fatal(err)
	}

	fmt.Println(len(report.Loaded), report.Metadata["epoch"], step(store) == step(again))
	// Output: 31 3 true
}

func Example_loading() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "lenet.safetensors")
	_, leaves := lenetLoss()
	store := vm.NewStore(2)
	if err := store.Init(leaves...); err != nil {
		log.Fatal(err)
	}
	if err := store.Save(file, nil); err != nil {
		log.Fatal(err)
	}

	pretrained := vm.NewStore(1)
	report, err := pretrained.Load(file, vm.LoadOptions{For: leaves}) // of the model, without those of an optimiser

	fmt.Println(report.Loaded[0], len(report.Missing), len(report.Unused), err)
	// Output: conv1.bias 0 0 <nil>
}

func Example_head() {
	model := append(
		nn.Until(nn.Frozen{Layer: nn.Eval{Layer: resnet.ResNet18}}, "layer4"),
		nn.GlobalAvgPool2D{}, nn.Flatten{}, nn.Linear{Name: "head", Out: 5},
	)

	g := graph.New()
	y := model.Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, 3, 224, 224)))
	fmt.Println(y.Type(), g.Params(), g.Leaf("layer4.1.bn2.weight").Frozen(), len(g.Updates()), g.Err())
	// Output: float32(N,5) [head.weight head.bias] true 0 <nil>
}
