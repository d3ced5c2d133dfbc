package train

import (
	"fmt"
	"math"
	"strings"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/vm"
)

// A Phase is a part of a training step.
type Phase string

// The phases. Inputs and the values of the store exist before a step.
const (
	InData     Phase = "data"
	InValues   Phase = "values"
	InForward  Phase = "forward pass"
	InBackward Phase = "backward pass"
	InUpdate   Phase = "update"
)

// A NotFiniteError describes where the first value that is not finite arose in a training step: a
// node whose inputs are finite. To find it, the step is repeated node by node with the same values
// and the same random numbers.
type NotFiniteError struct {
	Epoch, Batch int         // of the step, from 1; it may be some steps before the one that caused Err
	Phase        Phase       // where the value arose
	Node         *graph.Node // the node that computed it: an Input, a Param or State, or an op
	Leaf         string      // in InUpdate and InValues, the name of the value in the store
	Value        float64     // the first such element
	At           []int       // its index
	From         []float64   // elements of Node's floating-point inputs at At; largest magnitudes if shapes differ
	Examples     []int       // indices in the dataset, or places in the Stream, of the examples that it came from
	Whole        bool        // Examples are the whole batch, because Node mixes them
	Files        []string    // files of Examples, if the dataset knows them, see [data.Path], or names of their records
	Err          error       // the error that ended the run; wraps vm.ErrNotFinite
}

// Error describes the value on a few lines.
func (e *NotFiniteError) Error() string {
	if e == nil || e.Err == nil {
		return vm.ErrNotFinite.Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%v", e.Err)
	fmt.Fprintf(&b, "\n\tthe first such value arose in epoch %d, batch %d, %s: %v", e.Epoch, e.Batch, e.where(), e.Value)
	if len(e.At) > 0 {
		fmt.Fprintf(&b, " at %v", e.At)
	}
	if len(e.From) > 0 {
		fmt.Fprintf(&b, ", of %s", e.from())
	}
	fmt.Fprintf(&b, "\n\t%s", e.examples())
	return b.String()
}

// Unwrap returns the cause.
func (e *NotFiniteError) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// where returns a description of the node, with its layer and line.
func (e *NotFiniteError) where() string {
	if e.Node == nil {
		return "in the " + string(e.Phase)
	}
	s := "in the " + string(e.Phase)
	switch e.Phase {
	case InData:
		return "in the data"
	case InValues:
		return fmt.Sprintf("in %q, before the step", e.Leaf)
	case InUpdate:
		s += fmt.Sprintf(" of %q", e.Leaf)
	case InBackward:
		if o := e.Node.Origin(); o != nil {
			s += ", the gradient of " + o.Op().Name()
		}
	}
	layer := ""
	if e.Node.Layer() != "" {
		layer = "layer " + e.Node.Layer() + ", "
	}
	return fmt.Sprintf("%s: %v %v (%s%v)", s, e.Node, e.Node.Type(), layer, e.Node.Pos())
}

func (e *NotFiniteError) from() string {
	var all []string
	for _, v := range e.From {
		all = append(all, fmt.Sprint(float32(v)))
	}
	return strings.Join(all, " and ")
}

func (e *NotFiniteError) examples() string {
	what := "it comes from example"
	if e.Whole {
		what = "the batch has example"
	}
	if len(e.Examples) != 1 {
		what += "s"
	}
	var numbers []string
	for _, i := range e.Examples {
		numbers = append(numbers, fmt.Sprint(i))
	}
	s := fmt.Sprintf("%s %s", what, plain.List(numbers, shown))
	if len(e.Files) > 0 {
		s += ": " + plain.Names(e.Files, shown)
	}
	return s
}

func isFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
