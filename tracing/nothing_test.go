package tracing_test

import (
	"bytes"
	"testing"

	"github.com/plexaura/plexaura/internal/nothing"
	"github.com/plexaura/plexaura/tracing"
	"github.com/plexaura/plexaura/vm"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{"NewChrome": tracing.NewChrome},
		Types: []any{new(tracing.Chrome)},
		Good: func() []any {
			return []any{new(bytes.Buffer), vm.Span{Instruction: &vm.Instruction{}}}
		},
		Takes: map[string]string{},
	})
}
