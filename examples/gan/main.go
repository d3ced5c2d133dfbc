// Gan trains two networks against each other (Goodfellow et al., 2014): a generator makes points
// of the plane out of noise, and a critic tells them from points on a ring. It shows two
// optimisers on one graph and one store, trained in turn by programs of their own. The outcome
// is the share of generated points near the ring, and how many of its eighths they reach.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
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

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if _, err := run(ctx, os.Stdout, 6000); err != nil {
		log.Fatal(err)
	}
}

const batch, noise = 128, 4

// game holds the programs, which share a store: each trains one network and not the other.
type game struct{ critic, generator, sample *vm.Machine }

func newGame() (*game, error) {
	g := graph.New()
	z, real := g.Input("z", shape.F32(shape.N, noise)), g.Input("real", shape.F32(shape.N, 2))
	fake := nn.Sequential{
		nn.Linear{Out: 64}, nn.ReLU{}, nn.Linear{Out: 64}, nn.ReLU{}, nn.Linear{Out: 2},
	}.Apply(nn.Root(g).In("generator"), z)
	critic := nn.Sequential{
		nn.Linear{Out: 64}, nn.LeakyReLU{Alpha: 0.2}, nn.Linear{Out: 64}, nn.LeakyReLU{Alpha: 0.2}, nn.Linear{Out: 1},
	}
	onReal := critic.Apply(nn.Root(g).In("critic"), real)
	onFake := critic.Apply(nn.Root(g).In("critic").Shared(), fake) // by the same parameters
	toBe := func(logits *graph.Node, p float64) *graph.Node {
		return ops.BinaryCrossEntropy(logits, ops.FullLike(logits, p))
	}
	criticLoss, generatorLoss := ops.Add(toBe(onReal, 1), toBe(onFake, 0)), toBe(onFake, 1)
	minimise := func(name string, loss *graph.Node) {
		o := optim.Recipe{Rule: optim.Adam{LR: 0.001, Betas: [2]float64{0.5, 0.999}}, Name: name, Match: []string{name + ".*"}}
		o.Apply(g, autodiff.Grad(loss, optim.Params(g, o)...))
	}
	minimise("critic", criticLoss)
	minimise("generator", generatorLoss)

	store := vm.NewStore(1)
	made := &game{}
	for _, p := range []struct {
		machine **vm.Machine
		out     *graph.Node
		options []vm.Option
	}{
		{&made.critic, criticLoss, []vm.Option{vm.TrainBy("critic")}},
		{&made.generator, generatorLoss, []vm.Option{vm.TrainBy("generator")}},
		{&made.sample, fake, nil},
	} {
		program, err := vm.Compile(cpu.New(), []*graph.Node{p.out}, p.options...)
		if err != nil {
			return nil, err
		}
		if *p.machine, err = program.NewMachine(store); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// run returns the share of points near the ring and the number of its eighths that have any.
func run(ctx context.Context, w io.Writer, steps int) (result outcome, err error) {
	m, err := newGame()
	if err != nil {
		return result, err
	}
	r := rand.New(rand.NewPCG(1, 1))
	for step := range steps {
		if _, err := m.critic.Run(ctx, normal(r, batch), ring(r, batch)); err != nil {
			return result, err
		}
		if _, err := m.generator.Run(ctx, normal(r, batch)); err != nil {
			return result, err
		}
		if (step+1)%(max(steps/4, 1)) == 0 {
			if result, err = m.look(ctx); err != nil {
				return result, err
			}
			if _, err := fmt.Fprintf(w, "after %d steps %.1f %% of the points are near the ring, in %d of its 8 eighths\n",
				step+1, 100*result.near, result.eighths); err != nil {
				return result, err
			}
		}
	}
	return result, nil
}

type outcome struct {
	near    float64
	eighths int
}

// look generates points and measures where they lie. An eighth counts where 2 % of them are.
func (m *game) look(ctx context.Context) (o outcome, err error) {
	const points = 1000
	outs, err := m.sample.Run(ctx, normal(rand.New(rand.NewPCG(2, 2)), points))
	if err != nil {
		return o, err
	}
	xy, count := outs[0].Float32s(), [8]int{}
	for i := range points {
		x, y := float64(xy[2*i]), float64(xy[2*i+1])
		if math.Abs(math.Hypot(x, y)-1) < 0.2 {
			o.near += 1.0 / points
			count[int(math.Floor((math.Atan2(y, x)+math.Pi)/(math.Pi/4)))%8]++
		}
	}
	for _, n := range count {
		if n >= points/50 {
			o.eighths++
		}
	}
	return o, nil
}

func normal(r *rand.Rand, n int) *tensor.Dense {
	z := make([]float32, n*noise)
	for i := range z {
		z[i] = float32(r.NormFloat64())
	}
	return tensor.New(tensor.WithShape(n, noise), tensor.WithBacking(z))
}

// ring returns points at a distance of 1, give or take 0.05, from the origin.
func ring(r *rand.Rand, n int) *tensor.Dense {
	var points []float32
	for range n {
		radius := 1 + 0.05*r.NormFloat64()
		sin, cos := math.Sincos(2 * math.Pi * r.Float64())
		points = append(points, float32(radius*cos), float32(radius*sin))
	}
	return tensor.New(tensor.WithShape(n, 2), tensor.WithBacking(points))
}
