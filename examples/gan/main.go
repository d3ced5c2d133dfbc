// Gan trains a generator against a critic: the generator makes points of a plane from noise, and
// the critic distinguishes them from points around eight places on a circle. Two named optimisers
// train one store. At the end it prints how many of the eight places the generator reaches, and how
// many of its points are within three standard deviations of one.
package main

import (
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/signal"

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

const (
	places    = 8
	radius    = 2.0
	deviation = 0.15
	noise     = 8 // random numbers for each point
	batch     = 256
)

func layers(name string, out int, activation nn.Layer) nn.Layer {
	return nn.Named(name, nn.Sequential{
		nn.Linear{Out: 128}, activation, nn.Linear{Out: 128}, activation, nn.Linear{Out: out},
	})
}

var (
	generator = layers("generator", 2, nn.ReLU{})
	critic    = layers("critic", 1, nn.LeakyReLU{Alpha: 0.2})
)

func main() {
	steps := flag.Int("steps", 4000, "training steps of each network")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *steps); err != nil {
		fmt.Fprintln(os.Stderr, "gan:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, steps int) error {
	store := vm.NewStore(1)
	r := rand.New(rand.NewPCG(1, 1))
	criticStep, err := criticMachine(store)
	if err != nil {
		return err
	}
	generatorStep, err := generatorMachine(store)
	if err != nil {
		return err
	}
	for step := 1; step <= steps; step++ {
		c, err := criticStep.Run(ctx, fromNoise(r, batch), fromCircle(r, batch))
		if err != nil {
			return err
		}
		g, err := generatorStep.Run(ctx, fromNoise(r, batch))
		if err != nil {
			return err
		}
		if step%1000 == 0 {
			fmt.Printf("step %5d: loss of the critic %.3f, of the generator %.3f\n", step, c[0].ScalarValue(), g[0].ScalarValue())
		}
	}
	return test(ctx, store, r)
}

// adam trains the parameters below that name.
func adam(name string) optim.Recipe {
	return optim.Recipe{Name: name, Match: []string{name + ".*"}, Rule: optim.Adam{LR: 3e-4, Betas: [2]float64{0.5, 0.999}}}
}

// machine compiles a step of the named optimiser.
func machine(store *vm.Store, loss *graph.Node, name string) (*vm.Machine, error) {
	recipe, g := adam(name), loss.Graph()
	recipe.Apply(g, autodiff.Grad(loss, recipe.Params(g)...))
	program, err := vm.Compile(cpu.New(), []*graph.Node{loss}, vm.Train)
	if err != nil {
		return nil, err
	}
	return program.NewMachine(store)
}

// criticMachine trains the critic to output 1 for real points and 0 for generated ones.
func criticMachine(store *vm.Store) (*vm.Machine, error) {
	g := graph.New()
	s := nn.Root(g)
	made := ops.StopGradient(generator.Apply(s, g.Input("noise", shape.F32(shape.N, noise))))
	genuine := critic.Apply(s, g.Input("real", shape.F32(shape.N, 2)))
	fake := critic.Apply(s.Shared(), made)
	loss := ops.Add(ops.BinaryCrossEntropy(genuine, ops.OnesLike(genuine)), ops.BinaryCrossEntropy(fake, ops.ZerosLike(fake)))
	return machine(store, loss, "critic")
}

// generatorMachine trains the generator to make the critic output 1 for its points.
func generatorMachine(store *vm.Store) (*vm.Machine, error) {
	g := graph.New()
	s := nn.Root(g)
	judged := critic.Apply(s, generator.Apply(s, g.Input("noise", shape.F32(shape.N, noise))))
	return machine(store, ops.BinaryCrossEntropy(judged, ops.OnesLike(judged)), "generator")
}

func test(ctx context.Context, store *vm.Store, r *rand.Rand) error {
	g := graph.New()
	points := generator.Apply(nn.Root(g), g.Input("noise", shape.F32(shape.N, noise)))
	program, err := vm.Compile(cpu.New(), []*graph.Node{points})
	if err != nil {
		return err
	}
	m, err := program.NewMachine(store)
	if err != nil {
		return err
	}
	const n = 4000
	outs, err := m.Run(ctx, fromNoise(r, n))
	if err != nil {
		return err
	}
	xy := outs[0].Data().([]float32)
	var hits [places]int
	near := 0
	for i := range n {
		if place, away := nearest(float64(xy[2*i]), float64(xy[2*i+1])); away < 3*deviation {
			hits[place]++
			near++
		}
	}
	reached := 0
	for _, h := range hits {
		if h >= n/places/10 {
			reached++
		}
	}
	fmt.Printf("%d of %d places reached, %.1f %% of the points near one\n", reached, places, 100*float64(near)/n)
	return nil
}

// place is the centre of real points i.
func place(i int) (x, y float64) {
	angle := 2 * math.Pi * float64(i) / places
	return radius * math.Cos(angle), radius * math.Sin(angle)
}

// nearest is the place nearest to a point, and its distance.
func nearest(x, y float64) (best int, away float64) {
	away = math.Inf(1)
	for i := range places {
		px, py := place(i)
		if d := math.Hypot(x-px, y-py); d < away {
			best, away = i, d
		}
	}
	return best, away
}

func fromNoise(r *rand.Rand, n int) *tensor.Dense {
	v := make([]float32, n*noise)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return tensor.New(tensor.WithShape(n, noise), tensor.WithBacking(v))
}

func fromCircle(r *rand.Rand, n int) *tensor.Dense {
	var v []float32
	for range n {
		x, y := place(r.IntN(places))
		v = append(v, float32(x+deviation*r.NormFloat64()), float32(y+deviation*r.NormFloat64()))
	}
	return tensor.New(tensor.WithShape(n, 2), tensor.WithBacking(v))
}
