package transfer_test

import (
	"testing"

	"github.com/plexaura/plexaura/internal/nothing"
	"github.com/plexaura/plexaura/train/transfer"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{"From": transfer.From},
		Types: []any{new(transfer.Report)},
		Good:  func() []any { return []any{""} },
	})
}
