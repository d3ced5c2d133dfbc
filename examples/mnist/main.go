// Mnist trains LeNet-5 on MNIST, which is embedded: about 98 % of 5,000 other images are right.
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
	training, validation, err := mnist.TrainValidation()
	if err != nil {
		log.Fatal(err)
	}
	result, err := train.Fit(context.Background(), train.Config{
		Model: nn.Sequential{
			nn.Conv2D{Out: 6, Kernel: 5, Pad: 2}, nn.ReLU{}, nn.MaxPool2D{Kernel: 2},
			nn.Conv2D{Out: 16, Kernel: 5}, nn.ReLU{}, nn.MaxPool2D{Kernel: 2}, nn.Flatten{},
			nn.Linear{Out: 120}, nn.ReLU{}, nn.Linear{Out: 84}, nn.ReLU{}, nn.Linear{Out: 10},
		},
		Train: training, Validation: validation, Epochs: 2, Batch: 64, Seed: 1,
		Engine: cpu.New(), Optimizer: optim.SGD{LR: 0.05, Momentum: 0.9},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("accuracy %.2f %%\n", 100*result.Epochs[1].Validation.Accuracy())
}
