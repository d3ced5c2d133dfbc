package optim_test

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"

	"gorgonia.org/tensor"

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

// A generator learns to make what a critic takes for numbers around 4: two losses and two
// optimisers on one graph, whose programs take turns on one store.
func ExampleRecipe_two() {
	g := graph.New()
	noise, real := g.Input("noise", shape.F32(shape.N, 2)), g.Input("real", shape.F32(shape.N, 1))
	generator := nn.Sequential{nn.Linear{Name: "1", Out: 8}, nn.Tanh{}, nn.Linear{Name: "2", Out: 1}}
	critic := nn.Sequential{nn.Linear{Name: "1", Out: 8}, nn.LeakyReLU{Alpha: 0.2}, nn.Linear{Name: "2", Out: 1}}
	fake := generator.Apply(nn.Root(g).In("generator"), noise)
	ofReal := critic.Apply(nn.Root(g).In("critic"), real)
	ofFake := critic.Apply(nn.Root(g).In("critic").Shared(), fake)
	criticLoss := ops.Add(ops.BinaryCrossEntropy(ofReal, ops.OnesLike(ofReal)), ops.BinaryCrossEntropy(ofFake, ops.ZerosLike(ofFake)))
	generatorLoss := ops.BinaryCrossEntropy(ofFake, ops.OnesLike(ofFake))

	adam := optim.Adam{LR: 0.01, Betas: [2]float64{0.5, 0.999}}
	c := optim.Recipe{Name: "critic", Match: []string{"critic.*"}, Rule: adam}
	c.Apply(g, autodiff.Grad(criticLoss, c.Params(g)...))
	r := optim.Recipe{Name: "generator", Match: []string{"generator.*"}, Rule: adam}
	r.Apply(g, autodiff.Grad(generatorLoss, r.Params(g)...))

	store := vm.NewStore(1)
	machine := func(loss *graph.Node, optimizer string) *vm.Machine {
		p, err := vm.Compile(ref.Engine{}, []*graph.Node{loss}, vm.TrainBy(optimizer))
		if err != nil {
			log.Fatal(err)
		}
		m, err := p.NewMachine(store)
		if err != nil {
			log.Fatal(err)
		}
		return m
	}
	criticStep, generatorStep := machine(criticLoss, "critic"), machine(generatorLoss, "generator")

	draw := rand.New(rand.NewPCG(1, 2))
	z, x := make([]float32, 32*2), make([]float32, 32)
	for range 400 {
		for i := range x {
			z[2*i], z[2*i+1], x[i] = float32(draw.NormFloat64()), float32(draw.NormFloat64()), float32(4+0.5*draw.NormFloat64())
		}
		noises := tensor.New(tensor.WithShape(32, 2), tensor.WithBacking(z))
		if _, err := criticStep.Run(context.Background(), noises, tensor.New(tensor.WithShape(32, 1), tensor.WithBacking(x))); err != nil {
			log.Fatal(err)
		}
		if _, err := generatorStep.Run(context.Background(), noises); err != nil {
			log.Fatal(err)
		}
	}
	for _, name := range []string{"critic.step", "generator.step"} {
		steps, err := store.Value(name)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(name, steps.Data())
	}
	mean, err := vm.Compile(ref.Engine{}, graph.Inference(ops.Mean(fake)))
	if err != nil {
		log.Fatal(err)
	}
	m, err := mean.NewMachine(store)
	if err != nil {
		log.Fatal(err)
	}
	outs, err := m.Run(context.Background(), tensor.New(tensor.WithShape(32, 2), tensor.WithBacking(z)))
	if err != nil {
		log.Fatal(err)
	}
	if made := outs[0].Data().(float32); made > 3 && made < 5 {
		fmt.Println("numbers around 4")
	}
	// Output:
	// critic.step 400
	// generator.step 400
	// numbers around 4
}
