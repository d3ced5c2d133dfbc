package examples_test

import (
	"context"
	"fmt"
	"log"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/gorgonia"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// A program of gorgonia computes with the engine that its tensors and its machine are given.
func Example_gorgoniaOnOurEngine() {
	e := cpu.New()
	g := G.NewGraph()
	x := G.NodeFromAny(g, tensor.New(tensor.WithEngine(e), tensor.WithShape(2, 3), tensor.WithBacking([]float32{1, 2, 3, 4, 5, 6})), G.WithName("x"))
	w := G.NodeFromAny(g, tensor.New(tensor.WithEngine(e), tensor.WithShape(3, 1), tensor.WithBacking([]float32{1, -1, 2})), G.WithName("w"))
	grads, err := G.Grad(G.Must(G.Sum(G.Must(G.Mul(x, w)))), w)
	if err != nil {
		log.Fatal(err)
	}
	m := G.NewTapeMachine(g, G.WithEngine(e))
	defer m.Close()
	if err := m.RunAll(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(grads[0].Value().Data())
	// Output:
	// [5 7 9]
}

// A graph is run by gorgonia, whose gradients are derived and computed without any code of ours.
func Example_onGorgonia() {
	g := graph.New()
	x, target := g.Input("x", shape.F64(shape.N, 1, 28, 28)), g.Input("target", shape.I32(shape.N))
	loss := ops.CrossEntropy(lenet.Model.Apply(nn.Root(g), x), target)
	store := vm.NewStore(1)
	if err := store.Init(g.Leaves()...); err != nil {
		log.Fatal(err)
	}
	images := tensor.New(tensor.WithShape(2, 1, 28, 28), tensor.WithBacking(tensor.Range(tensor.Float64, 0, 2*28*28)))
	if _, err := images.DivScalar(1568.0, true, tensor.UseUnsafe()); err != nil {
		log.Fatal(err)
	}
	labels := tensor.New(tensor.WithBacking([]int32{3, 7}))

	p, err := gorgonia.Lower([]*graph.Node{loss}, 2, g.Params()...) // the loss, and its gradients
	if err != nil {
		log.Fatal(err) // names each op that cannot be lowered, with its layer and line
	}
	defer p.Close()
	theirs, err := p.Run(context.Background(), store.Value, images, labels)
	if err != nil {
		log.Fatal(err)
	}

	outs := append([]*graph.Node{loss}, autodiff.Grad(loss, g.Params()...)...)
	m, err := vm.MustCompile(cpu.New(), outs).NewMachine(store)
	if err != nil {
		log.Fatal(err)
	}
	ours, err := m.Run(context.Background(), images, labels)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.12f %.12f\n", theirs[0].Float64s()[0], ours[0].Float64s()[0])
	fmt.Printf("%.12f %.12f\n", theirs[1].Float64s()[0], ours[1].Float64s()[0])
	// Output:
	// 2.360005831843 2.360005831843
	// -0.002549480014 -0.002549480014
}
