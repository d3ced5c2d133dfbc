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
	"github.com/plexaura/plexaura/internal/regular"
	"github.com/plexaura/plexaura/shape"
)

// Options say what the columns of a table are.
type Options struct {
	// Inputs are the names of the columns that make the input, float32(len(Inputs)), in this order.
	// Default: all that are not Target.
	Inputs []string
	// Target are the columns of the target. One column with Classes, or with names, is a class, and
	// the target int32(); otherwise the columns are numbers, float32(len(Target)).
	Target []string
	// Classes are the names of the classes in the order of their numbers; the column has names, or
	// numbers as [data.ClassIndex] takes them. Nil means the different values of the column in
	// alphabetical order, if Class is set.
	Classes []string
	// Class says that the one column of Target is a class by name even without Classes. A column of
	// numbers without it is a number.
	Class bool
	// Fill, if not nil, returns the number for a hole in the column: an empty field, "NA", "NaN" or "?".
	// Nil means that a hole is an error.
	Fill func(column string) float32
	// Comma separates fields; default a comma.
	Comma rune
	// Shape, if it has axes, is that of an input, of as many elements as there are Inputs.
	Shape shape.Shape
}

// Bounds of a table: its numbers, 1 GiB of float32, its columns, and the bytes of a line.
const (
	maxNumbers = 1 << 28
	maxColumns = 1 << 16
	maxLine    = 1 << 24
)

// ReadFile is [Read] of a regular file. Errors name it.
func ReadFile(path string, o Options) (*data.Memory[float32], error) {
	f, err := regular.Open(path)
	if err != nil {
		return nil, fmt.Errorf("csv: %w", err)
	}
	defer f.Close()
	ds, err := Read(f, o)
	if err != nil {
		return nil, fmt.Errorf("csv: %s: %w", path, err)
	}
	return ds, nil
}

// Read reads a table whose first line has the names of the columns. Fields are those of RFC 4180. An
// error names the line, from 1, and the column.
func Read(r io.Reader, o Options) (*data.Memory[float32], error) {
	if r == nil {
		return nil, errors.New("nothing to read a table from: the reader is nil")
	}
	t := table{o: o, from: r, index: data.NewClassIndex(o.Classes)}
	t.lines = csv.NewReader(bufio.NewReader(&t))
	t.lines.ReuseRecord = true
	if o.Comma != 0 {
		t.lines.Comma = o.Comma
	}
	if err := t.header(); err != nil {
		return nil, err
	}
	for {
		record, err := t.lines.Read()
		if err == io.EOF {
			return t.dataset()
		}
		if err == nil {
			err = t.add(record)
		}
		if err != nil {
			return nil, err
		}
	}
}

type table struct {
	o       Options
	from    io.Reader
	read    int64 // bytes
	lines   *csv.Reader
	inputs  []int
	targets []int
	names   []string // of the columns
	x, y    []float32
	index   data.ClassIndex
	labels  []int32  // of the lines, if the target is a class that is in Classes
	classes []string // of the lines, if it is another
}

// Read reads ahead for lines, but not without bound: a quote that is never closed makes the rest of a
// file one field.
func (t *table) Read(p []byte) (int, error) {
	if t.read-t.lines.InputOffset() > maxLine {
		return 0, fmt.Errorf("a line after the first %d bytes has more than %d", t.lines.InputOffset(), maxLine)
	}
	n, err := t.from.Read(p)
	t.read += int64(n)
	return n, err
}

