package serve

import (
	"context"
	"errors"
	"fmt"
	"image"
	"regexp"
	"slices"

	"github.com/plexaura/plexaura/internal/isnil"
	"github.com/plexaura/plexaura/shape"
)

// A Tensor is an input or an output of a [Model].
type Tensor struct {
	Name     string
	Datatype Datatype
	// Shape has the extents of the axes, -1 for one that each request or result has of its own. If it is
	// nil, not even the number of axes is known.
	Shape []int
}

// A Model is what a [Server] serves. It is used by several goroutines.
type Model interface {
	// Inputs and Outputs describe the tensors. They are always the same.
	Inputs() []Tensor
	Outputs() []Tensor
	// Batched reports whether the first axis of all tensors, of extent -1, is the batch, whose rows are
	// independent: a row of the outputs depends on the same row of the inputs alone, since rows of
	// several requests run together where their other extents are the same. Other Models run one request
	// at a time.
	Batched() bool
	// NewSession returns a new Session for batches of 1 to rows rows. For a Model that is not batched,
	// rows is 1.
	NewSession(rows int) (Session, error)
	// Close frees the Model. It is called once, when no Session runs any more.
	Close() error
}

// A Session runs a [Model], one batch or request at a time, in memory of its own. The server turns a
// panic into an error.
type Session interface {
	// Input returns memory for exactly the elements of input i in the next Run, whose shape agrees with
	// the Tensor, in row-major order and the byte order of the processor. The server asks for all inputs
	// and fills their memory before each Run. It reuses shape.
	Input(i int, shape []int) ([]byte, error)
	// Run computes the outputs.
	Run(ctx context.Context) error
	// Output returns the shape and the elements of output i of the last Run, valid until the next Input.
	Output(i int) (shape []int, elements []byte)
}

// A Classifier is a [Model] that also takes pictures.
type Classifier interface {
	Model
	// Prepare returns the picture as a row of the only input, or as that input if the Model is not
	// batched. It is float32, and its extents are known.
	Prepare(picture image.Image) ([]float32, error)
	// Classes are the names of the classes.
	Classes() []string
	// Probabilities returns the probability of each class, of the last output for one picture, which is
	// float32. The result may be the argument.
	Probabilities(output []float32) []float32
}

// signature is what of a model requests depend on, so that another may take its place.
type signature struct {
	inputs, outputs []Tensor
	batched         bool
	classes         []string // nil for a model that takes no pictures
}

// signatureOf returns the signature of a model that can be served.
func signatureOf(m Model) (s signature, err error) {
	if isnil.Of(m) {
		return s, errors.New("the model is nil")
	}
	s.inputs, s.outputs, s.batched = slices.Clone(m.Inputs()), slices.Clone(m.Outputs()), m.Batched()
	if err := s.check("input", s.inputs); err != nil {
		return s, err
	}
	if err := s.check("output", s.outputs); err != nil {
		return s, err
	}
	c, ok := m.(Classifier)
	if !ok || len(c.Classes()) == 0 {
		return s, nil
	}
	s.classes = slices.Clone(c.Classes())
	in, out := s.inputs[0], s.outputs[len(s.outputs)-1]
	if n, known := s.row(in); len(s.inputs) != 1 || in.Datatype != FP32 || !known || n == 0 {
		return s, errors.New("a classifier takes pictures by its only input, in FP32, of known extents")
	}
	if n, known := s.row(out); out.Datatype != FP32 || known && n != len(s.classes) {
		return s, fmt.Errorf("the last output of a classifier has a number for each class: %d classes, %v", len(s.classes), out)
	}
	return s, nil
}

// maxElements bounds the elements of a row, so that sums of bytes do not overflow.
const maxElements = 1 << 40

// check refuses tensors that requests cannot name or carry.
func (s signature) check(what string, all []Tensor) error {
	if len(all) == 0 || len(all) > maxTensors {
		return fmt.Errorf("the model has %d %ss; want 1 to %d", len(all), what, maxTensors)
	}
	seen := map[string]bool{}
	for _, t := range all {
		_, fits := elementsOf(slices.DeleteFunc(slices.Clone(t.Shape), func(d int) bool { return d == -1 }))
		switch {
		case t.Name == "" || seen[t.Name]:
			return fmt.Errorf("the name %q is that of more than one %s, or of none", t.Name, what)
		case !fits || len(t.Shape) > shape.MaxRank:
			return fmt.Errorf("%s %q has extents %v, which cannot be", what, t.Name, t.Shape)
		case s.batched && (len(t.Shape) == 0 || t.Shape[0] != -1):
			return fmt.Errorf("%s %q of a model that takes batches is %v; want -1 as its first extent", what, t.Name, t)
		case t.Datatype.row() == nil:
			return fmt.Errorf("%s %q is %.40q, which requests cannot carry; there are %s", what, t.Name, t.Datatype, datatypeNames())
		}
		seen[t.Name] = true
	}
	return nil
}

// elementsOf returns the product of extents, or false if one is negative or there are too many elements.
func elementsOf(shape []int) (n int, ok bool) {
	n = 1
	for _, d := range shape {
		if d < 0 || d > 0 && n > maxElements/d {
			return 0, false
		}
		n *= d
	}
	return n, true
}

// row returns the number of elements of a row or, without batches, of the whole tensor, and whether
// it is known before a run.
func (s signature) row(t Tensor) (n int, known bool) {
	if t.Shape == nil {
		return 0, false
	}
	if s.batched {
		return elementsOf(t.Shape[1:])
	}
	return elementsOf(t.Shape)
}

// String returns "FP32 [-1 3 224 224]".
func (t Tensor) String() string { return fmt.Sprint(t.Datatype, " ", metaShape(t)) }

// replacedBy returns an error if requests of the model mean something else for another model.
func (s signature) replacedBy(other signature) error {
	for _, c := range []struct {
		what     string
		old, new []Tensor
	}{{"inputs", s.inputs, other.inputs}, {"outputs", s.outputs, other.outputs}} {
		if !slices.EqualFunc(c.old, c.new, Tensor.equal) {
			return fmt.Errorf("its %s are %s, those of the model that is served %s", c.what, describe(c.new), describe(c.old))
		}
	}
	if s.batched != other.batched {
		return fmt.Errorf("that it takes batches is %v, of the model that is served %v", other.batched, s.batched)
	}
	if !slices.Equal(s.classes, other.classes) {
		return errors.New("its classes are not those of the model that is served")
	}
	return nil
}

func (t Tensor) equal(other Tensor) bool {
	return t.Name == other.Name && t.Datatype == other.Datatype && slices.Equal(t.Shape, other.Shape) && (t.Shape == nil) == (other.Shape == nil)
}

func describe(all []Tensor) string {
	text := ""
	for i, t := range all {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%q of %v", t.Name, t)
	}
	return text
}

// names lists the names of tensors.
func names(all []Tensor) (list []string) {
	for _, t := range all {
		list = append(list, t.Name)
	}
	return list
}

// modelName is what a model may be called: what stands in a path as it is.
var modelName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,119}$`)

// CheckName returns an error if a model cannot be served by that name, which is part of an address:
// letters, digits, dots, dashes and underscores, at most 120.
func CheckName(name string) error {
	if !modelName.MatchString(name) {
		return fmt.Errorf("serve: %.130q is not a name for a model: want letters, digits, '.', '-' and '_', at most 120", name)
	}
	return nil
}
