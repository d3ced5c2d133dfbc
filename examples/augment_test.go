package examples_test

import (
	"context"
	"fmt"
	"log"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/augment"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
)

func Example_augmentation() {
	pixels, labels := bars(400)
	all, err := data.New(pixels, labels, data.Info{Input: shape.F32(1, 8, 8), Classes: []string{"column", "row"}})
	if err != nil {
		log.Fatal(err)
	}
	config := train.Config{
		Model: nn.Sequential{
			nn.Conv2D{Name: "conv", Out: 4, Kernel: 3, Pad: 1}, nn.ReLU{}, nn.MaxPool2D{Kernel: 2},
			nn.Flatten{}, nn.Linear{Name: "fc", Out: 2},
		},
		Train: all, Validation: all, Engine: cpu.New(), Optimizer: optim.Adam{LR: 0.01}, Epochs: 6, Batch: 32, Seed: 1,
	}

	config.Augment = augment.List{
		augment.RandomCrop{Pad: 1},
		augment.HorizontalFlip{},
		augment.Elastic{Sigma: 2, Alpha: 1, Affine: augment.Affine{Rotate: augment.Within(5)}},
	}
	config.Mix = augment.MixUp{Alpha: 0.2}
	config.Workers = 2 // goroutines that load while steps are made

	result, err := train.Fit(context.Background(), config)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Epochs[5].Validation.Accuracy() > 0.95)
	// Output: true
}
