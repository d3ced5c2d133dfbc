package serving

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"slices"
	"sync/atomic"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/isnil"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/serve"
	"github.com/plexaura/plexaura/vm"
)

// Options configure [New].
type Options struct {
	// Compiler has options of the compiler, such as [vm.WithThreads].
	Compiler []vm.Option
	// Prepare and Classes, if both are set, make the model a [serve.Classifier]: Prepare returns a picture
	// as a row of the only input, float32(C,H,W), and the last output has a number for each class.
	Prepare func(picture image.Image) ([]float32, error)
	Classes []string
	// Logits says that these numbers are logits, of which the softmax is the probability.
	Logits bool
}

// model is a [serve.Model] of a file.
type model struct {
	session         *onnx.Session
	inputs, outputs []tensor
	batched         bool
	rows            atomic.Int32 // what becomes of the rows of a batch: 0 before one of several has run
}

// keptRows says that results have the rows of the batch, mixedRows that they have not, whatever the
// file says; then a batch is not split.
const keptRows, mixedRows = 1, 2

// tensor is an input or output with its element type.
type tensor struct {
	serve.Tensor
	typ ir.DataType
}

// classifier is a model that takes pictures.
type classifier struct {
	*model
	o Options
}

// New returns a model of a file, which runs on e. Its inputs and outputs have the names, element types
// and extents that the file states, -1 for those that are not numbers. It takes batches if the first
// extent of each is such a one, and they all have the same name or none: the rows of a batch must not
// depend on each other. Requests of a model that does not take batches run one at a time.
//
// A file with operators that are not supported, or with tensors that requests cannot carry, is an
// error. A model that takes batches, whose other extents are numbers, has run once when New returns, on
// two rows of zeros; errors of operators for other extents, or for values, are those of requests.
func New(m *onnx.Model, e engine.Engine, o Options) (serve.Model, error) {
	built, err := newModel(m, e, o)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	if o.Prepare == nil || len(o.Classes) == 0 {
		return built, nil
	}
	o.Classes = slices.Clone(o.Classes)
	return &classifier{built, o}, nil
}

func newModel(m *onnx.Model, e engine.Engine, o Options) (*model, error) {
	if m.Proto() == nil {
		return nil, errors.New("there is no model to serve; make one by onnx.ReadFile")
	}
	if isnil.Of(e) {
		return nil, errors.New("a model needs an engine to be served")
	}
	if missing := m.Missing(); len(missing) > 0 {
		return nil, fmt.Errorf("operators that are not supported: %s", plain.Names(texts(missing), 8))
	}
	built := &model{}
	var err error
	if built.inputs, err = tensorsOf("input", m.Inputs()); err != nil {
		return nil, err
	}
	if built.outputs, err = tensorsOf("output", m.Outputs()); err != nil {
		return nil, err
	}
	built.batched = batched(slices.Concat(m.Inputs(), m.Outputs()))
	if built.session, err = m.NewSession(e, nil, o.Compiler...); err != nil {
		return nil, err
	}
	return built, built.try()
}

func texts(missing []onnx.Missing) (all []string) {
	for _, m := range missing {
		all = append(all, m.String())
	}
	return all
}

// tensorsOf describes inputs or outputs as the protocol does.
func tensorsOf(what string, list []onnx.Input) (all []tensor, err error) {
	for _, in := range list {
		e, ok := elements[in.Type]
		if in.Kind != ir.TensorKind || !ok {
			return nil, fmt.Errorf("%s %v: requests cannot carry it", what, in)
		}
		t := tensor{serve.Tensor{Name: in.Name, Datatype: e.datatype}, in.Type}
		if in.Dims != nil {
			t.Shape = []int{}
		}
		for _, d := range in.Dims {
			t.Shape = append(t.Shape, d.Size)
		}
		all = append(all, t)
	}
	return all, nil
}

// batched reports whether the first axis of all tensors is the batch.
func batched(all []onnx.Input) bool {
	return len(all) > 0 && !slices.ContainsFunc(all, func(t onnx.Input) bool {
		return len(t.Dims) == 0 || t.Dims[0].Size >= 0 || t.Dims[0] != all[0].Dims[0]
	})
}

// try runs a batch of zeros, if its extents are known.
func (m *model) try() error {
	if !m.batched {
		return nil
	}
	s := m.newSession(2)
	for i, t := range m.inputs {
		if slices.Contains(t.Shape[1:], -1) {
			return nil
		}
		shape := slices.Clone(t.Shape)
		shape[0] = 2
		if _, err := s.Input(i, shape); err != nil {
			return err
		}
	}
	return s.Run(context.Background())
}

func (m *model) Inputs() []serve.Tensor  { return described(m.inputs) }
func (m *model) Outputs() []serve.Tensor { return described(m.outputs) }
func (m *model) Batched() bool           { return m.batched }
func (m *model) Close() error            { return nil }

func described(list []tensor) (all []serve.Tensor) {
	for _, t := range list {
		all = append(all, t.Tensor)
	}
	return all
}

func (c *classifier) Prepare(picture image.Image) ([]float32, error) { return c.o.Prepare(picture) }
func (c *classifier) Classes() []string                              { return slices.Clone(c.o.Classes) }

func (c *classifier) Probabilities(output []float32) []float32 {
	if !c.o.Logits {
		return output
	}
	return softmax(output)
}

// NewSession returns a session of the file's only [onnx.Session], which has the weights.
func (m *model) NewSession(rows int) (serve.Session, error) {
	if rows < 1 {
		return nil, fmt.Errorf("onnx: a session for batches of %d rows", rows)
	}
	return m.newSession(rows), nil
}

func (m *model) newSession(rows int) *session {
	s := &session{model: m, in: make([]onnx.Tensor, len(m.inputs)), out: make([]onnx.Tensor, len(m.outputs)), given: map[string]*onnx.Tensor{}}
	for _, n := range []int{rows, rows / 4, rows / 16, 1} {
		if n > 0 && !slices.Contains(s.sizes, n) {
			s.sizes = append(s.sizes, n)
		}
	}
	slices.SortFunc(s.sizes, func(a, b int) int { return cmp.Compare(b, a) })
	return s
}
