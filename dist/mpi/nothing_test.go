package mpi

import (
	"testing"

	"github.com/plexaura/plexaura/internal/nothing"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	t.Setenv(LibVariable, "")
	for _, l := range launchers {
		t.Setenv(l.variable, "")
	}
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{"Start": Start},
		Good:  func() []any { return []any{Options{}} },
	})
}
