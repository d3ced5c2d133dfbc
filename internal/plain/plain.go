package plain

import (
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// nameRunes and lineRunes are how much is shown of a name and of a message.
	nameRunes = 120
	lineRunes = 4000
)

// Name returns a name as it can be shown in a line. What is not printable, line ends and the
// controls of terminals among it, stands as Go writes it in a string, such as \n and \x1b; of a
// long name the middle is left out.
func Name(s string) string { return shortened(s, nameRunes) }

// Line returns a message of any length as one line. Its line ends become semicolons, the rest is
// as in [Name], but more of it is left.
func Line(s string) string {
	if len(s) > utf8.UTFMax*lineRunes { // what is to be left out need not be split
		s = shortened(s, lineRunes)
	}
	parts := strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' })
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return shortened(strings.Join(parts, "; "), lineRunes)
}

// shortened escapes at most so many runes of s, from its two ends.
func shortened(s string, most int) string {
	if len(s) <= most || utf8.RuneCountInString(s) <= most {
		return escaped(s)
	}
	return escaped(head(s, most*2/3)) + "…" + escaped(tail(s, most-most*2/3))
}

// head is the first n runes of s, which has more.
func head(s string, n int) string {
	end := 0
	for range n {
		_, size := utf8.DecodeRuneInString(s[end:])
		end += size
	}
	return s[:end]
}

// tail is the last n runes of s, which has more.
func tail(s string, n int) string {
	begin := len(s)
	for range n {
		_, size := utf8.DecodeLastRuneInString(s[:begin])
		begin -= size
	}
	return s[begin:]
}

func escaped(s string) string {
	if !strings.ContainsFunc(s, hidden) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if hidden(r) {
			quoted := strconv.Quote(s[:size])
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteString(s[:size])
		}
		s = s[size:]
	}
	return b.String()
}

// hidden tells what may have to be escaped; the rune that stands for broken UTF-8 is told by its
// bytes.
func hidden(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }

// Writer returns a writer that passes on to w what a terminal shows, line ends, carriage returns
// and tabs. Other controls are escaped, each as in [Name]; a rune must not be split among two
// writes. It is what stands behind texts of which a name was not escaped.
func Writer(w io.Writer) io.Writer { return writer{w} }

type writer struct{ io.Writer }

func (w writer) Write(p []byte) (int, error) {
	if !strings.ContainsFunc(string(p), control) {
		return w.Writer.Write(p)
	}
	var b strings.Builder
	for _, r := range string(p) {
		if control(r) {
			b.WriteString(escaped(string(r)))
		} else {
			b.WriteRune(r)
		}
	}
	if _, err := io.WriteString(w.Writer, b.String()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// control tells what moves a terminal's cursor or changes its state.
func control(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' || unicode.Is(unicode.Bidi_Control, r)
}
