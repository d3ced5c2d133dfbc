package csv

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/shape"
)

// Bounds of a table: its columns, and the bytes of a line.
const (
	maxColumns = 1 << 16
	maxLine    = 1 << 24
)

// lines reads a table line by line.
type lines struct {
	o       Options
	from    io.Reader
	read    int64 // bytes
	csv     *csv.Reader
	inputs  []int
	targets []int
	names   []string // of the columns
	index   data.ClassIndex
	record  []string // the fields of the line that was read last
}

// newLines reads the first line of a table.
func newLines(r io.Reader, o Options) (*lines, error) {
	if r == nil {
		return nil, errors.New("nothing to read a table from: the reader is nil")
	}
	l := &lines{o: o, from: r, index: data.NewClassIndex(o.Classes)}
	l.csv = csv.NewReader(bufio.NewReader(l))
	l.csv.ReuseRecord = true
	if o.Comma != 0 {
		l.csv.Comma = o.Comma
	}
	return l, l.header()
}

// next reads a line.
func (l *lines) next() (err error) {
	l.record, err = l.csv.Read()
	return err
}

// info describes the examples. Classes are those of the Options.
func (l *lines) info() (data.Info, error) {
	info := data.Info{Input: shape.F32(shape.Dim(len(l.inputs))), Target: shape.F32(shape.Dim(len(l.targets)))}
	if s := l.o.Shape; s.Rank() > 0 {
		if !s.Concrete() || s.Len() != len(l.inputs) {
			return info, fmt.Errorf("the Shape %v of an input is not that of %d columns", s, len(l.inputs))
		}
		info.Input.Shape = s
	}
	if l.isClass() {
		info.Target, info.Classes = shape.I32(), l.o.Classes
	}
	return info, nil
}

// Read reads ahead for lines, but not without bound: a quote that is never closed makes the rest of a
// file one field.
func (l *lines) Read(p []byte) (int, error) {
	if l.read-l.csv.InputOffset() > maxLine {
		return 0, fmt.Errorf("a line after the first %d bytes has more than %d", l.csv.InputOffset(), maxLine)
	}
	n, err := l.from.Read(p)
	l.read += int64(n)
	return n, err
}

// header reads the first line and finds the columns.
func (l *lines) header() (err error) {
	record, err := l.csv.Read()
	if err == io.EOF {
		return errors.New("the table is empty; want a line with the names of the columns")
	}
	if err != nil {
		return err
	}
	if len(record) > maxColumns {
		return fmt.Errorf("line 1: %d columns; at most %d", len(record), maxColumns)
	}
	at := map[string]int{}
	for i, name := range record {
		name = strings.TrimSpace(strings.TrimPrefix(name, "\ufeff"))
		if j, twice := at[name]; twice {
			return fmt.Errorf("line 1: columns %d and %d are both called %q", j+1, i+1, name)
		}
		at[name] = i
		l.names = append(l.names, name)
	}
	if len(l.o.Target) == 0 {
		return errors.New("no Target; want the name of a column")
	}
	find := func(names []string) (columns []int, err error) {
		for _, name := range names {
			i, ok := at[name]
			if !ok {
				return nil, fmt.Errorf("no column %q; there are %s", name, plain.Names(l.names, shown))
			}
			if slices.Contains(columns, i) {
				return nil, fmt.Errorf("column %q is given twice", name)
			}
			columns = append(columns, i)
		}
		return columns, nil
	}
	if l.targets, err = find(l.o.Target); err != nil {
		return err
	}
	inputs := l.o.Inputs
	if inputs == nil {
		for _, name := range l.names {
			if !slices.Contains(l.o.Target, name) {
				inputs = append(inputs, name)
			}
		}
	}
	if l.inputs, err = find(inputs); err != nil {
		return err
	}
	switch {
	case len(l.inputs) == 0:
		return errors.New("no column is left for the inputs")
	case l.isClass() && len(l.targets) != 1:
		return fmt.Errorf("%d columns are the Target; a class is one", len(l.targets))
	}
	for _, i := range l.inputs {
		if slices.Contains(l.targets, i) {
			return fmt.Errorf("column %q is both an input and the target", l.names[i])
		}
	}
	return nil
}

func (l *lines) isClass() bool { return l.o.Class || l.o.Classes != nil }

// shown is how many names an error lists.
const shown = 10

// class returns the class that the line has, as it stands there.
func (l *lines) class() (string, error) {
	text := strings.TrimSpace(l.record[l.targets[0]])
	if hole(text) {
		return "", l.wrong(l.targets[0], "there is no class")
	}
	return text, nil
}

// label returns the number of the class, which is one of Classes.
func (l *lines) label() (int32, error) {
	text, err := l.class()
	if err != nil {
		return 0, err
	}
	number, err := l.index.Number(text)
	if err != nil {
		return 0, l.wrong(l.targets[0], err.Error())
	}
	return number, nil
}

// numbers appends the numbers that the line has in some columns.
func (l *lines) numbers(to []float32, columns []int) ([]float32, error) {
	for _, i := range columns {
		v, err := l.number(i)
		if err != nil {
			return to, err
		}
		to = append(to, v)
	}
	return to, nil
}

// wrong is an error about a field of the line that was read last.
func (l *lines) wrong(column int, what string) error {
	line, _ := l.csv.FieldPos(column)
	return fmt.Errorf("line %d, column %q: %s", line, l.names[column], what)
}

func (l *lines) number(column int) (float32, error) {
	field := strings.TrimSpace(l.record[column])
	if hole(field) {
		if l.o.Fill == nil {
			return 0, l.wrong(column, "there is no number; set Fill to put one there")
		}
		return l.o.Fill(l.names[column]), nil
	}
	v, err := strconv.ParseFloat(field, 32)
	if err != nil || math.IsInf(v, 0) {
		return 0, l.wrong(column, fmt.Sprintf("%.40q is no number", field))
	}
	return float32(v), nil
}

// hole tells a field without a value.
func hole(field string) bool {
	return field == "" || field == "?" || strings.EqualFold(field, "na") || strings.EqualFold(field, "nan")
}
