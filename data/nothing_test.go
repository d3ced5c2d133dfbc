package data_test

import (
	"context"
	"testing"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/internal/nothing"
	"github.com/plexaura/plexaura/shape"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{
			"BalancedWeights": data.BalancedWeights,
			"ExampleWeights":  data.ExampleWeights,
			"Generate":        data.Generate,
			"JoinInputs":      data.JoinInputs,
			"JoinTargets":     data.JoinTargets,
			"KFold":           data.KFold,
			"Labels":          data.Labels,
			"Limit":           data.Limit,
			"New":             data.New[float32, int32],
			"NewClassIndex":   data.NewClassIndex,
			"NewLoader":       data.NewLoader,
			"NewStreamLoader": data.NewStreamLoader,
			"NewRand":         data.NewRand,
			"ParseInfo":       data.ParseInfo,
			"Path":            data.Path,
			"Split":           data.Split,
			"SplitFractions":  data.SplitFractions,
			"StreamOf":        data.StreamOf,
			"Subset":          data.Subset,
			"Undamaged":       data.Undamaged,
			"WithPreprocess":  data.WithPreprocess,
		},
		Types: []any{
			new(data.Batching),
			new(data.ClassIndex),
			new(data.Info),
			new(data.Loader),
			new(data.Memory[float32]),
			new(data.Preprocess),
			new(data.Rand),
			new(data.Record),
		},
		Good: func() []any {
			ds, err := data.New([]float32{1, 2, 3, 4}, []int32{0, 1}, data.Info{Input: shape.F32(2)})
			if err != nil {
				panic(err)
			}
			l, err := data.NewLoader(ds, data.Batching{Size: 1})
			if err != nil {
				panic(err)
			}
			return []any{ds, l, ds.Info(), data.Batching{Size: 1}, data.NewRand(1, 2, 3), context.Background(), 1}
		},
	})
}
