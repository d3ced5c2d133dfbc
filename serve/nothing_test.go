package serve

import (
	"context"
	"testing"
	"time"

	"github.com/plexaura/plexaura/internal/nothing"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/vm"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	ended, cancel := context.WithDeadline(context.Background(), time.Unix(0, 0))
	defer cancel()
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{"CheckName": CheckName, "New": New, "NewPredictor": NewPredictor, "NewProgram": NewProgram},
		Types: []any{new(Server), new(Tensor)},
		Good: func() []any {
			return []any{ended, "m", Options{}, &fake{}, &train.Predictor{}, &vm.Program{}, vm.NewStore(1), ProgramOptions{}}
		},
	})
}
