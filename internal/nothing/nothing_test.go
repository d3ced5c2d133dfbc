package nothing_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/nothing"
)

// told keeps what a check finds.
type told struct{ errors []string }

func (*told) Helper() {}
func (t *told) Errorf(format string, args ...any) {
	t.errors = append(t.errors, fmt.Sprintf(format, args...))
}
func (t *told) Fatal(args ...any) { t.errors = append(t.errors, fmt.Sprint(args...)) }

var errNil = errors.New("nil")

// What panics, what takes nothing for something, and rows that are of no use are found, and no
// more.
func TestWhatIsWrongWithNothingIsFound(t *testing.T) {
	panics := func(p *int) error { return fmt.Errorf("%d", *p) }
	takes := func(p *int) error { return nil }
	refuses := func(p *int, _ string) error {
		if p == nil {
			return errNil
		}
		return nil
	}
	n := 1
	good := func() []any { return []any{&n, "name"} }
	for _, tt := range []struct {
		e    nothing.Exports
		want string
	}{
		{nothing.Exports{Funcs: map[string]any{"Check": refuses}}, ""},
		{nothing.Exports{Funcs: map[string]any{}}, "Check is not tried"},
		{nothing.Exports{Funcs: map[string]any{"Check": panics}}, "Check(nothing) panics: runtime error"},
		{nothing.Exports{Funcs: map[string]any{"Check": panics}, Panics: map[string]string{"Check": "so it is"}}, ""},
		{nothing.Exports{Funcs: map[string]any{"Check": refuses}, Panics: map[string]string{"Check": "so it was"}}, "its row in Panics is of no use"},
		{nothing.Exports{Funcs: map[string]any{"Check": takes}}, "Check(nothing) succeeds without *int"},
		{nothing.Exports{Funcs: map[string]any{"Check": takes}, Takes: map[string]string{"Check(*int)": "so it is"}}, ""},
		{nothing.Exports{Funcs: map[string]any{"Check": refuses}, Takes: map[string]string{"Check(*int)": "so it was"}}, "its row in Takes is of no use"},
	} {
		var got told
		tt.e.Good = good
		nothing.Check(&got, tt.e)
		if tt.want == "" {
			require.Empty(t, got.errors)
			continue
		}
		require.Contains(t, strings.Join(got.errors, "\n"), tt.want)
	}
}
