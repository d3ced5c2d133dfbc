package examples_test

import (
	"context"
	"fmt"
	"log"
	"math"
	"os"
	"path/filepath"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/train/callbacks"
	"github.com/plexaura/plexaura/train/metrics"
)

// ringed are n points, of which those of class 1 are near the middle.
func ringed(n int) data.Dataset {
	x, y := make([]float32, 2*n), make([]int, n)
	for i := range y {
		radius, angle := float64(i%10)/10, float64(i)
		x[2*i], x[2*i+1] = float32(radius*math.Cos(angle)), float32(radius*math.Sin(angle))
		if radius < 0.35 {
			y[i] = 1
		}
	}
	ds, err := data.New(x, y, data.Info{Input: shape.F32(2), Classes: []string{"ring", "middle"}})
	if err != nil {
		log.Fatal(err)
	}
	return ds
}

// Metrics by name, a metric of one's own, and what a run makes of them.
func Example_metrics() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "run")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	training, validation := ringed(400), ringed(90)
	model := nn.Sequential{nn.Linear{Name: "hidden", Out: 16}, nn.Tanh{}, nn.Linear{Name: "out", Out: 2}}

	measured, err := metrics.Parse("f1,roc_auc,recall.class")
	if err != nil {
		log.Fatal(err)
	}
	margin := metrics.Mean("margin", false, func(output, target []float64) float64 {
		return math.Abs(output[1] - output[0])
	})
	stopping := &callbacks.EarlyStopping{Metric: "f1", Patience: 10}
	best := &callbacks.Best{Metric: "f1"}
	result, err := train.Fit(ctx, train.Config{
		Model: model, Train: training, Validation: validation, Engine: cpu.New(),
		Optimizer: optim.Recipe{Rule: optim.Adam{LR: 0.03}, Scaled: true},
		Epochs:    200, Batch: 32, Seed: 1, Folder: filepath.Join(dir, "run"),
		Metrics: append(measured, margin),
		Callbacks: []train.Callback{
			&callbacks.ReduceOnPlateau{Metric: "f1", Patience: 3, Factor: 0.5},
			&callbacks.TensorBoard{Dir: filepath.Join(dir, "run", "tensorboard")},
			&callbacks.CSV{Path: filepath.Join(dir, "run", "epochs.csv")},
			best, stopping,
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	last := result.Epochs[len(result.Epochs)-1].Validation
	for _, v := range last.Values[:4] {
		fmt.Printf("%s %.2f\n", v.Name, v.Value)
	}

	epoch, f1 := best.Best()
	_, early := stopping.Stopped()
	fmt.Println("stopped early:", early, "after the best of", f1, "was", len(result.Epochs)-epoch, "epochs ago")
	kept, err := train.LoadCheckpoint(filepath.Join(dir, "run", callbacks.BestFile))
	if err != nil {
		log.Fatal(err)
	}
	predictor, err := train.NewPredictor(model, kept, cpu.New())
	if err != nil {
		log.Fatal(err)
	}
	e, err := predictor.Evaluate(ctx, ringed(1000), nil, measured...)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("of the best:", e.Values[0].Name, "above 0.95 on other points:", e.Values[0].Value > 0.95)
	// Output:
	// f1 1.00
	// roc_auc 1.00
	// recall.class.0 1.00
	// recall.class.1 1.00
	// stopped early: true after the best of 1 was 10 epochs ago
	// of the best: f1 above 0.95 on other points: true
}

// The range test of learning rates changes nothing but a copy.
func Example_findRate() {
	curve, err := train.FindRate(context.Background(), train.Config{
		Model: nn.Sequential{nn.Linear{Name: "hidden", Out: 16}, nn.Tanh{}, nn.Linear{Name: "out", Out: 2}},
		Train: ringed(400), Engine: cpu.New(), Optimizer: optim.SGD{LR: 1, Momentum: 0.9}, Batch: 32, Seed: 1,
	}, train.RateSearch{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the loss rose in the end:", curve.Diverged, "- a rate to begin with:", curve.Suggested > 0.1 && curve.Suggested < 3)
	// Output:
	// the loss rose in the end: true - a rate to begin with: true
}
