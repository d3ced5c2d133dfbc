package optim_test

import (
	"context"
	"fmt"
	"log"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// Gradient descent on (w-3)², which starts from 0.
func ExampleSGD() {
	g := graph.New()
	w := g.Param("w", shape.F64(), nil)
	loss := ops.Square(ops.AddScalar(w, -3))
	optim.SGD{LR: 0.25}.Apply(g, autodiff.Grad(loss, g.Params()...))

	p, err := vm.Compile(ref.Engine{}, []*graph.Node{loss}, vm.Train)
	if err != nil {
		log.Fatal(err)
	}
	m, err := p.NewMachine(vm.NewStore(1))
	if err != nil {
		log.Fatal(err)
	}
	for range 4 {
		outs, err := m.Run(context.Background())
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(outs[0].Data())
	}
	// Output:
	// 9
	// 2.25
	// 0.5625
	// 0.140625
}

// A recipe for a network with batch normalisation: a warm-up, then a cosine; weight decay on
// weights alone; gradients clipped; an average of the weights for use after training.
func ExampleRecipe() {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 3, 8, 8))
	net := nn.Sequential{
		nn.Conv2D{Name: "conv", Out: 4, Kernel: 3}, nn.BatchNorm{Name: "norm"}, nn.ReLU{},
		nn.Flatten{}, nn.Linear{Name: "fc", Out: 10},
	}
	loss := ops.CrossEntropy(net.Apply(nn.Root(g), x), g.Input("y", shape.I32(shape.N)))

	optim.Recipe{
		Rule:     optim.AdamW{LR: 3e-3},
		Schedule: optim.Warmup{Steps: 100, Then: optim.Cosine{Steps: 2000}},
		Groups:   []optim.Group{{Match: "*.bias", NoDecay: true}, {Match: "norm.*", NoDecay: true}},
		ClipNorm: 1,
		Average:  0.999,
	}.Apply(g, autodiff.Grad(loss, g.Params()...))

	fmt.Println(g.Err())
	for _, l := range g.Leaves() {
		if l.Kind() == graph.State && l.Type().Rank() == 4 {
			fmt.Println(l, l.Type())
		}
	}
	// Output:
	// <nil>
	// conv.weight.exp_avg float32(4,3,3,3)
	// conv.weight.exp_avg_sq float32(4,3,3,3)
	// conv.weight.ema float32(4,3,3,3)
}
