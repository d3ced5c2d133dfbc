// Customop defines an op, snake(x) = x + sin(x)², checks its gradient, and trains two networks that
// differ only in their activation to compute sin(x) + x/2 for x between -8 and 8. Outside that
// interval the network with snake continues periodically, and the one with ReLU as a straight line
// (Ziyin, Hartwig and Ueda, "Neural Networks Fail to Learn Periodic Functions and How to Fix It",
// 2020).
package main

import (
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/signal"

	"github.com/plexaura/plexaura/autodiff/gradcheck"
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

// Snake returns x + sin(x)², element by element.
func Snake(x *graph.Node) *graph.Node { return graph.Apply(snake{}, x) }

type snake struct{} // an op without attributes

func (snake) Name() string { return "Snake" }

func (snake) Infer(in []shape.Type) (shape.Type, error) {
	if len(in) != 1 || !in[0].IsFloat() {
		return shape.Type{}, fmt.Errorf("want one float32 or float64, have %v", in)
	}
	return in[0], nil
}

// Map describes the computation of each element: r0 = sin(x), r1 = r0*r0, r2 = x+r1.
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
	slope := ops.AddScalar(ops.Sin(ops.MulScalar(y.In(0), 2)), 1)
	return []*graph.Node{ops.Mul(dy, slope)}
}

func main() {
	short := flag.Bool("short", false, "train for fewer epochs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *short); err != nil {
		fmt.Fprintln(os.Stderr, "customop:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, short bool) error {
	checked, err := gradcheck.Run(func(x ...*graph.Node) *graph.Node { return Snake(x[0]) },
		[]gradcheck.Input{{Type: shape.F64(3, 4)}}, gradcheck.Options{})
	if err != nil {
		return err
	}
	fmt.Printf("gradient of Snake against finite differences: worst error %.0e\n", checked.Worst.Error)
	epochs := 300
	if short {
		epochs = 100
	}
	for _, with := range []struct {
		name       string
		activation nn.Layer
	}{{"ReLU", nn.ReLU{}}, {"Snake", nn.Func(Snake)}} {
		inside, outside, err := fit(ctx, with.activation, epochs)
		if err != nil {
			return err
		}
		fmt.Printf("%-5s  mean squared error from -8 to 8: %.4f, from 8 to 16: %.4f\n", with.name, inside, outside)
	}
	return nil
}

// fit trains a network with an activation and returns its errors inside and outside the training
// interval.
func fit(ctx context.Context, activation nn.Layer, epochs int) (inside, outside float64, err error) {
	training, err := curve(-8, 8, 512)
	if err != nil {
		return 0, 0, err
	}
	beyond, err := curve(8, 16, 256)
	if err != nil {
		return 0, 0, err
	}
	model := nn.Sequential{
		nn.Linear{Out: 64}, activation, nn.Linear{Out: 64}, activation, nn.Linear{Out: 1},
	}
	result, err := train.Fit(ctx, train.Config{
		Model: model, Train: training, Engine: cpu.New(), Epochs: epochs, Batch: 64, Seed: 1,
		Optimizer: optim.Recipe{
			Rule:     optim.AdamW{LR: 0.003, WeightDecay: 0.1},
			Schedule: optim.Cosine{Steps: epochs * training.Len() / 64},
		},
	})
	if err != nil {
		return 0, 0, err
	}
	predictor, err := train.NewPredictor(model, result.Checkpoint, cpu.New())
	if err != nil {
		return 0, 0, err
	}
	in, err := predictor.Evaluate(ctx, training, nil)
	if err != nil {
		return 0, 0, err
	}
	out, err := predictor.Evaluate(ctx, beyond, nil)
	return in.Loss(), out.Loss(), err
}

// curve returns n points of sin(x) + x/2 with random x from lo to hi.
func curve(lo, hi float64, n int) (data.Dataset, error) {
	r := rand.New(rand.NewPCG(1, 2))
	var xs, ys []float32
	for range n {
		x := lo + (hi-lo)*r.Float64()
		xs, ys = append(xs, float32(x)), append(ys, float32(math.Sin(x)+x/2))
	}
	return data.New(xs, ys, data.Info{Input: shape.F32(1), Target: shape.F32(1)})
}
