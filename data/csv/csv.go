package csv

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/data"
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

// maxNumbers bounds the numbers of a table in memory, 1 GiB of float32.
const maxNumbers = 1 << 28

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
	l, err := newLines(r, o)
	if err != nil {
		return nil, err
	}
	t := table{lines: l}
	for {
		err := l.next()
		if err == io.EOF {
			return t.dataset()
		}
		if err == nil {
			err = t.add()
		}
		if err != nil {
			return nil, err
		}
	}
}

// table is all lines of a table.
type table struct {
	*lines
	x, y    []float32
	labels  []int32  // of the lines, if the target is a class that is in Classes
	classes []string // of the lines, if it is another
}

// add adds a line.
func (t *table) add() (err error) {
	if len(t.x)+len(t.inputs) > maxNumbers {
		return fmt.Errorf("more than %d numbers", maxNumbers)
	}
	if t.x, err = t.numbers(t.x, t.inputs); err != nil {
		return err
	}
	if !t.isClass() {
		t.y, err = t.numbers(t.y, t.targets)
		return err
	}
	if t.o.Classes == nil {
		name, err := t.class()
		t.classes = append(t.classes, strings.Clone(name)) // rather than the whole line
		return err
	}
	label, err := t.label()
	t.labels = append(t.labels, label)
	return err
}

// dataset makes the dataset of all lines.
func (t *table) dataset() (*data.Memory[float32], error) {
	info, err := t.info()
	if err != nil {
		return nil, err
	}
	if len(t.x) == 0 {
		return nil, errors.New("the table has no line but the names of the columns")
	}
	if !t.isClass() {
		return data.New(t.x, t.y, info)
	}
	if info.Classes != nil {
		return data.New(t.x, t.labels, info)
	}
	info.Classes = slices.Clone(t.classes)
	slices.Sort(info.Classes)
	info.Classes = slices.Compact(info.Classes)
	index, labels := data.NewClassIndex(info.Classes), make([]int32, len(t.classes))
	for i, name := range t.classes {
		if labels[i], err = index.Number(name); err != nil {
			return nil, err
		}
	}
	return data.New(t.x, labels, info)
}
