package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// overview lists the commands.
func overview(out *output, called string) {
	const indent = 13 // of what a command does
	var b bytes.Buffer
	fmt.Fprintf(&b, "usage: %s [command] [flags]\n\nWithout a command it is train. The commands:\n\n", called)
	for _, cmd := range commands() {
		b.WriteString(hanging(fmt.Sprintf("  %-10s %s", cmd.name, cmd.does), indent, out.textColumns()))
	}
	fmt.Fprintf(&b, "\n%s COMMAND -h lists the flags of a command.\n", called)
	_, _ = out.Write(b.Bytes()) // out remembers an error
}

// help describes the command and its flags.
func (c *call) help() {
	usage, flags := c.line(strings.Fields(c.cmd.name)...), c.flagHelp(c.stdout.textColumns())
	if flags != "" {
		usage += " [flags]"
	}
	if c.cmd.args != "" {
		usage += " " + c.cmd.args
	}
	does := hanging(c.cmd.does, 0, c.stdout.textColumns())
	_, _ = io.WriteString(c.stdout, "usage: "+usage+"\n\n"+does+"\n"+flags)
}

// flagHelp describes the flags as package flag does, in lines of at most so many columns.
func (c *call) flagHelp(columns int) string {
	const indent = 8 // of what package flag indents by four spaces and a tab
	var defaults bytes.Buffer
	c.SetOutput(&defaults)
	c.PrintDefaults()
	c.SetOutput(io.Discard)
	var b strings.Builder
	for line := range strings.Lines(defaults.String()) {
		line = strings.ReplaceAll(strings.TrimSuffix(line, "\n"), "\t", "    ")
		b.WriteString(hanging(line, indent, columns))
	}
	return b.String()
}

// textColumns is how wide text is: as the terminal, but not so wide that lines are hard to follow.
func (o *output) textColumns() int {
	const widest = 100
	if n := o.columns(); n > 0 {
		return min(n, widest)
	}
	return usualColumns
}

// hanging breaks a line into lines of at most so many columns, which begin below the text that the
// first has behind its indent.
func hanging(line string, indent, columns int) string {
	if utf8.RuneCountInString(line) > columns {
		text := wrapped(line[indent:], columns-indent)
		line = line[:indent] + strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", indent))
	}
	return line + "\n"
}
