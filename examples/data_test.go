package examples_test

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"
	"sync"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
)

// learn trains a network on images (1,8,8), one after the other in pixels.
func learn(ctx context.Context, pixels []float32, labels []int) (*train.Predictor, error) {
	all, err := data.New(pixels, labels, data.Info{Input: shape.F32(1, 8, 8), Classes: []string{"column", "row"}})
	if err != nil {
		return nil, err
	}
	training, validation, err := data.Split(all, all.Len()/10, 1)
	if err != nil {
		return nil, err
	}
	model := nn.Sequential{
		nn.Conv2D{Name: "conv", Out: 4, Kernel: 3, Pad: 1}, nn.ReLU{}, nn.MaxPool2D{Kernel: 2},
		nn.Flatten{}, nn.Linear{Name: "fc", Out: 2},
	}
	result, err := train.Fit(ctx, train.Config{
		Model: model, Train: training, Validation: validation,
		Engine: cpu.New(), Optimizer: optim.Adam{LR: 0.01},
		Epochs: 8, Batch: 32, Seed: 1,
	})
	if err != nil {
		return nil, err
	}
	return train.NewPredictor(model, result.Checkpoint, cpu.New())
}

func Example_ownData() {
	ctx := context.Background()
	pixels, labels := bars(400)
	predictor, err := learn(ctx, pixels, labels)
	if err != nil {
		log.Fatal(err)
	}

	images := [][]float32{pixels[:64], pixels[64:128], pixels[128:192]}
	names := make([]string, len(images))
	var group sync.WaitGroup
	for i, x := range images {
		group.Go(func() { // a Predictor serves any number of goroutines
			probabilities, err := predictor.Predict(ctx, x)
			if err != nil {
				log.Fatal(err)
			}
			names[i] = predictor.Top(1, probabilities)[0].Name
		})
	}
	group.Wait()
	fmt.Println(names)
	// Output: [column row column]
}

// bars returns n images of a column or, every second one, a row, in noise.
func bars(n int) (pixels []float32, labels []int) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		image, at := make([]float32, 64), r.IntN(8)
		for p := range image {
			image[p] = r.Float32() / 4
			if i%2 == 0 && p%8 == at || i%2 == 1 && p/8 == at {
				image[p] = 1
			}
		}
		pixels, labels = append(pixels, image...), append(labels, i%2)
	}
	return pixels, labels
}
