package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A panic anywhere in a command, or in what it waits for, is told like other errors; the stack
// follows.
func TestAPanicInACommandIsTold(t *testing.T) {
	boom := func() (int, error) { panic(errors.New("boom\nand \x1b[2J")) }
	var none []int
	for name, cmd := range map[string]command{
		"a command":          {name: "boom", run: func(context.Context, *call) error { _, err := boom(); return err }},
		"what saves":         {name: "boom", ends: true, run: func(context.Context, *call) error { _, err := boom(); return err }},
		"what is waited for": {name: "boom", ends: true, run: func(ctx context.Context, _ *call) error { _, err := await(ctx, boom); return err }},
		"the runtime's":      {name: "boom", run: func(context.Context, *call) error { none[3] = 1; return nil }},
	} {
		var stdout, stderr bytes.Buffer
		out := newOutput(&stdout)
		require.Equal(t, statusBug, report(&stderr, "demo boom", out, newCall(cmd, nil, out).perform(context.Background())), name)
		line, stack, _ := strings.Cut(stderr.String(), "\n")
		want := `boom; and \\x1b\[2J, in demo\.TestAPanicInACommandIsTold\.func1`
		if name == "the runtime's" {
			want = `runtime error: index out of range \[3\] with length 0, in demo\.TestAPanicInACommandIsTold\.func\d+`
		}
		require.Regexp(t, `^demo boom: this is a bug: `+want+` at bug_test.go:\d+; please report it with the lines below$`, line, name)
		require.Contains(t, stack, "TestAPanicInACommandIsTold", name)
		require.NotContains(t, stack, "\x1b")
		require.Regexp(t, `^panic\(`, stack, name)
	}
}
