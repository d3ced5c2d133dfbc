// Finetune reuses what a network has learnt. One network learns the digits 0 to 4 of MNIST; its
// convolutions are then kept as they are, and a new head learns the digits 5 to 9 from only a
// hundred images. The outcome is its accuracy on 1,000 validation images, beside that of a
// network that learns from these hundred images only.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/mnist"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/train"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if _, err := run(ctx, os.Stdout, 10000); err != nil {
		log.Fatal(err)
	}
}

// convolutions are what is reused; their names tie them to the weights in the checkpoint.
var convolutions = nn.Named("body", nn.Sequential{
	nn.Conv2D{Name: "conv1", Out: 8, Kernel: 5, Pad: 2}, nn.ReLU{}, nn.MaxPool2D{Kernel: 2},
	nn.Conv2D{Name: "conv2", Out: 16, Kernel: 5}, nn.ReLU{}, nn.MaxPool2D{Kernel: 2},
})

func withHead(body nn.Layer) nn.Layer {
	return nn.Sequential{body, nn.Flatten{}, nn.Linear{Name: "head", Out: 10}}
}

// run returns the accuracies with and without the convolutions that were learnt before.
func run(ctx context.Context, w io.Writer, first int) (result [2]float64, err error) {
	training, validation, err := mnist.TrainValidation()
	if err != nil {
		return result, err
	}
	low, err := digits(training, 0, 4, first)
	if err != nil {
		return result, err
	}
	few, err := digits(training, 5, 9, 100)
	if err != nil {
		return result, err
	}
	unseen, err := digits(validation, 5, 9, 1000)
	if err != nil {
		return result, err
	}
	before, err := train.Fit(ctx, train.Config{
		Model: withHead(convolutions), Train: low, Engine: cpu.New(), Optimizer: optim.Adam{}, Epochs: 3, Seed: 1,
	})
	if err != nil {
		return result, err
	}

	config := train.Config{
		Model: withHead(convolutions), Train: few, Validation: unseen, Engine: cpu.New(),
		Optimizer: optim.Adam{LR: 0.003}, Epochs: 40, Batch: 20, Seed: 2,
	}
	scratch, err := train.Fit(ctx, config)
	if err != nil {
		return result, err
	}
	config.Model = withHead(nn.Frozen{Layer: convolutions})
	config.Store, config.Partial = before.Checkpoint.Store, []string{"head.*"}
	for _, name := range []string{"head.weight", "head.bias"} { // the new head begins afresh
		if err := config.Store.Delete(name); err != nil {
			return result, err
		}
	}
	tuned, err := train.Fit(ctx, config)
	if err != nil {
		return result, err
	}
	for i, r := range []*train.Result{tuned, scratch} {
		result[i] = r.Epochs[len(r.Epochs)-1].Validation.Accuracy()
	}
	_, err = fmt.Fprintf(w, "5 to 9 from 100 images: accuracy %.3f with the convolutions of 0 to 4, %.3f from scratch\n", result[0], result[1])
	return result, err
}

// digits returns the first n examples of ds of the classes from low to high.
func digits(ds data.Dataset, low, high int32, n int) (data.Dataset, error) {
	var chosen []int
	x, label := make([]float32, ds.Info().Input.Len()), make([]int32, 1)
	for i := 0; i < ds.Len() && len(chosen) < n; i++ {
		if err := ds.Read(i, data.Example{X: x, Labels: label}); err != nil {
			return nil, err
		}
		if low <= label[0] && label[0] <= high {
			chosen = append(chosen, i)
		}
	}
	return data.Subset(ds, chosen)
}
