package csv_test

import (
	"strings"
	"testing"

	"github.com/plexaura/plexaura/data/csv"
	"github.com/plexaura/plexaura/internal/nothing"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{"Read": csv.Read, "ReadFile": csv.ReadFile, "OpenStream": csv.OpenStream, "NewStream": csv.NewStream},
		Types: []any{new(csv.Stream)},
		Good:  func() []any { return []any{strings.NewReader("a,b\n1,2\n"), csv.Options{Target: []string{"b"}}} },
	})
}
