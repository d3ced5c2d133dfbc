package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// fault is one change to the code that a test must notice. In the lists it is a block of lines:
//
//	vm (*plan).guards 2        package, symbol, and which occurrence of the text, 1 if left out
//	# a remark                 any number of these
//	- return a && b            the text to replace; further lines continue it
//	+ return a                 what to put in its place, nothing if left out
//	> train                    the package whose tests notice it, where that is not its own
//	= both are the same here   why no test can notice it
type fault struct {
	pkg    string // within the module, such as engine/cpu
	symbol string // a function, method (*T).M or (T).M, variable, constant or type
	nth    int
	notes  []string
	old    string
	new    string
	by     string
	reason string

	place string // file and line of the block
}

func (f fault) name() string { return f.pkg + "." + f.symbol }

// readFaults reads all lists of a folder, known.txt first.
func readFaults(dir string) (faults []fault, err error) {
	lists, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		return nil, err
	}
	for _, path := range lists {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		part, err := parseFaults(file, filepath.Base(path))
		if err := cmp.Or(err, file.Close()); err != nil {
			return nil, err
		}
		faults = append(faults, part...)
	}
	if len(faults) == 0 {
		return nil, fmt.Errorf("no faults in %s", dir)
	}
	return faults, nil
}

func parseFaults(r io.Reader, name string) (faults []fault, err error) {
	lines := bufio.NewScanner(r)
	var block *fault
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimRight(lines.Text(), " \t")
		place := fmt.Sprintf("%s:%d", name, n)
		switch {
		case line == "":
			block = nil
			continue
		case block == nil && strings.HasPrefix(line, "#"):
			continue // a remark on what follows
		case block == nil:
			faults = append(faults, fault{place: place})
			block = &faults[len(faults)-1]
			err = block.head(line)
		default:
			err = block.add(line)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", place, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for _, f := range faults {
		if f.old == "" || f.old == f.new {
			return nil, fmt.Errorf("%s: %s changes nothing", f.place, f.name())
		}
	}
	return faults, nil
}

// head reads the first line of a block.
func (f *fault) head(line string) (err error) {
	words := strings.Fields(line)
	if strings.ContainsAny(line[:1], "-+>=") {
		return fmt.Errorf("%q names no package", line)
	}
	if len(words) < 2 || len(words) > 3 {
		return fmt.Errorf("%q is no package, symbol and number", line)
	}
	f.pkg, f.symbol, f.nth = words[0], words[1], 1
	if len(words) == 3 {
		f.nth, err = strconv.Atoi(words[2])
	}
	if err != nil || f.nth < 1 {
		return fmt.Errorf("%q is no number of an occurrence", words[2])
	}
	return nil
}

// add reads another line of a block.
func (f *fault) add(line string) error {
	mark, text := line[:1], strings.TrimSpace(line[1:])
	switch mark {
	case "#":
		f.notes = append(f.notes, text)
	case "-":
		f.old = joined(f.old, text, "\n")
	case "+":
		f.new = joined(f.new, text, "\n")
	case ">":
		f.by = text
	case "=":
		f.reason = joined(f.reason, text, " ")
	default:
		return errors.New("a line that begins with none of # - + > =")
	}
	return nil
}

func joined(a, b, sep string) string {
	if a == "" {
		return b
	}
	return a + sep + b
}

// writeFaults writes faults as they are read.
func writeFaults(w io.Writer, faults []fault) error {
	var b strings.Builder
	for i, f := range faults {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s %s", f.pkg, f.symbol)
		if f.nth > 1 {
			fmt.Fprintf(&b, " %d", f.nth)
		}
		b.WriteByte('\n')
		for _, n := range f.notes {
			marked(&b, "#", n)
		}
		marked(&b, "-", f.old)
		marked(&b, "+", f.new)
		marked(&b, ">", f.by)
		marked(&b, "=", f.reason)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func marked(b *strings.Builder, mark, text string) {
	if text == "" {
		return
	}
	for line := range strings.SplitSeq(text, "\n") {
		fmt.Fprintf(b, "%s %s\n", mark, line)
	}
}
