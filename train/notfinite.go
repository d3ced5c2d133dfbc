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

// The phases. What is there before a step are its inputs and the values of the store.
const (
	InData     Phase = "data"
	InValues   Phase = "values"
	InForward  Phase = "forward pass"
	InBackward Phase = "backward pass"
	InUpdate   Phase = "update"
)

// A NotFiniteError says where the first value of a training step arose that is not finite: a node
// whose inputs are finite. It is found when the step is made again from the same values, with the
// same random numbers, node by node.
type NotFiniteError struct {
	Epoch, Batch int         // of the step, from 1; it may be some steps before the one that gave Err
	Phase        Phase       // where the value arose
	Node         *graph.Node // that gave it: an Input, a Param or State, or an op
	Leaf         string      // with InUpdate and InValues, the value of the store that it is or becomes
	Value        float64     // the first such element
	At           []int       // its place
	From         []float64   // of each floating-point input of Node the element there, or where shapes differ the greatest magnitude
	Examples     []int       // the numbers in the dataset of the examples it came from
	Whole        bool        // these are all of the batch, since Node does not keep them apart
	Files        []string    // of Examples, as far as the dataset knows them; see [data.Path]
	Err          error       // what ended the run; wraps vm.ErrNotFinite
}

// Error describes it in few lines.
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

// where names the node, with its layer and line.
func (e *NotFiniteError) where() string {
	if e.Node == nil {
		return "in the " + string(e.Phase)
	}
	s := "in the " + string(e.Phase)
	switch e.Phase {
	case InData:
		return "in the data that are read"
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
