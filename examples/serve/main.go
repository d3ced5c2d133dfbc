// Serve answers requests from many goroutines with one Predictor. It trains a small network to
// tell columns from rows in noise, then eight goroutines ask it 20,000 times while the main one
// counts right answers. A Predictor is safe for concurrent use; as many goroutines as there
// are processors compute at a time, and the others wait.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if _, err := run(ctx, os.Stdout, 20000); err != nil {
		log.Fatal(err)
	}
}

// run returns the share of requests that were answered right.
func run(ctx context.Context, w io.Writer, requests int) (float64, error) {
	predictor, err := learn(ctx)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	right, err := serve(ctx, predictor, requests)
	if err != nil {
		return 0, err
	}
	share := float64(right) / float64(requests)
	_, err = fmt.Fprintf(w, "%.0f requests a second, %.4f of %d answered right\n",
		float64(requests)/time.Since(began).Seconds(), share, requests)
	return share, err
}

// serve has eight goroutines ask for requests predictions in all, and counts those that are right.
// The first error ends them all.
func serve(ctx context.Context, predictor *train.Predictor, requests int) (int64, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var asked, right atomic.Int64
	var clients sync.WaitGroup
	for client := range uint64(8) {
		clients.Go(func() {
			r := rand.New(rand.NewPCG(2, client))
			for asked.Add(1) <= int64(requests) && ctx.Err() == nil {
				image, class := bar(r)
				p, err := predictor.Predict(ctx, image)
				if err != nil {
					stop(err)
					return
				}
				if predictor.Top(1, p)[0].Index == class {
					right.Add(1)
				}
			}
		})
	}
	clients.Wait()
	return right.Load(), context.Cause(ctx)
}

func learn(ctx context.Context) (*train.Predictor, error) {
	r := rand.New(rand.NewPCG(1, 1))
	var pixels []float32
	var classes []int
	for range 2000 {
		image, class := bar(r)
		pixels, classes = append(pixels, image...), append(classes, class)
	}
	all, err := data.New(pixels, classes, data.Info{Input: shape.F32(1, 8, 8), Classes: []string{"column", "row"}})
	if err != nil {
		return nil, err
	}
	model := nn.Sequential{
		nn.Conv2D{Out: 8, Kernel: 3, Pad: 1}, nn.ReLU{}, nn.MaxPool2D{Kernel: 2},
		nn.Flatten{}, nn.Linear{Out: 2},
	}
	result, err := train.Fit(ctx, train.Config{
		Model: model, Train: all, Engine: cpu.New(), Optimizer: optim.Adam{LR: 0.01}, Epochs: 10, Seed: 1,
	})
	if err != nil {
		return nil, err
	}
	return train.NewPredictor(model, result.Checkpoint, cpu.New())
}

// bar returns an image (1,8,8) of a bright column, class 0, or row, class 1, in noise.
func bar(r *rand.Rand) (image []float32, class int) {
	image, class = make([]float32, 64), r.IntN(2)
	at := r.IntN(8)
	for p := range image {
		image[p] = r.Float32() / 2
		if class == 0 && p%8 == at || class == 1 && p/8 == at {
			image[p] += 0.5
		}
	}
	return image, class
}
