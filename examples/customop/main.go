// Customop trains with an op that Plexaura does not have: snake, x + sin²(x), an activation for
// functions that repeat themselves (Ziyin, Hartwig and Ueda, "Neural Networks Fail to Learn
// Periodic Functions and How to Fix It", 2020). A small network learns
// 2.5 periods of a sine, once with snake and once with tanh, and is tested on points in between.
// The op consists of a name, a type rule, its arithmetic and its gradient; the compiler fuses it
// as it does its own ops. On this task tanh does better.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"os/signal"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if _, err := run(ctx, os.Stdout, 100); err != nil {
		log.Fatal(err)
	}
}

// Snake returns x + sin²(x).
func Snake(x *graph.Node) *graph.Node { return graph.Apply(snake{}, x) }

type snake struct{}

func (snake) Name() string { return "Snake" }

func (snake) Infer(in []shape.Type) (shape.Type, error) {
	if len(in) != 1 || !in[0].IsFloat() {
		return shape.Type{}, fmt.Errorf("want one float32 or float64, have %v", in)
	}
	return in[0], nil
}

// Map is the arithmetic of each element: r0 = sin(x), r1 = r0*r0, r2 = x + r1.
func (snake) Map(_ []shape.Type, out shape.Type) engine.Map {
	return engine.Map{
		Steps: []engine.Step{
			{Fn: engine.Sin, DType: out.DType, Args: [3]engine.Arg{engine.In(0)}},
			{Fn: engine.Mul, DType: out.DType, Args: [3]engine.Arg{engine.Res(0), engine.Res(0)}},
			{Fn: engine.Add, DType: out.DType, Args: [3]engine.Arg{engine.In(0), engine.Res(1)}},
		},
		Outs: []int{2},
	}
}

// Grad returns dx = dy*(1 + sin(2x)).
func (snake) Grad(y, dy *graph.Node) []*graph.Node {
	double := ops.MulScalar(y.In(0), 2)
	return []*graph.Node{ops.Mul(dy, ops.AddScalar(ops.Sin(double), 1))}
}

// run returns the mean squared errors of the networks with snake and with tanh.
func run(ctx context.Context, w io.Writer, epochs int) (errors [2]float64, err error) {
	for i, activation := range []struct {
		name  string
		layer nn.Layer
	}{{"snake", nn.Func(Snake)}, {"tanh", nn.Tanh{}}} {
		if errors[i], err = learn(ctx, activation.layer, epochs); err != nil {
			return errors, err
		}
		if _, err = fmt.Fprintf(w, "mean squared error with %s: %.5f\n", activation.name, errors[i]); err != nil {
			return errors, err
		}
	}
	return errors, nil
}

// learn returns the error of a network with the activation on points between those it learns from.
func learn(ctx context.Context, activation nn.Layer, epochs int) (float64, error) {
	training, err := sine(500, 0)
	if err != nil {
		return 0, err
	}
	between, err := sine(499, 0.5)
	if err != nil {
		return 0, err
	}
	model := nn.Sequential{nn.Linear{Out: 32}, activation, nn.Linear{Out: 32}, activation, nn.Linear{Out: 1}}
	result, err := train.Fit(ctx, train.Config{
		Model: model, Train: training, Validation: between, Loss: ops.MSE, Engine: cpu.New(),
		Optimizer: optim.Adam{LR: 0.005}, Epochs: epochs, Batch: 50, Seed: 1,
	})
	if err != nil {
		return 0, err
	}
	return result.Epochs[len(result.Epochs)-1].Validation.Loss(), nil
}

// sine returns points (x, sin(5x)) with x from -π/2 to π/2; shift moves them by a part of their distance.
func sine(n int, shift float64) (data.Dataset, error) {
	var xs, ys []float32
	for i := range n {
		x := math.Pi * ((float64(i)+shift)/500 - 0.5)
		xs, ys = append(xs, float32(x)), append(ys, float32(math.Sin(5*x)))
	}
	return data.New(xs, ys, data.Info{Input: shape.F32(1), Target: shape.F32(1)})
}
