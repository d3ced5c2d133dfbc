package mpi

import (
	"testing"

	"github.com/plexaura/plexaura/dist/launcher"
	"github.com/plexaura/plexaura/internal/nothing"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	t.Setenv(LibVariable, "")
	for _, name := range launcher.Variables() {
		t.Setenv(name, "")
	}
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{"Start": Start},
		Good:  func() []any { return []any{Options{}} },
	})
}