// header reads the first line and finds the columns.
func (t *table) header() error {
	record, err := t.lines.Read()
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
		t.names = append(t.names, name)
	}
	if len(t.o.Target) == 0 {
		return errors.New("no Target; want the name of a column")
	}
	const shown = 10
	find := func(names []string) (columns []int, err error) {
		for _, name := range names {
			i, ok := at[name]
			if !ok {
				return nil, fmt.Errorf("no column %q; there are %s", name, plain.Names(t.names, shown))
			}
			if slices.Contains(columns, i) {
				return nil, fmt.Errorf("column %q is given twice", name)
			}
			columns = append(columns, i)
		}
		return columns, nil
	}
	if t.targets, err = find(t.o.Target); err != nil {
		return err
	}
	inputs := t.o.Inputs
	if inputs == nil {
		for _, name := range t.names {
			if !slices.Contains(t.o.Target, name) {
				inputs = append(inputs, name)
			}
		}
	}
	if t.inputs, err = find(inputs); err != nil {
		return err
	}
	switch {
	case len(t.inputs) == 0:
		return errors.New("no column is left for the inputs")
	case t.isClass() && len(t.targets) != 1:
		return fmt.Errorf("%d columns are the Target; a class is one", len(t.targets))
	}
	for _, i := range t.inputs {
		if slices.Contains(t.targets, i) {
			return fmt.Errorf("column %q is both an input and the target", t.names[i])
		}
	}
	return nil
}

func (t *table) isClass() bool { return t.o.Class || t.o.Classes != nil }

// add adds a line.
func (t *table) add(record []string) (err error) {
	if len(t.x)+len(t.inputs) > maxNumbers {
		return fmt.Errorf("more than %d numbers", maxNumbers)
	}
	for _, i := range t.inputs {
		v, err := t.number(record, i)
		if err != nil {
			return err
		}
		t.x = append(t.x, v)
	}
	if t.isClass() {
		name := strings.TrimSpace(record[t.targets[0]])
		if hole(name) {
			return t.wrong(t.targets[0], "there is no class")
		}
		if t.o.Classes == nil {
			t.classes = append(t.classes, strings.Clone(name))
			return nil
		}
		class, err := t.index.Number(name)
		if err != nil {
			return t.wrong(t.targets[0], err.Error())
		}
		t.labels = append(t.labels, class)
		return nil
	}
	for _, i := range t.targets {
		v, err := t.number(record, i)
		if err != nil {
			return err
		}
		t.y = append(t.y, v)
	}
	return nil
}

// wrong is an error about a field of the line that was read last.
func (t *table) wrong(column int, what string) error {
	line, _ := t.lines.FieldPos(column)
	return fmt.Errorf("line %d, column %q: %s", line, t.names[column], what)
}

func (t *table) number(record []string, column int) (float32, error) {
	field := strings.TrimSpace(record[column])
	if hole(field) {
		if t.o.Fill == nil {
			return 0, t.wrong(column, "there is no number; set Fill to put one there")
		}
		return t.o.Fill(t.names[column]), nil
	}
	v, err := strconv.ParseFloat(field, 32)
	if err != nil || math.IsInf(v, 0) {
		return 0, t.wrong(column, fmt.Sprintf("%.40q is no number", field))
	}
	return float32(v), nil
}

// hole tells a field without a value.
func hole(field string) bool {
	return field == "" || field == "?" || strings.EqualFold(field, "na") || strings.EqualFold(field, "nan")
}

// dataset makes the dataset of all lines.
func (t *table) dataset() (*data.Memory[float32], error) {
	info := data.Info{Input: shape.F32(shape.Dim(len(t.inputs)))}
	if s := t.o.Shape; s.Rank() > 0 {
		if !s.Concrete() || s.Len() != len(t.inputs) {
			return nil, fmt.Errorf("the Shape %v of an input is not that of %d columns", s, len(t.inputs))
		}
		info.Input.Shape = s
	}
	if len(t.x) == 0 {
		return nil, errors.New("the table has no line but the names of the columns")
	}
	if !t.isClass() {
		info.Target = shape.F32(shape.Dim(len(t.targets)))
		return data.New(t.x, t.y, info)
	}
	if info.Classes = t.o.Classes; info.Classes != nil {
		return data.New(t.x, t.labels, info)
	}
	info.Classes = slices.Clone(t.classes)
	slices.Sort(info.Classes)
	info.Classes = slices.Compact(info.Classes)
	index, labels := data.NewClassIndex(info.Classes), make([]int32, len(t.classes))
	for i, name := range t.classes {
		var err error
		if labels[i], err = index.Number(name); err != nil {
			return nil, err
		}
	}
	return data.New(t.x, labels, info)
}
