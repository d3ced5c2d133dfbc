package train_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/augment"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/vm"
)

func TestFitLearns(t *testing.T) {
	c := config(t)
	c.Optimizer, c.Train, c.Epochs = optim.Adam{LR: 0.01}, stripes(t, 100), 8
	result := fit(t, c)
	require.Len(t, result.Epochs, 8)
	first, last := result.Epochs[0], result.Epochs[7]
	require.Less(t, last.Train.Loss(), first.Train.Loss()/2)
	require.Equal(t, 1.0, last.Validation.Accuracy())
	require.Equal(t, 100, last.Train.Examples)
	require.Equal(t, 6, last.Validation.Examples)
	require.Equal(t, 0.01, last.Rate)
}

// One seed fixes initialisation, shuffling, augmentation and dropout; two runs give the same
// bits (Lasagne#6), and GOMAXPROCS does not matter.
func TestOneSeed(t *testing.T) {
	run := func(seed uint64, procs int) (map[string][]float64, []train.Epoch) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		c := augmented(t)
		c.Seed, c.Workers = seed, procs
		result := fit(t, c)
		return values(t, result.Checkpoint.Store), timeless(result.Epochs)
	}
	store, epochs := run(7, 1)
	for _, procs := range []int{1, 2, 8} {
		s, e := run(7, procs)
		require.Equal(t, store, s)
		require.Equal(t, epochs, e)
	}
	other, _ := run(8, 1)
	for _, name := range []string{"rng", "conv.weight", "norm.running_var", "out.bias", "out.bias.exp_avg"} {
		require.NotEqual(t, store[name], other[name], "%s does not depend on the seed", name)
	}
}

// What a seed fixes is fixed by it part by part: with the same initial values, another seed
// still means another order of the examples.
func TestSeedOrdersExamples(t *testing.T) {
	losses := func(seed uint64) (l []float64) {
		c := config(t)
		c.Seed, c.Store, c.Partial = seed, vm.NewStore(1), []string{"*"}
		c.OnStep = func(s train.Step) error { l = append(l, s.Loss); return nil }
		fit(t, c)
		return l
	}
	require.Equal(t, losses(1), losses(1))
	require.NotEqual(t, losses(1), losses(2))
}

// The smaller last batch trains and counts with its own weight (masf#3). The oracle is the
// same regression by hand, in float64.
func TestRemainderBatch(t *testing.T) {
	x, y := []float32{1, -2, 3, 0.5, -1.5}, []float32{2, 1, -1, 0.5, 3}
	ds, err := data.New(x, y, data.Info{Input: shape.F32(1), Target: shape.F32(1)})
	require.NoError(t, err)
	const rate, seed, epochs = 0.05, 3, 4
	result := fit(t, train.Config{
		Model:  nn.Linear{Out: 1, Init: graph.Fill(0.5), BiasInit: graph.Fill(-0.25)},
		Train:  ds,
		Engine: ref.Engine{}, Optimizer: optim.SGD{LR: rate}, Epochs: epochs, Batch: 2, Seed: seed,
		Validation: ds,
	})

	loader, err := data.NewLoader(ds, data.Batching{Size: 2, Shuffle: true, Seed: seed})
	require.NoError(t, err)
	w, b := 0.5, -0.25
	loss := func(i int) float64 { e := w*float64(x[i]) + b - float64(y[i]); return e * e }
	for epoch := range epochs {
		sum, sizes := 0.0, []int{}
		for batch, err := range loader.Epoch(epoch) {
			require.NoError(t, err)
			dw, db, n := 0.0, 0.0, float64(len(batch.Examples))
			for _, i := range batch.Examples {
				sum += loss(i)
				e := w*float64(x[i]) + b - float64(y[i])
				dw, db = dw+2*e*float64(x[i])/n, db+2*e/n
			}
			w, b = w-rate*dw, b-rate*db
			sizes = append(sizes, len(batch.Examples))
		}
		require.Equal(t, []int{2, 2, 1}, sizes)
		require.InDelta(t, sum/5, result.Epochs[epoch].Train.Loss(), 1e-5)
		after := 0.0
		for i := range x {
			after += loss(i) / 5
		}
		require.InDelta(t, after, result.Epochs[epoch].Validation.Loss(), 1e-5)
	}
	require.InDelta(t, w, floats(t, result.Checkpoint.Store, "weight")[0], 1e-5)
	require.InDelta(t, b, floats(t, result.Checkpoint.Store, "bias")[0], 1e-5)
}

