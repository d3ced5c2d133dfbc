package main

import (
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestHelpFitsTheTerminal(t *testing.T) {
	for _, columns := range []int{60, 80, 100} {
		for _, cmd := range commands() {
			c := newCall(cmd, []string{"-h"}, newOutput(io.Discard))
			require.Error(t, c.perform(t.Context())) // which declares the flags
			for line := range strings.Lines(c.flagHelp(columns)) {
				require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), columns, "%s", line)
			}
		}
	}
}

func TestLinesOfHelpHang(t *testing.T) {
	for _, tt := range []struct {
		line            string
		indent, columns int
		want            string
	}{
		{"short", 0, 20, "short\n"},
		{"  name text that is long", 7, 16, "  name text that\n       is long\n"},
		{"        indented text", 8, 18, "        indented\n        text\n"},
	} {
		require.Equal(t, tt.want, hanging(tt.line, tt.indent, tt.columns))
	}
}
