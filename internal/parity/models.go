package parity

import (
	"context"
	"fmt"
	"math"
	"slices"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/models/alexnet"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// Model is a network at a batch size, with PyTorch's results.
type Model struct {
	Name   string
	Batch  int
	Values []struct { // "logits", "loss", then the gradient of each parameter, by its name
		Name string
		Reference
	}
}

// network is our definition of a model.
type network struct {
	layer   nn.Layer
	image   shape.Shape
	classes int
}

var networks = map[string]network{
	"lenet":   {lenet.Model, shape.Of(1, 28, 28), 10},
	"alexnet": {alexnet.New(1000, 0), shape.Of(3, 224, 224), 1000},
}

// Models returns the networks that are compared.
func Models() ([]Model, error) { return read[Model]("models.json.gz") }

// String returns the name of the model and its batch size.
func (m Model) String() string { return fmt.Sprintf("%s, batch of %d", m.Name, m.Batch) }

// ModelErrors are the errors of a network relative to PyTorch's.
type ModelErrors struct {
	Values []float64 // of each of the Model's Values
	Bound  float64   // the largest error allowed
}

// Run computes all values of the model on e, with d for floating point.
func (m Model) Run(ctx context.Context, e engine.Engine, d shape.DType) (ModelErrors, error) {
	errs, err := m.run(ctx, e, d)
	if err != nil {
		err = fmt.Errorf("parity: %v: %w", m, err)
	}
	return errs, err
}

func (m Model) run(ctx context.Context, e engine.Engine, d shape.DType) (errs ModelErrors, err error) {
	g := graph.New()
	n := Computation{store: vm.NewStore(0), inputs: networks[m.Name].batch(m.Batch, d)}
	if n.Outs, err = networks[m.Name].build(g, d); err != nil {
		return errs, err
	}
	if err := fill(n.store, g.Params()); err != nil {
		return errs, err
	}
	p, got, err := n.run(ctx, e)
	if err != nil {
		return errs, err
	}
	if errs.Bound, err = bound(p, m.Batch, d); err != nil {
		return errs, err
	}
	names := []string{"logits", "loss"}
	for _, p := range g.Params() {
		names = append(names, p.Name())
	}
	if len(names) != len(m.Values) {
		return errs, fmt.Errorf("%d values, PyTorch has %d", len(names), len(m.Values))
	}
	for i, v := range m.Values {
		if v.Name != names[i] {
			return errs, fmt.Errorf("value %d is %s, PyTorch's is %s", i, names[i], v.Name)
		}
		far, err := v.compare(n.Outs[i].Type().At(m.Batch), Floats(got[i]), overall)
		if err != nil {
			return errs, fmt.Errorf("%s: %w", v.Name, err)
		}
		errs.Values = append(errs.Values, far)
	}
	return errs, nil
}

// bound returns [Bound], or [WinogradBound] if the program has a convolution by Winograd's
// algorithm in two dimensions.
func bound(p *vm.Program, batch int, d shape.DType) (float64, error) {
	program, err := p.Describe(batch)
	if err != nil {
		return 0, err
	}
	winograd := func(in vm.Instruction) bool { return in.Alg == "winograd" || in.Alg == "nhwc winograd" }
	if d == shape.Float32 && slices.ContainsFunc(program, winograd) {
		return WinogradBound, nil
	}
	return Bound(d), nil
}

// build returns the logits, the loss and the gradients of all parameters.
func (n network) build(g *graph.Graph, d shape.DType) ([]*graph.Node, error) {
	x := g.Input("x", shape.Type{DType: d, Shape: n.image.Insert(0, shape.N)})
	logits := n.layer.Apply(nn.Root(g), x)
	loss := ops.CrossEntropy(logits, g.Input("y", shape.I32(shape.N)))
	outs := append([]*graph.Node{logits, loss}, autodiff.Grad(loss, g.Params()...)...)
	return outs, g.Err()
}

// batch returns images and labels.
func (n network) batch(size int, d shape.DType) map[string]*tensor.Dense {
	labels := make([]float64, size)
	for i := range labels {
		labels[i] = float64(37 * i % n.classes)
	}
	t := shape.Type{DType: d, Shape: n.image.Insert(0, shape.Dim(size))}
	return map[string]*tensor.Dense{"x": Dense(t, counter(1000, t.Len(), 1)), "y": Dense(shape.I32(shape.Dim(size)), labels)}
}

// fill sets parameter p to the values of tensor p, times 1/sqrt(fan-in) for weights and 0.1 for
// biases.
func fill(s *vm.Store, params []*graph.Node) error {
	for p, n := range params {
		t, scale := n.Type(), .1
		if t.Rank() > 1 {
			scale = math.Sqrt(float64(t.Int(0)) / float64(t.Len()))
		}
		if err := s.Set(n.Name(), Dense(t, counter(p, t.Len(), scale))); err != nil {
			return err
		}
	}
	return nil
}
