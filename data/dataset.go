package data

import (
	"fmt"
	"unicode/utf8"

	"github.com/plexaura/plexaura/internal/isnil"
	"github.com/plexaura/plexaura/shape"
)

// Dataset returns examples by index. Read must be safe for concurrent use, since the datasets for
// training and validation may share one source. It may fail, and it may take long; see
// [Loader.EpochFrom] for a Read that does not return.
type Dataset interface {
	// Len returns the number of examples.
	Len() int
	// Info describes the examples, which all have the same types. Its slices must not be changed.
	Info() Info
	// Read writes example i, from 0 to Len()-1, into e.
	Read(i int, e Example) error
}

// A Filed dataset has one file per example.
type Filed interface {
	// Path returns the file of example i, or "" if there is none.
	Path(i int) string
}

// Path returns the file of example i of ds, or "" if ds does not know it.
func Path(ds Dataset, i int) string {
	if f, ok := ds.(Filed); ok && !isnil.Of(ds) {
		return f.Path(i)
	}
	return ""
}

// Example is memory for one example, part of the memory of a batch. Its slices have the sizes given
// by [Info].
type Example struct {
	X       []float32 // the input, preprocessed, row-major (C,H,W)
	Labels  []int32   // class numbers, for int32 targets; otherwise empty
	Targets []float32 // target numbers, for float32 targets; otherwise empty
}

// Info describes one example of a dataset.
type Info struct {
	// Input is the type of one input, without the batch axis: float32(1,28,28). For an image the
	// first axis is the channels.
	Input shape.Type
	// Target is the type of one target, without the batch axis: int32() for a class number,
	// int32(H,W) for one per pixel, float32(k) for k numbers.
	Target shape.Type
	// Classes lists the names of the classes, in UTF-8 and in the order of their numbers. It is nil
	// if targets are numbers or if classes have no names.
	Classes []string
	// Preprocess is the preprocessing of the raw inputs, which new inputs need too.
	Preprocess Preprocess
}

// Err returns an error that says what is wrong with d, or nil.
func (d Info) Err() error {
	switch {
	case !d.Input.Valid() || !d.Input.Concrete() || d.Input.DType != shape.Float32:
		return fmt.Errorf("input type %v: want float32 with extents known", d.Input)
	case !d.Target.Valid() || !d.Target.Concrete() || d.Target.DType != shape.Float32 && d.Target.DType != shape.Int32:
		return fmt.Errorf("target type %v: want int32 for classes or float32 for numbers, with extents known", d.Target)
	case d.Target.DType != shape.Int32 && d.Classes != nil:
		return fmt.Errorf("target type %v: only int32 targets have classes", d.Target)
	}
	for _, t := range []shape.Type{d.Input, d.Target} {
		if size, err := t.Size(); err != nil || size == 0 || size > maxExample {
			return fmt.Errorf("%v: want from 1 to %d elements", t, maxExample)
		}
		if t.Rank() == shape.MaxRank {
			return fmt.Errorf("%v: no axis is left for the batch", t)
		}
	}
	for i, name := range d.Classes {
		if !utf8.ValidString(name) {
			return fmt.Errorf("class %d, %q, has a name that is not in UTF-8", i, name)
		}
	}
	return d.Preprocess.check(d.Input.Shape)
}

// maxExample is the largest number of elements of one example, 4 GiB of float32.
const maxExample = 1 << 30
