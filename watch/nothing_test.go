package watch

import (
	"testing"

	"github.com/plexaura/plexaura/internal/nothing"
	"github.com/plexaura/plexaura/train"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{"NewRun": NewRun, "OpenFolders": OpenFolders, "ParseAddress": ParseAddress, "Serve": Serve},
		Types: []any{new(Run), new(Folders), new(Server)},
		Takes: map[string]string{
			"Server.Close(*watch.Server)": "nothing is served, so that defer may be put before the error is looked at",
		},
		Good: func() []any {
			return []any{NewRun(Options{}), ":0", &train.Config{}}
		},
	})
}
