package dist_test

import (
	"context"
	"errors"
	"testing"

	"github.com/plexaura/plexaura/dist"
	"github.com/plexaura/plexaura/internal/nothing"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{
			"Aborted":    dist.Aborted,
			"Agree":      dist.Agree,
			"Bytes":      dist.Bytes[float32],
			"CheckParts": dist.CheckParts,
			"CheckRoot":  dist.CheckRoot,
			"Collect":    dist.Collect,
			"NewReducer": dist.NewReducer[float32],
			"Ranks":      dist.Ranks,
			"Single":     dist.Single,
			"Sum":        dist.Sum[float32],
			"SumShards":  dist.SumShards[float32],
		},
		Types: []any{new(dist.Error), new(dist.Reducer[float32]), new(dist.Wire)},
		Takes: map[string]string{"Error.Unwrap(*dist.Error)": "no error has no cause"},
		Good: func() []any {
			g := dist.Single()
			r, err := dist.NewReducer[float32](g, dist.ReducerConfig{Length: 2})
			if err != nil {
				t.Fatal(err)
			}
			return []any{g, context.Background(), errors.New("why"), [][]byte{nil}, r, []float32{1, 2}, dist.ReducerConfig{Length: 2}}
		},
	})
}
