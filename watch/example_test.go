package watch_test

import (
	"context"
	"fmt"
	"log"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/watch"
)

// A run of one's own is shown at http://127.0.0.1:8080/ while it is made; here any free port will
// do.
func Example() {
	points, err := data.New([]float32{0, 0, 0, 1, 1, 0, 1, 1}, []int32{0, 1, 1, 0},
		data.Info{Input: shape.F32(2), Classes: []string{"equal", "different"}})
	if err != nil {
		log.Fatal(err)
	}
	config := train.Config{
		Model: nn.Sequential{nn.Linear{Name: "hidden", Out: 8}, nn.Tanh{}, nn.Linear{Name: "out", Out: 2}},
		Train: points, Engine: ref.Engine{}, Optimizer: optim.Adam{LR: 0.05}, Epochs: 100, Seed: 1,
	}

	run := watch.NewRun(watch.Options{Title: "exclusive or"})
	server, err := watch.Serve(":0", run)
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	run.Attach(&config)
	result, err := train.Fit(context.Background(), config)
	run.Finish(result, err)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("right:", result.Epochs[len(result.Epochs)-1].Train.Correct, "of 4; stopped from the page:", run.Stopped())
	// Output:
	// right: 4 of 4; stopped from the page: false
}
