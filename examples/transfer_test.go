package examples_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/fashion"
	"github.com/plexaura/plexaura/data/mnist"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/models/mnistnet"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/train/transfer"
)

// finetune trains a model on other data, beginning with the weights of a file.
func finetune(ctx context.Context, file string, model nn.Layer, training, validation data.Dataset) (*train.Result, error) {
	start, err := transfer.From(file, transfer.Options{
		Model: model, Info: training.Info(), Replace: []string{"fc.*"}, Freeze: []string{"conv[123].*"},
	})
	if err != nil {
		return nil, err // lists what is missing, not used, or of another shape
	}
	fmt.Println(start.Report)
	return train.Fit(ctx, train.Config{
		Model: model, Train: training, Validation: validation, Store: start.Store, Freeze: start.Freeze, UnfreezeAt: 2,
		Engine: cpu.New(), Optimizer: optim.Recipe{Rule: optim.Adam{}, Groups: []optim.Group{{Match: "conv*", LR: 1e-4}}}, Epochs: 3,
	})
}

func Example_fineTuning() {
	if err := tuneForClothes(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// model.safetensors, safetensors: 25 values loaded
	// made anew: fc.bias, fc.weight
	// the loss has fallen: true
}

// tuneForClothes trains on some digits, and then on some clothes.
func tuneForClothes() error {
	digits, err := mnist.Train()
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	ctx := context.Background()
	_, err = train.Fit(ctx, train.Config{
		Model: mnistnet.Model, Train: data.Limit(digits, 128), Engine: cpu.New(), Optimizer: optim.SGD{LR: .05}, Folder: folder,
	})
	if err != nil {
		return err
	}
	clothes, others, err := fashion.Sample()
	if err != nil {
		return err
	}
	result, err := finetune(ctx, filepath.Join(folder, train.CheckpointFile), mnistnet.Model, data.Limit(clothes, 256), data.Limit(others, 64))
	if err != nil {
		return err
	}
	fmt.Println("the loss has fallen:", result.Epochs[2].Train.Loss() < result.Epochs[0].Train.Loss())
	return nil
}
