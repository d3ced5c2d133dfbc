package train_test

import (
	"context"
	"testing"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/internal/nothing"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
	measures "github.com/plexaura/plexaura/train/metrics"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{
			"Build":           train.Build,
			"BuildShards":     train.BuildShards,
			"FindRate":        train.FindRate,
			"ForTrainingOnly": train.ForTrainingOnly,
			"Fit":             train.Fit,
			"LoadCheckpoint":  train.LoadCheckpoint,
			"LockFolder":      train.LockFolder,
			"NewPredictor":    train.NewPredictor,
		},
		Types: []any{
			new(train.Checkpoint),
			new(train.Outputs),
			new(train.Epoch),
			new(train.FolderLock),
			new(train.Metrics),
			new(train.Network),
			new(train.MismatchError),
			new(train.NotFiniteError),
			new(train.NoCallback),
			new(train.Predictor),
			new(train.Progress),
			new(train.Streamed),
			new(train.SharedError),
		},
		Takes: map[string]string{
			"Build(train.Loss)":                            "that of the targets is the default",
			"Build(optim.Optimizer)":                       "there is then no graph for training",
			"BuildShards(train.Loss)":                      "that of the targets is the default",
			"BuildShards(optim.Optimizer)":                 "there is then no graph for training",
			"FolderLock.Close(*train.FolderLock)":          "nothing is locked, so that defer may be put before the error is looked at",
			"SharedError.Unwrap(*train.SharedError)":       "no error wraps none",
			"NoCallback.End(*train.Result)":                "a run that did not begin has none",
			"NoCallback.End(error)":                        "a run that went well has none",
			"NotFiniteError.Unwrap(*train.NotFiniteError)": "no error wraps none",
			"Predictor.Evaluate(train.Loss)":               "that of the targets is the default",
		},
		Good: func() []any {
			ds, err := data.New([]float32{1, 2, 3, 4}, []int32{0, 1}, data.Info{Input: shape.F32(2), Classes: []string{"a", "b"}})
			if err != nil {
				panic(err)
			}
			c := train.Config{Model: nn.Linear{Out: 2}, Train: ds, Engine: ref.Engine{}, Optimizer: optim.SGD{LR: .1}}
			r, err := train.Fit(context.Background(), c)
			if err != nil {
				panic(err)
			}
			p, err := train.NewPredictor(c.Model, r.Checkpoint, c.Engine)
			if err != nil {
				panic(err)
			}
			return []any{ds, c, r.Checkpoint, p, ds.Info(), c.Model, c.Engine, c.Optimizer, context.Background(), measures.Accuracy{}, 1}
		},
	})
}
