package examples_test

import (
	"context"
	"fmt"
	"log"
	"slices"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/dist"
	"github.com/plexaura/plexaura/dist/local"
	"github.com/plexaura/plexaura/dist/mpi"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/train"
)

// together trains on the ranks of a group, each of which calls it.
func together(ctx context.Context, group dist.Group, training, validation data.Dataset) (*train.Result, error) {
	return train.Fit(ctx, train.Config{
		Model: nn.Sequential{nn.Linear{Out: 16}, nn.Tanh{}, nn.Linear{Name: "out", Out: 2}},
		Train: training, Validation: validation, Engine: cpu.New(), Optimizer: optim.Adam{LR: 0.03},
		Epochs: 10, Batch: 32, Seed: 1,
		Parallel: train.Parallel{Group: group, Shards: 8},
	})
}

// underMPI is what a program does that mpiexec starts; without it there is one rank.
func underMPI(ctx context.Context, training, validation data.Dataset) (*train.Result, error) {
	group, err := mpi.Start(mpi.Options{})
	if err != nil {
		return nil, err
	}
	result, err := together(ctx, group, training, validation)
	if err != nil {
		group.Abort(err) // ends the other ranks too
		return nil, err
	}
	return result, group.Close()
}

// asGoroutines trains on ranks that are goroutines.
func asGoroutines(ctx context.Context, ranks int, training, validation data.Dataset) ([]*train.Result, error) {
	results := make([]*train.Result, ranks)
	err := local.Run(ranks, func(group dist.Group) (err error) {
		results[group.Rank()], err = together(ctx, group, training, validation)
		return err
	})
	return results, err
}

func weightsOf(r *train.Result) []float32 {
	v, err := r.Checkpoint.Store.Value("out.weight")
	if err != nil {
		log.Fatal(err)
	}
	return slices.Clone(v.Data().([]float32))
}

// The same shards give the same bits on one process and on four ranks.
func Example_distributed() {
	ctx := context.Background()
	training, validation := ringed(400), ringed(90)
	one, err := underMPI(ctx, training, validation)
	if err != nil {
		log.Fatal(err)
	}
	four, err := asGoroutines(ctx, 4, training, validation)
	if err != nil {
		log.Fatal(err)
	}
	for rank, r := range four {
		fmt.Println("rank", rank, "has the weights of one process:", slices.Equal(weightsOf(r), weightsOf(one)))
	}
	// Output:
	// rank 0 has the weights of one process: true
	// rank 1 has the weights of one process: true
	// rank 2 has the weights of one process: true
	// rank 3 has the weights of one process: true
}
