package metrics

import (
	"errors"
	"fmt"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/shape"
)

// A Metric is a number that says how good outputs are. A user's own implements this interface, or
// is made by [Mean]. Metrics are comparable: two that are equal are the same metric.
type Metric interface {
	// Name is the name in records, such as "f1.macro": letters, digits, '.', '_', '-'.
	Name() string
	// Lower reports whether lower values are better, as of an error.
	Lower() bool
	// Statistic is what the value is computed from. Metrics with equal Statistics share a State.
	Statistic() Statistic
	// Value computes the metric from a State that its Statistic made. NaN means that it is
	// undefined.
	Value(s State) float64
}

// A Statistic makes States. It is comparable.
type Statistic interface {
	// New returns an empty State, or an error that says why such data have none.
	New(d Data) (State, error)
}

// Data describes what a State is for.
type Data struct {
	Output   shape.Type // of the model, with the examples along axis 0
	Target   shape.Type // likewise
	Examples int        // the number that is added at most between two Resets
	Limit    int        // bytes that a State may keep; default 1 GiB
}

// A State adds up what a Statistic counts over examples.
type State interface {
	// Reset makes the state that of no examples.
	Reset()
	// Add adds the examples of a batch, which it does not keep.
	Add(output, target *tensor.Dense) error
	// Merge adds the examples of another State of the same Statistic and Data, as if they had come
	// after those of this one. It is an error if other is of another kind or size.
	Merge(other State) error
	// AppendBinary appends the state to b.
	AppendBinary(b []byte) ([]byte, error)
	// UnmarshalBinary sets the state to an encoded one. It checks all of data, which may be from
	// anywhere.
	UnmarshalBinary(data []byte) error
}

// check returns an error if d describes nothing that can be measured.
func (d Data) check() error {
	for _, part := range []struct {
		name string
		typ  shape.Type
	}{{"output", d.Output}, {"target", d.Target}} {
		t := part.typ
		if t.Rank() == 0 || !t.Drop(0).Concrete() {
			return fmt.Errorf("the %s is %v; want one for each example, along axis 0", part.name, t)
		}
	}
	if !d.Output.IsFloat() {
		return fmt.Errorf("the output is %v; want floating point", d.Output)
	}
	if d.Examples < 0 || d.Limit < 0 {
		return fmt.Errorf("Examples is %d and Limit is %d; neither may be negative", d.Examples, d.Limit)
	}
	return nil
}

// defaultLimit is what a State may keep, in bytes.
const defaultLimit = 1 << 30

func (d Data) limit() int {
	if d.Limit == 0 {
		return defaultLimit
	}
	return d.Limit
}

// errOther is the error of merging states that do not belong together.
var errOther = errors.New("the other state is of another statistic, or of other data")

// errNil is the error of adding nothing.
var errNil = errors.New("the output or the target is nil")

// number is an element of an output.
type number interface{ float32 | float64 }

// numbers returns the elements of a floating-point tensor. Exactly one of the results is not nil.
func numbers(d *tensor.Dense) (single []float32, double []float64, err error) {
	switch d.Dtype() { // Data would allocate
	case tensor.Float32:
		return d.Float32s(), nil, nil
	case tensor.Float64:
		return nil, d.Float64s(), nil
	}
	return nil, nil, fmt.Errorf("elements of %v; want float32 or float64", d.Dtype())
}
