package webdataset_test

import (
	"context"
	"testing"

	"github.com/plexaura/plexaura/data/webdataset"
	"github.com/plexaura/plexaura/internal/nothing"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{"Open": webdataset.Open, "NewStream": webdataset.NewStream},
		Types: []any{new(webdataset.Shards), new(webdataset.Stream)},
		Good:  func() []any { return []any{context.Background(), []string{"none.tar"}} },
	})
}