// 10,000 steps leave the live heap and the number of goroutines where they were (agogo#4).
func TestFlatHeap(t *testing.T) {
	x, y := make([]float32, 2*5001), make([]int, 5001)
	for i := range y {
		y[i], x[2*i], x[2*i+1] = i%2, float32(i%2), float32(i%7)
	}
	ds, err := data.New(x, y, data.Info{Input: shape.F32(2)})
	require.NoError(t, err)
	var heap []uint64
	var goroutines []int
	steps := 0
	fit(t, train.Config{
		Model: nn.Linear{Out: 2}, Train: ds, Engine: ref.Engine{}, Optimizer: optim.Adam{}, Epochs: 4, Batch: 2,
		OnStep: func(train.Step) error { steps++; return nil },
		OnEpoch: func(train.Epoch) error {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			heap, goroutines = append(heap, m.HeapAlloc), append(goroutines, runtime.NumGoroutine())
			return nil
		},
	})
	require.Equal(t, 4*2501, steps)
	require.Less(t, heap[3], heap[0]+32<<10, "%d bytes after 2,501 steps, %d after 10,004", heap[0], heap[3])
	require.LessOrEqual(t, goroutines[3], goroutines[0])
}

// spare makes a parameter that its result does not depend on.
type spare struct{}

func (spare) Apply(s nn.Scope, x *graph.Node) *graph.Node {
	return s.Within("spare", x, func(s nn.Scope) *graph.Node {
		s.Param("weight", shape.F32(3), nil)
		return x
	})
}

// A parameter that the loss does not reach is an error naming it (gorgonia#402).
func TestUnreachableParam(t *testing.T) {
	c := config(t)
	c.Model = nn.Sequential{network, spare{}}
	result, err := train.Fit(context.Background(), c)
	require.Nil(t, result)
	require.ErrorContains(t, err, "the loss does not reach 1.spare.weight")
}

func TestFitReportsEveryMistakeInTheGraph(t *testing.T) {
	c := config(t)
	c.Model = nn.Func(func(x *graph.Node) *graph.Node {
		ops.Reshape(x, 3, 5)
		ops.MatMul(x, ops.Add(x, nil))
		return ops.Flatten(x)
	})
	_, err := train.Fit(context.Background(), c)
	var list graph.ErrorList
	require.ErrorAs(t, err, &list)
	require.GreaterOrEqual(t, len(list), 3) // both, and an output of 16 numbers for 2 classes
	require.ErrorContains(t, err, "the data have 2 classes")
}

func TestFitRefuses(t *testing.T) {
	regression, err := data.New([]float32{1}, []float32{1}, data.Info{Input: shape.F32(1)})
	require.NoError(t, err)
	for want, change := range map[string]func(*train.Config){
		"no Model":                             func(c *train.Config) { c.Model = nil },
		"no dataset":                           func(c *train.Config) { c.Train = nil },
		"no Engine":                            func(c *train.Config) { c.Engine = nil },
		"no Optimizer":                         func(c *train.Config) { c.Optimizer = nil },
		"Epochs is -1":                         func(c *train.Config) { c.Epochs = -1 },
		"batch size -1":                        func(c *train.Config) { c.Batch = -1 },
		"a Store and a Resume":                 func(c *train.Config) { c.Store, c.Resume = vm.NewStore(1), &train.Checkpoint{} },
		"the checkpoint has no Store":          func(c *train.Config) { c.Resume = &train.Checkpoint{} },
		"not one of a run of Fit":              func(c *train.Config) { c.Resume = &train.Checkpoint{Store: vm.NewStore(1)} },
		"training and validation":              func(c *train.Config) { c.Validation = regression },
		"the dataset is empty":                 func(c *train.Config) { c.Train = data.Limit(c.Train, 0) },
		"LR is -1":                             func(c *train.Config) { c.Optimizer = optim.SGD{LR: -1} },
		"returned a nil node":                  func(c *train.Config) { c.Loss = func(_, _ *graph.Node) *graph.Node { return nil } },
		"not a scalar":                         func(c *train.Config) { c.Loss = func(y, _ *graph.Node) *graph.Node { return y } },
		`an Input of its own, "mask"`:          func(c *train.Config) { c.Model = masked },
		"Settings: json: unsupported type":     func(c *train.Config) { c.Settings = func() {} },
		"weight is float32(5), the model need": func(c *train.Config) { c.Store = storeWith(t, "out.weight", 5) },
		"no Model ":                            func(c *train.Config) { c.Model = (*nn.Linear)(nil) },
		"no Model  ":                           func(c *train.Config) { c.Model = nn.Func(nil) },
		"no Engine ":                           func(c *train.Config) { c.Engine = (*ref.Engine)(nil) },
		"no Optimizer ":                        func(c *train.Config) { c.Optimizer = (*optim.Recipe)(nil) },
		"an Augment that is a nil pointer":     func(c *train.Config) { c.Augment = (*augment.HorizontalFlip)(nil) },
		"a Mix that is a nil pointer":          func(c *train.Config) { c.Mix = (*augment.MixUp)(nil) },
		"there is no Rule":                     func(c *train.Config) { c.Optimizer = optim.Recipe{Rule: (*optim.Adam)(nil)} },
		"the Schedule is a nil pointer":        func(c *train.Config) { c.Optimizer = optim.Recipe{Rule: optim.Adam{}, Schedule: (*optim.Cosine)(nil)} },
		"Partial, but no Store":                func(c *train.Config) { c.Partial = []string{"*"} },
		`Partial: invalid pattern "["`:         func(c *train.Config) { c.Store, c.Partial = vm.NewStore(1), []string{"["} },
	} {
		t.Run(want, func(t *testing.T) {
			c := config(t)
			change(&c)
			result, err := train.Fit(context.Background(), c)
			require.ErrorContains(t, err, strings.TrimSpace(want))
			require.Nil(t, result)
		})
	}
}

