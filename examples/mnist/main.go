// Mnist trains LeNet-5 on MNIST, which is embedded, and prints its accuracy on the test images.
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
	ctx, model := context.Background(), nn.Sequential{
		nn.Conv2D{Out: 6, Kernel: 5, Pad: 2}, nn.ReLU{}, nn.MaxPool2D{Kernel: 2},
		nn.Conv2D{Out: 16, Kernel: 5}, nn.ReLU{}, nn.MaxPool2D{Kernel: 2}, nn.Flatten{},
		nn.Linear{Out: 120}, nn.ReLU{}, nn.Linear{Out: 84}, nn.ReLU{}, nn.Linear{Out: 10},
	}
	result := must(train.Fit(ctx, train.Config{
		Model: model, Train: must(mnist.Train()), Engine: cpu.New(),
		Optimizer: optim.Adam{LR: 0.001}, Epochs: 3, Batch: 64, Seed: 1,
		OnEpoch: func(e train.Epoch) error {
			fmt.Printf("epoch %d: loss %.4f\n", e.Number, e.Train.Loss())
			return nil
		},
	}))
	predictor := must(train.NewPredictor(model, result.Checkpoint, cpu.New()))
	score := must(predictor.Evaluate(ctx, must(mnist.Test()), nil))
	fmt.Printf("accuracy on %d test images: %.4f\n", score.Examples, score.Accuracy())
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
