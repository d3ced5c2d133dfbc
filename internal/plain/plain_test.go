package plain_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/plain"
)

func TestNamesAreShownInALine(t *testing.T) {
	for in, want := range map[string]string{
		"":                           "",
		"7":                          "7",
		"sulphur-crested cockatoo":   "sulphur-crested cockatoo",
		"Größe, 大きさ, \"quoted\" \\ ": "Größe, 大きさ, \"quoted\" \\ ",
		"two\nlines\r\ttab":          `two\nlines\r\ttab`,
		"\x1b[31mred\x1b]0;title\a":  `\x1b[31mred\x1b]0;title\a`,
		"\u009b31m":                  `\u009b31m`,
		"broken\xff\xfeUTF-8":        `broken\xff\xfeUTF-8`,
		"right\u202eto left":         `right\u202eto left`,
		"nul\x00":                    `nul\x00`,
	} {
		require.Equal(t, want, plain.Name(in), "%q", in)
	}
}

func TestLongNamesLoseTheirMiddle(t *testing.T) {
	name := "first " + strings.Repeat("ab", 5<<20) + " last.png"
	shown := plain.Name(name)
	require.Less(t, utf8.RuneCountInString(shown), 130)
	require.True(t, strings.HasPrefix(shown, "first abab"))
	require.True(t, strings.HasSuffix(shown, "baba"+"b last.png"))
	require.Contains(t, shown, "…")
	require.True(t, utf8.ValidString(plain.Name(strings.Repeat("大", 1000))), "no rune is cut")
	require.Equal(t, strings.Repeat("大", 120), plain.Name(strings.Repeat("大", 120)), "as many runes as there is room for")
}

func TestLinesAreOne(t *testing.T) {
	require.Equal(t, `one; two \x1b[2J; three`, plain.Line("one\n   two \x1b[2J\r\n three\n"))
	long := plain.Line(strings.Repeat("line\n", 1<<20))
	require.NotContains(t, long, "\n")
	require.Less(t, len(long), 5000)
}

// FuzzName holds that what is shown is printable and short.
func FuzzName(f *testing.F) {
	f.Add("plain")
	f.Add("\x1b\xff\n\u202e")
	f.Add(strings.Repeat("\xff", 500))
	f.Fuzz(func(t *testing.T, s string) {
		for _, shown := range []string{plain.Name(s), plain.Line(s)} {
			require.True(t, utf8.ValidString(shown))
			require.False(t, strings.ContainsFunc(shown, func(r rune) bool { return !unicode.IsPrint(r) }))
			require.Less(t, len(shown), 10*4000+10)
		}
	})
}

func TestWriterLeavesATerminalWhole(t *testing.T) {
	var b bytes.Buffer
	n, err := io.WriteString(plain.Writer(&b), "\rtable\tcell\nGröße \x1b[31m\a\u202e end\n")
	require.NoError(t, err)
	require.Equal(t, len("\rtable\tcell\nGröße \x1b[31m\a\u202e end\n"), n)
	require.Equal(t, "\rtable\tcell\nGröße \\x1b[31m\\a\\u202e end\n", b.String())
	_, err = io.WriteString(plain.Writer(full{}), "\x1b")
	require.ErrorIs(t, err, errFull)
}

var errFull = errors.New("full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }
