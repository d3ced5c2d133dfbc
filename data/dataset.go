package data

import (
	"fmt"
	"unicode/utf8"

	"github.com/plexaura/plexaura/internal/isnil"
	"github.com/plexaura/plexaura/shape"
)

// Dataset gives examples by number. Read must be safe for concurrent use, since the
// datasets of training and validation may share one source. It may fail, and it may take long;
// see [Loader.EpochFrom] for one that does not return.
type Dataset interface {
	// Len is the number of examples.
	Len() int
	// Info describes the examples, which are all alike. Its slices are not to be changed.
	Info() Info
	// Read writes example i, from 0 to Len()-1, into e.
	Read(i int, e Example) error
}

// A Filed dataset has its examples in files.
type Filed interface {
	// Path is the file of example i, "" where there is none.
	Path(i int) string
}

// Path returns the file of example i of ds, or "" where ds does not know it.
func Path(ds Dataset, i int) string {
	if f, ok := ds.(Filed); ok && !isnil.Of(ds) {
		return f.Path(i)
	}
	return ""
}

// Example is room for one example, cut from the memory of a batch. Its slices have the
// sizes that [Info] gives.
type Example struct {
	X       []float32 // the input, preprocessed, row-major (C,H,W)
	Labels  []int32   // class numbers, for int32 targets; else empty
	Targets []float32 // numbers to be met, for float32 targets; else empty
}

// Info describes one example of a dataset.
type Info struct {
	// Input is the type of one input, without the batch axis: float32(1,28,28). In an image
	// the first axis is that of the channels.
	Input shape.Type
	// Target is the type of one target, without the batch axis: int32() for a class number,
	// int32(H,W) for one a pixel, float32(k) for k numbers.
	Target shape.Type
	// Classes names the classes, in UTF-8 and in the order of their numbers. It is nil where targets are
	// numbers or where classes have no names.
	Classes []string
	// Preprocess is what was done to the raw inputs, and is to be done to new ones.
	Preprocess Preprocess
}

// Err says what is wrong with d, or returns nil.
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

// maxExample bounds the elements of one example, 4 GiB of float32.
const maxExample = 1 << 30
