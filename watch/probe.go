package watch

import (
	"context"
	"errors"
	"math"
	"strings"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/vm"
)

// probe computes quantities that a training step does not, using graphs of its own, on the run's
// store between steps.
type probe struct {
	store  *vm.Store
	layers []paramLayer // at most maxNorms
	all    int          // number of layers with parameters, including those not shown

	gradients *vm.Machine     // the squared norm of the gradient with respect to each parameter
	feed      []*tensor.Dense // the inputs for it
	updates   *vm.Machine     // the squared norms of the last step's change and of the previous value
	before    []*tensor.Dense // the previous values
	memory    memoryState     // of both machines and the previous values
}

// paramLayer is a layer with trained parameters.
type paramLayer struct {
	name   string
	params []*graph.Node
}

// Gradients are those of the loss on probeBatch examples, or on as many as a step has if that is
// fewer, since there is memory for them. Norms are shown for at most maxNorms layers.
const probeBatch, maxNorms = 16, 48

// newProbe makes the programs for a run that is about to begin. net is its network.
func newProbe(c train.Config, net *train.Network, s *vm.Store) (*probe, error) {
	p := &probe{store: s}
	loss := net.Training.Loss
	p.layers = byLayer(optim.Params(loss.Graph(), c.Optimizer))
	p.all = len(p.layers)
	p.layers = spread(p.layers, maxNorms)
	return p, p.compile(c, loss)
}

// compile makes the machines for the norms.
func (p *probe) compile(c train.Config, loss *graph.Node) (err error) {
	var params []*graph.Node
	for _, l := range p.layers {
		params = append(params, l.params...)
	}
	if len(params) == 0 {
		return nil
	}
	var squares []*graph.Node
	for _, grad := range autodiff.Grad(loss, params...) {
		squares = append(squares, squaredNorm(grad))
	}
	if err := p.derive(c, squares); err != nil {
		return err
	}
	g := graph.New()
	var norms []*graph.Node
	for _, n := range params {
		now, before := g.Param(n.Name(), n.Type(), nil), g.Input("before."+n.Name(), n.Type())
		norms = append(norms, squaredNorm(ops.Sub(now, before)), squaredNorm(before))
	}
	program, err := vm.Compile(c.Engine, norms)
	if err != nil {
		return err
	}
	if p.updates, err = program.NewMachine(p.store); err != nil {
		return err
	}
	m, err := program.Memory(1)
	p.memory.Arena += m.Arena
	p.memory.Unshared += m.Unshared
	for _, n := range params {
		p.memory.Arena += n.Type().Bytes() // the copy of the previous value
		p.memory.Unshared += n.Type().Bytes()
	}
	return err
}

// derive makes the machine that computes squares, which depend on the gradients, and its examples.
func (p *probe) derive(c train.Config, squares []*graph.Node) error {
	program, err := vm.Compile(c.Engine, squares)
	if err != nil {
		return err
	}
	n := probeBatch
	if c.Batch > 0 {
		n = min(n, c.Batch)
	}
	examples, err := firstExamples(c, n)
	if err != nil {
		return err
	}
	for _, in := range program.Inputs() {
		p.feed = append(p.feed, examples.of(in))
	}
	m, err := program.Memory(examples.size())
	if err != nil {
		return err
	}
	p.memory = memoryOf("norms on this page", m)
	p.gradients, err = program.NewMachine(p.store)
	return err
}

// squaredNorm sums in float64, in which squares of tiny gradients do not underflow.
func squaredNorm(x *graph.Node) *graph.Node { return ops.Sum(ops.Square(ops.Cast(x, shape.Float64))) }

// byLayer groups parameters by the part of their names before the last dot, in their order.
func byLayer(params []*graph.Node) (layers []paramLayer) {
	at := map[string]int{}
	for _, n := range params {
		name := n.Name()
		if i := strings.LastIndexByte(name, '.'); i > 0 {
			name = name[:i]
		}
		i, known := at[name]
		if !known {
			i = len(layers)
			at[name] = i
			layers = append(layers, paramLayer{name: name})
		}
		layers[i].params = append(layers[i].params, n)
	}
	return layers
}

