package metrics_test

import (
	"testing"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/internal/nothing"
	"github.com/plexaura/plexaura/train/metrics"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{
			"ClassesOf": metrics.ClassesOf,
			"Mean":      metrics.Mean,
			"Named":     metrics.Named,
			"Names":     metrics.Names,
			"NewSet":    metrics.NewSet,
			"Parse":     metrics.Parse,
		},
		Types: []any{
			new(metrics.Accuracy), new(metrics.BalancedAccuracy), new(metrics.Classes), new(metrics.LogLoss), new(metrics.MAE), new(metrics.MSE),
			new(metrics.PerClass), new(metrics.R2), new(metrics.RMSE), new(metrics.Set), new(metrics.TopK), new(metrics.Values),
		},
		Takes: map[string]string{
			"Set.Add(*metrics.Set)":             "it has no metrics",
			"Set.AppendBinary(*metrics.Set)":    "it has no metrics",
			"Set.Merge(*metrics.Set)":           "it has no metrics",
			"Set.UnmarshalBinary(*metrics.Set)": "it has no metrics",
			"Set.Values(*metrics.Set)":          "it has no metrics",
			"Set.Add(*tensor.Dense)":            "it has no metrics",
		},
		Good: func() []any {
			s, err := metrics.NewSet(logits(2), metrics.Accuracy{})
			if err != nil {
				panic(err)
			}
			return []any{s, logits(2), metrics.Accuracy{}, tensor.New(tensor.WithShape(1, 2), tensor.Of(tensor.Float32))}
		},
	})
}
