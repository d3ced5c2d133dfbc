// Mnist trains LeNet-5 on MNIST, which is embedded, and tests it: about 98 % after two epochs.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/plexaura/plexaura/data/mnist"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/train"
)

func main() {
	ctx, engine := context.Background(), cpu.New()
	training, test := must(mnist.Train()), must(mnist.Test())
	model := nn.Sequential{
		nn.Conv2D{Out: 6, Kernel: 5, Pad: 2}, nn.ReLU{}, nn.MaxPool2D{Kernel: 2},
		nn.Conv2D{Out: 16, Kernel: 5}, nn.ReLU{}, nn.MaxPool2D{Kernel: 2}, nn.Flatten{},
		nn.Linear{Out: 120}, nn.ReLU{}, nn.Linear{Out: 84}, nn.ReLU{}, nn.Linear{Out: 10},
	}
	result := must(train.Fit(ctx, train.Config{
		Model: model, Train: training, Engine: engine, Epochs: 2, Batch: 64, Seed: 1,
		Optimizer: optim.SGD{LR: 0.05, Momentum: 0.9},
	}))
	predictor := must(train.NewPredictor(model, result.Checkpoint, engine))
	scores := must(predictor.Evaluate(ctx, test, nil))
	fmt.Printf("test accuracy %.2f %%\n", 100*scores.Accuracy())
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
