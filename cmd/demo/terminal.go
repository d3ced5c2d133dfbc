package main

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// terminalLine is a line of a terminal that is written over as a command goes on.
type terminalLine struct {
	out     io.Writer
	columns func() int // of the terminal, which may change; 0 for none
	width   int        // of what is on the line
}

func newTerminalLine(out *output) terminalLine { return terminalLine{out: out, columns: out.columns} }

// room is how many columns may be written on: the last one would begin a new line.
func (l *terminalLine) room() int { return l.columns() - 1 }

// draw replaces what is on the line. What it was longer by is blanked, as far as there is room.
func (l *terminalLine) draw(line string) error {
	n := utf8.RuneCountInString(line)
	blank := max(0, min(l.width, l.room())-n)
	l.width = n
	_, err := fmt.Fprintf(l.out, "\r%s%s", line, strings.Repeat(" ", blank))
	return err
}

// end removes the line.
func (l *terminalLine) end() {
	if l.width > 0 {
		_ = l.draw("")
		_, _ = fmt.Fprint(l.out, "\r")
	}
}

// status says on a terminal what a step of a command does, and for how long.
type status struct {
	terminalLine
	what string
	from time.Time
}

func newStatus(out *output, what string) *status {
	return &status{terminalLine: newTerminalLine(out), what: what, from: time.Now()}
}

// doing replaces the line, on a terminal.
func (s *status) doing(now string) {
	if s.columns() == 0 {
		return
	}
	line := []rune(fmt.Sprintf("%s  %s  %s", s.what, s.took(), now))
	_ = s.draw(string(line[:min(len(line), s.room())]))
}

func (s *status) took() string { return fmt.Sprintf("%.1f s", time.Since(s.from).Seconds()) }
