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
	Name string
	// Row is the type of one row: all axes but the first, which is the batch.
	Row shape.Type
}

// A Model is what a [Server] serves. The rows of a batch are independent: a row of the outputs depends
// on the same row of the inputs alone, since rows of several requests run together. A Model is used by
// several goroutines.
type Model interface {
	// Inputs and Outputs describe the tensors. They are always the same.
	Inputs() []Tensor
	Outputs() []Tensor
	// NewSession returns a new Session for batches of 1 to rows rows.
	NewSession(rows int) (Session, error)
	// Close frees the Model. It is called once, when no Session runs any more.
	Close() error
}

// A Session computes batches of a [Model], one at a time, in memory of its own.
type Session interface {
	// Input returns the memory of input i: the elements of as many rows as the Session is for, in
	// row-major order and the byte order of the processor. The server writes it before Run.
	Input(i int) []byte
	// Run computes the outputs of the first rows rows. The server turns a panic into an error.
	Run(ctx context.Context, rows int) error
	// Output returns the memory of output i, whose first rows the last Run has written.
	Output(i int) []byte
}

// A Classifier is a [Model] that also takes pictures. Its last output has a number for each class.
type Classifier interface {
	Model
	// Prepare returns the picture as a row of the only input, which is float32.
	Prepare(picture image.Image) ([]float32, error)
	// Classes are the names of the classes.
	Classes() []string
}

// signature is what of a model requests depend on, so that another may take its place.
type signature struct {
	inputs, outputs []Tensor
	classes         []string // nil for a model that takes no pictures
}

// signatureOf returns the signature of a model that can be served.
func signatureOf(m Model) (s signature, err error) {
	if isnil.Of(m) {
		return s, errors.New("the model is nil")
	}
	s.inputs, s.outputs = slices.Clone(m.Inputs()), slices.Clone(m.Outputs())
	if err := checkTensors("input", s.inputs); err != nil {
		return s, err
	}
	if err := checkTensors("output", s.outputs); err != nil {
		return s, err
	}
	c, ok := m.(Classifier)
	if !ok || len(c.Classes()) == 0 {
		return s, nil
	}
	s.classes = slices.Clone(c.Classes())
	if in := s.inputs[0].Row; len(s.inputs) != 1 || in.DType != shape.Float32 {
		return s, errors.New("a classifier takes pictures by its only input, in float32")
	}
	if out := s.outputs[len(s.outputs)-1].Row; out.DType != shape.Float32 || out.Len() != len(s.classes) {
		return s, fmt.Errorf("the last output of a classifier has a number for each class: %d classes, rows of %v", len(s.classes), out)
	}
	return s, nil
}

// checkTensors refuses tensors that requests cannot name or carry.
func checkTensors(what string, all []Tensor) error {
	if len(all) == 0 {
		return fmt.Errorf("the model has no %s", what)
	}
	seen := map[string]bool{}
	for _, t := range all {
		switch {
		case t.Name == "" || seen[t.Name]:
			return fmt.Errorf("the name %q is that of more than one %s, or of none", t.Name, what)
		case !t.Row.Valid() || !t.Row.Concrete() || t.Row.Len() == 0:
			return fmt.Errorf("%s %q has rows of %v; want known extents", what, t.Name, t.Row)
		case datatypeOf(t.Row.DType) == nil:
			return fmt.Errorf("%s %q is %v, which requests cannot carry; there are %s", what, t.Name, t.Row.DType, datatypeNames())
		}
		seen[t.Name] = true
	}
	return nil
}

// replacedBy returns an error if requests of the model mean something else for another model.
func (s signature) replacedBy(other signature) error {
	for _, c := range []struct {
		what     string
		old, new []Tensor
	}{{"inputs", s.inputs, other.inputs}, {"outputs", s.outputs, other.outputs}} {
		if !slices.Equal(c.old, c.new) {
			return fmt.Errorf("its %s are %s, those of the model that is served %s", c.what, describe(c.new), describe(c.old))
		}
	}
	if !slices.Equal(s.classes, other.classes) {
		return errors.New("its classes are not those of the model that is served")
	}
	return nil
}

func describe(all []Tensor) string {
	text := ""
	for i, t := range all {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%q of %v a row", t.Name, t.Row)
	}
	return text
}

// rowBytes returns the number of bytes of a row of all tensors.
func rowBytes(all []Tensor) (bytes int) {
	for _, t := range all {
		bytes += t.Row.Bytes()
	}
	return bytes
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
