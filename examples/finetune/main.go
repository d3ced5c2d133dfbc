// Finetune trains a network on the digits 0 to 4, saves it, and continues with ten images of each
// of the digits 5 to 9. It prints the test accuracy on 5 to 9 of three networks: one trained only
// from those fifty images, one with a new head on frozen features, and one with a new head that is
// trained together with the features.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/mnist"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/train"
)

// body turns images into 84 features.
var body = nn.Named("body", nn.Sequential{
	nn.Conv2D{Out: 6, Kernel: 5, Pad: 2}, nn.ReLU{}, nn.MaxPool2D{Kernel: 2},
	nn.Conv2D{Out: 16, Kernel: 5}, nn.ReLU{}, nn.MaxPool2D{Kernel: 2}, nn.Flatten{},
	nn.Linear{Out: 120}, nn.ReLU{}, nn.Linear{Out: 84}, nn.ReLU{},
})

// withHead is the whole network; a head with another name has other parameters.
func withHead(body nn.Layer, name string) nn.Layer {
	return nn.Sequential{body, nn.Linear{Name: name, Out: 10}}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "finetune:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	all, err := mnist.Train()
	if err != nil {
		return err
	}
	low, err := digits(all, 0, 4, 4000)
	if err != nil {
		return err
	}
	few, err := digits(all, 5, 9, 10)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "finetune")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "low.safetensors")
	if err := pretrain(ctx, low, file); err != nil {
		return err
	}
	return compare(ctx, few, file)
}

// pretrain learns from the digits 0 to 4 and saves the result.
func pretrain(ctx context.Context, low data.Dataset, file string) error {
	result, err := train.Fit(ctx, train.Config{
		Model: withHead(body, "low"), Train: low, Engine: cpu.New(),
		Optimizer: optim.SGD{LR: 0.05, Momentum: 0.9}, Epochs: 2, Batch: 64, Seed: 1,
	})
	if err != nil {
		return err
	}
	fmt.Printf("digits 0 to 4: %d images\n", low.Len())
	return result.Checkpoint.Save(file)
}

// compare trains from few images, with and without the features of the file.
func compare(ctx context.Context, few data.Dataset, file string) error {
	all, err := mnist.Test()
	if err != nil {
		return err
	}
	test, err := digits(all, 5, 9, all.Len())
	if err != nil {
		return err
	}
	for _, way := range []struct {
		does string
		body nn.Layer
		from string
	}{
		{"from scratch", body, ""},
		{"a new head on frozen features of 0 to 4", nn.Frozen{Layer: body}, file},
		{"a new head, and the features tuned", body, file},
	} {
		config := train.Config{
			Model: withHead(way.body, "high"), Train: few, Engine: cpu.New(),
			Optimizer: optim.Adam{LR: 0.001}, Epochs: 60, Batch: 10, Seed: 1,
		}
		if way.from != "" {
			checkpoint, err := train.LoadCheckpoint(way.from)
			if err != nil {
				return err
			}
			config.Store, config.Partial = checkpoint.Store, []string{"low.*", "high.*"} // one head is dropped, the other is new
		}
		accuracy, err := accuracy(ctx, config, test)
		if err != nil {
			return err
		}
		fmt.Printf("digits 5 to 9, %d images, %s: test accuracy %.1f %%\n", few.Len(), way.does, 100*accuracy)
	}
	return nil
}

// accuracy trains as c says and tests the result.
func accuracy(ctx context.Context, c train.Config, test data.Dataset) (float64, error) {
	result, err := train.Fit(ctx, c)
	if err != nil {
		return 0, err
	}
	predictor, err := train.NewPredictor(c.Model, result.Checkpoint, c.Engine)
	if err != nil {
		return 0, err
	}
	scores, err := predictor.Evaluate(ctx, test, nil)
	return scores.Accuracy(), err
}

// digits returns the first n images of each of the digits lo to hi.
func digits(ds data.Dataset, lo, hi int32, n int) (data.Dataset, error) {
	e := data.Example{X: make([]float32, ds.Info().Input.Len()), Labels: make([]int32, 1)}
	count := map[int32]int{}
	var chosen []int
	for i := range ds.Len() {
		if err := ds.Read(i, e); err != nil {
			return nil, err
		}
		if d := e.Labels[0]; d >= lo && d <= hi && count[d] < n {
			count[d]++
			chosen = append(chosen, i)
		}
	}
	return data.Subset(ds, chosen)
}
