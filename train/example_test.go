package train_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math"
	"sync"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/vm"
)

// A whole program: it trains on data of its own, points that lie on one of two spirals, and
// predicts from many goroutines.
func Example() {
	ctx := context.Background()

	var points []float32
	var labels []int
	for i := range 600 {
		spiral, radius := i%2, float64(i)/600
		angle := 3*radius + math.Pi*float64(spiral)
		points = append(points, float32(radius*math.Cos(angle)), float32(radius*math.Sin(angle)))
		labels = append(labels, spiral)
	}
	dataset, err := data.New(points, labels, data.Info{Input: shape.F32(2), Classes: []string{"white", "black"}})
	if err != nil {
		log.Fatal(err)
	}
	training, validation, err := data.Split(dataset, 100, 1)
	if err != nil {
		log.Fatal(err)
	}

	model := nn.Sequential{
		nn.Linear{Name: "hidden", Out: 32}, nn.Tanh{},
		nn.Linear{Name: "out", Out: 2},
	}
	result, err := train.Fit(ctx, train.Config{
		Model: model, Train: training, Validation: validation,
		Engine: ref.Engine{}, Optimizer: optim.Adam{LR: 0.02},
		Epochs: 20, Batch: 32, Seed: 1,
	})
	if err != nil {
		log.Fatal(err)
	}
	last := result.Epochs[len(result.Epochs)-1]
	fmt.Printf("after epoch %d more than 95 %% right: %v\n", last.Number, last.Validation.Accuracy() > 0.95)

	predictor, err := train.NewPredictor(model, result.Checkpoint, ref.Engine{})
	if err != nil {
		log.Fatal(err)
	}
	var names [4]string
	var group sync.WaitGroup
	for i, point := range [4][]float32{{0.5, 0.1}, {-0.5, -0.1}, {0, 0.5}, {0, -0.5}} {
		group.Go(func() {
			probabilities, err := predictor.Predict(ctx, point)
			if err != nil {
				log.Fatal(err)
			}
			names[i] = predictor.Top(1, probabilities)[0].Name
		})
	}
	group.Wait()
	fmt.Println(names)
	// Output:
	// after epoch 20 more than 95 % right: true
	// [white black white black]
}

// The third point has no number.
func ExampleNotFiniteError() {
	points := []float32{1, 2, 3, 4, float32(math.NaN()), 6, 7, 8}
	dataset, err := data.New(points, []int{0, 1, 0, 1}, data.Info{Input: shape.F32(2), Classes: []string{"white", "black"}})
	if err != nil {
		log.Fatal(err)
	}
	_, err = train.Fit(context.Background(), train.Config{
		Model: nn.Linear{Name: "out", Out: 2}, Train: dataset, Engine: ref.Engine{}, Optimizer: optim.Adam{LR: 0.02}, Batch: 4,
	})
	var found *train.NotFiniteError
	if errors.As(err, &found) {
		fmt.Println(found.Phase, found.Value, found.Examples)
	}
	// Output: data NaN [2]
}

// Steps are watched: here the layers whose instructions take part in the first step.
func ExampleConfig_observe() {
	dataset, err := data.New([]float32{1, 2, 3, 4}, []int{0, 1}, data.Info{Input: shape.F32(2), Classes: []string{"white", "black"}})
	if err != nil {
		log.Fatal(err)
	}
	layers := map[string]bool{}
	_, err = train.Fit(context.Background(), train.Config{
		Model: nn.Sequential{nn.Linear{Name: "hidden", Out: 4}, nn.ReLU{}, nn.Linear{Name: "out", Out: 2}},
		Train: dataset, Engine: ref.Engine{}, Optimizer: optim.SGD{LR: 0.1},
		Observe: vm.Observer{Runs: 1, Span: func(s vm.Span) { layers[s.Instruction.Layer] = true }},
	})
	fmt.Println(err, layers["hidden"], layers["out"])
	// Output: <nil> true true
}