// spread picks at most n elements of all, evenly spaced, including the first and the last.
func spread[T any](all []T, n int) []T {
	if len(all) <= n {
		return all
	}
	picked := make([]T, n)
	for i := range picked {
		picked[i] = all[i*(len(all)-1)/(n-1)]
	}
	return picked
}

// batch is a number of examples.
type batch struct{ x, y *tensor.Dense }

func (b batch) size() int { return b.x.Shape()[0] }

// of returns the value for an Input of a network: [train.Build] makes the Input for the examples
// first.
func (b batch) of(in *graph.Node) *tensor.Dense {
	if in == in.Graph().Inputs()[0] || in.Name() == in.Graph().Inputs()[0].Name() {
		return b.x
	}
	return b.y
}

// firstExamples copies the first examples of the validation data or, without validation, of the
// training data, as inputs of the model.
func firstExamples(c train.Config, n int) (b batch, err error) {
	loader, err := firstLoader(c, n)
	if err != nil {
		return b, err
	}
	for from, err := range loader.Epoch(0) {
		if err != nil {
			return b, err
		}
		return batch{from.X.Clone().(*tensor.Dense), from.Y.Clone().(*tensor.Dense)}, nil
	}
	return b, errors.New("the data have no examples")
}

// firstLoader loads the first n examples of the validation data or, without validation, of those that are
// learnt from. Of a stream that can only be read once, there are none to look at.
func firstLoader(c train.Config, n int) (*data.Loader, error) {
	o := data.Batching{Size: n}
	if c.Validation != nil {
		return data.NewLoader(c.Validation, o)
	}
	o.Augment, o.Seed = c.Augment, c.Seed
	if c.Stream != nil {
		return nil, errors.New("a Stream is read to be learnt from; set Validation to have examples to show")
	}
	return data.NewLoader(c.Train, o)
}

// measure returns the norms of the gradients by layer, and keeps the parameters for
// [probe.changed], which is called after the next step. It returns nil if nothing is trained.
func (p *probe) measure(ctx context.Context) ([]number, error) {
	if p.gradients == nil {
		return nil, nil
	}
	outs, err := p.gradients.Run(ctx, p.feed...)
	if err != nil {
		return nil, err
	}
	norms, err := p.perLayer(func(i int) (number, error) { return value(outs[i]) }, math.Sqrt)
	if err != nil {
		return nil, err
	}
	p.before = p.before[:0]
	for _, l := range p.layers {
		for _, n := range l.params {
			v, err := p.store.Value(n.Name())
			if err != nil {
				return nil, err
			}
			p.before = append(p.before, v)
		}
	}
	return norms, nil
}

// changed returns, by layer, the norm of the last step's change divided by that of the previous
// value.
func (p *probe) changed(ctx context.Context) ([]number, error) {
	if len(p.before) == 0 {
		return nil, nil
	}
	outs, err := p.updates.Run(ctx, p.before...)
	p.before = p.before[:0]
	if err != nil {
		return nil, err
	}
	changes, err := p.perLayer(func(i int) (number, error) { return value(outs[2*i]) }, math.Sqrt)
	if err != nil {
		return nil, err
	}
	sizes, err := p.perLayer(func(i int) (number, error) { return value(outs[2*i+1]) }, math.Sqrt)
	for i := range changes {
		changes[i] /= sizes[i] // undefined for a layer of zeros
	}
	return changes, err
}

func value(d *tensor.Dense) (number, error) {
	v, err := vm.Number(d)
	return number(v), err
}

// perLayer returns f of the sums over the parameters of each layer. i counts all parameters.
func (p *probe) perLayer(of func(i int) (number, error), f func(float64) float64) (all []number, err error) {
	i := 0
	for _, l := range p.layers {
		sum := number(0)
		for range l.params {
			v, err := of(i)
			if err != nil {
				return nil, err
			}
			sum += v
			i++
		}
		all = append(all, number(f(float64(sum))))
	}
	return all, nil
}
