package plain

import (
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// nameRunes and lineRunes are the largest numbers of runes shown of a name and of a message.
	nameRunes = 120
	lineRunes = 4000
)

// Name returns a name in a form that can be shown on a line. Characters that are not printable,
// including line ends and terminal controls, are escaped as in a Go string, such as \n and \x1b.
// The middle of a long name is left out.
func Name(s string) string { return shortened(s, nameRunes) }

// Line returns a message of any length as one line. Line ends become semicolons; the rest is as in
// [Name], with a higher limit on the length.
func Line(s string) string {
	if len(s) > utf8.UTFMax*lineRunes { // text that is left out need not be split
		s = shortened(s, lineRunes)
	}
	parts := strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' })
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return shortened(strings.Join(parts, "; "), lineRunes)
}

// shortened escapes at most most runes of s, from its two ends.
func shortened(s string, most int) string {
	if len(s) <= most || utf8.RuneCountInString(s) <= most {
		return escaped(s)
	}
	return escaped(head(s, most*2/3)) + "…" + escaped(tail(s, most-most*2/3))
}

// head returns the first n runes of s, which is longer.
func head(s string, n int) string {
	end := 0
	for range n {
		_, size := utf8.DecodeRuneInString(s[end:])
		end += size
	}
	return s[:end]
}

// tail returns the last n runes of s, which is longer.
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

// hidden reports whether r may have to be escaped. The rune that represents invalid UTF-8 is
// distinguished by its bytes.
func hidden(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }

// Writer returns a writer that passes on to w the characters that a terminal shows, line ends,
// carriage returns and tabs. Other controls are escaped as in [Name]. A rune must not be split
// between two writes. Writer protects against names that were not escaped.
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

// control reports whether r moves a terminal's cursor or changes its state.
func control(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' || unicode.Is(unicode.Bidi_Control, r)
}