func TestANilContextIsAnError(t *testing.T) {
	var none context.Context
	result, err := train.Fit(none, config(t))
	require.ErrorContains(t, err, "train: the context is nil")
	require.Nil(t, result)
	p := predictor(t, config(t))
	_, err = p.Predict(none, make([]float32, 16))
	require.ErrorContains(t, err, "train: the context is nil")
	_, err = p.Outputs(none, make([]float32, 16))
	require.ErrorContains(t, err, "the context is nil")
	_, err = p.Evaluate(none, stripes(t, 4), nil)
	require.ErrorContains(t, err, "the context is nil")
}

// masked has an input that Fit knows nothing of.
var masked = nn.Sequential{network, nn.Func(func(x *graph.Node) *graph.Node {
	return ops.Mul(x, x.Graph().Input("mask", shape.F32(2)))
})}

func storeWith(t *testing.T, name string, n int) *vm.Store {
	g := graph.New()
	s := vm.NewStore(1)
	require.NoError(t, s.Init(g.Param(name, shape.F32(shape.Dim(n)), nil)))
	return s
}

func TestCallbacksAreTold(t *testing.T) {
	c := config(t)
	var said []string
	c.OnStart = func(s train.Start) error {
		require.Equal(t, 3*9+3+2*3+2*48+2, s.Params)
		require.Positive(t, s.Train.Arena)
		require.Less(t, s.Evaluation.Arena, s.Train.Arena)
		said = append(said, fmt.Sprintf("start of %d", s.Batches))
		return nil
	}
	c.OnStep = func(s train.Step) error {
		require.Equal(t, 4, s.Batches)
		require.Equal(t, (s.Batch-1)*4+s.Examples, s.SoFar.Examples)
		require.False(t, math.IsNaN(s.Loss))
		said = append(said, fmt.Sprintf("%d.%d:%d", s.Epoch, s.Batch, s.Examples))
		return nil
	}
	c.OnEpoch = func(e train.Epoch) error {
		said = append(said, fmt.Sprintf("end of %d", e.Number))
		if e.Number == 2 {
			return train.ErrStop
		}
		return nil
	}
	require.Len(t, fit(t, c).Epochs, 2)
	require.Equal(t, []string{
		"start of 4", "1.1:4", "1.2:4", "1.3:4", "1.4:2", "end of 1", "2.1:4", "2.2:4", "2.3:4", "2.4:2", "end of 2",
	}, said)
}

func TestCallbackErrorEndsTheRun(t *testing.T) {
	boom := errors.New("boom")
	c := config(t)
	c.OnStep = func(s train.Step) error {
		if s.Epoch == 2 && s.Batch == 3 {
			return boom
		}
		return nil
	}
	result, err := train.Fit(context.Background(), c)
	require.ErrorIs(t, err, boom)
	require.EqualError(t, err, "train: epoch 2 of 3, batch 3 of 4 (step 7): boom")
	require.Len(t, result.Epochs, 1)
	require.Equal(t, 3, result.Checkpoint.Progress.Batch)
}

// Predictions with the values in training are made between two steps or refused; the training
// goes on, to the same bits.
func TestPredictionsDoNotEndTheTraining(t *testing.T) {
	want := values(t, fit(t, config(t)).Checkpoint.Store)
	c := config(t)
	x := inputs(t, c.Validation)
	stop := make(chan struct{})
	var group sync.WaitGroup
	c.OnStart = func(s train.Start) error {
		w := *s.Checkpoint // what it says besides changes with every step
		for range 3 {
			p, err := train.NewPredictor(network, &w, ref.Engine{})
			require.NoError(t, err)
			group.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if _, err := p.Predict(context.Background(), x); err != nil && !errors.Is(err, vm.ErrBusy) {
						t.Error(err)
						return
					}
				}
			})
		}
		return nil
	}
	result, err := train.Fit(context.Background(), c)
	close(stop)
	group.Wait()
	require.NoError(t, err)
	require.Equal(t, want, values(t, result.Checkpoint.Store))
}

// A snapshot predicts while training goes on.
func TestSnapshotServesWhileTraining(t *testing.T) {
	c := config(t)
	var live *train.Checkpoint
	c.OnStart = func(s train.Start) error { live = s.Checkpoint; return nil }
	var served []*train.Predictor
	c.OnEpoch = func(e train.Epoch) error {
		snapshot, err := live.Snapshot()
		require.NoError(t, err)
		p, err := train.NewPredictor(network, snapshot, ref.Engine{})
		require.NoError(t, err)
		served = append(served, p)
		return nil
	}
	result := fit(t, c)
	for i, p := range served {
		e, err := p.Evaluate(context.Background(), c.Validation, nil)
		require.NoError(t, err)
		require.InDelta(t, result.Epochs[i].Validation.Loss(), e.Loss(), 1e-6, "epoch %d", i+1)
	}
}
