package pytorch_test

import (
	"testing"

	"github.com/plexaura/plexaura/internal/nothing"
	"github.com/plexaura/plexaura/interop/pytorch"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{"Is": pytorch.Is, "Open": pytorch.Open},
		Types: []any{new(pytorch.Reader)},
		Takes: map[string]string{"Reader.Close(*pytorch.Reader)": "nothing is open, so that defer may be put before the error is looked at"},
		Good:  func() []any { return []any{""} },
	})
}
