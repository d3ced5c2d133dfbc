package idx_test

import (
	"bytes"
	"testing"

	"github.com/plexaura/plexaura/data/idx"
	"github.com/plexaura/plexaura/internal/nothing"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{
			"Read":   idx.Read,
			"ReadIf": idx.ReadIf,
		},
		Types: []any{
			new(idx.Array),
			new(idx.Type),
		},
		Good: func() []any {
			return []any{bytes.NewReader(nil), func(idx.Array) error { return nil }}
		},
	})
}
