package inspect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/isnil"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/vm"
)

// Network is a trained network in its inference form: a graph, the values of its parameters and the
// engine that computes it. Its methods add nothing to the graph and write nothing to the store.
// They may be called concurrently; each call has its own memory.
type Network struct {
	input  *graph.Node // a batch, (N,...)
	output *graph.Node
	loss   *graph.Node // nil if there is none
	store  *vm.Store
	engine engine.Engine

	on    map[*graph.Node]bool          // nodes that are computed from the input
	reads map[*graph.Node][]*graph.Node // the readers of each node within the output's graph
}

// batchSize is the number of examples that a program computes at a time.
const batchSize = 32

// New returns the network that computes output, whose axis 0 is the batch, from its only Input. A
// loss, which may be nil, is needed for [Network.Parameters]: a scalar, the mean over the batch,
// computed from output and one more Input, the target. Both are nodes of one graph, which is cloned
// into its inference form. It is an error if the store lacks values: nothing is initialised.
func New(e engine.Engine, s *vm.Store, output, loss *graph.Node) (*Network, error) {
	n, err := newNetwork(e, s, output, loss)
	if err != nil {
		return nil, prefixed(err)
	}
	return n, nil
}

func newNetwork(e engine.Engine, s *vm.Store, output, loss *graph.Node) (*Network, error) {
	switch {
	case isnil.Of(e):
		return nil, errors.New("no engine")
	case s == nil:
		return nil, errors.New("no store")
	case output == nil:
		return nil, errors.New("no output")
	case output.Graph().Err() != nil:
		return nil, output.Graph().Err()
	}
	outs := []*graph.Node{output}
	if loss != nil {
		if loss.Graph() != output.Graph() {
			return nil, errors.New("output and loss are nodes of different graphs")
		}
		outs = append(outs, loss)
	}
	outs = graph.Inference(outs...)
	n := &Network{output: outs[0], store: s, engine: e}
	if loss != nil {
		n.loss = outs[1]
	}
	if err := n.findInput(); err != nil {
		return nil, err
	}
	n.connect()
	return n, n.checkStore()
}

// Trained returns the network of a model with the values of w, or with their moving averages if w
// has them. If loss is nil, it is that of [train.Build]. Weights that do not fit the model are a
// [train.MismatchError].
func Trained(e engine.Engine, model nn.Layer, w *train.Checkpoint, loss train.Loss) (*Network, error) {
	if _, err := train.NewPredictor(model, w, e); err != nil {
		return nil, err
	}
	net, err := train.Build(model, w.Info, loss, nil)
	if err != nil {
		return nil, err
	}
	outs := net.Evaluation.Nodes()
	if w.Averaged {
		outs = optim.AveragedBy(append(w.Store.Names(), w.Training...), outs...)
	}
	return New(e, w.Store, outs[1], outs[0])
}

func (n *Network) findInput() error {
	var inputs []*graph.Node
	for _, x := range graph.Reachable(n.output) {
		if x.Kind() == graph.Input {
			inputs = append(inputs, x)
		}
	}
	if len(inputs) != 1 {
		return fmt.Errorf("the output is computed from %d inputs; want one, which holds a batch", len(inputs))
	}
	n.input = inputs[0]
	for _, x := range []*graph.Node{n.input, n.output} {
		t := x.Type()
		if !t.IsFloat() || t.Rank() < 2 || t.Dim(0) != shape.N || !t.Drop(0).Concrete() {
			return fmt.Errorf("%v is %v; want float32 or float64 with the batch N as axis 0", x, t)
		}
	}
	return nil
}

// connect finds the nodes that depend on the input.
func (n *Network) connect() {
	n.on, n.reads = map[*graph.Node]bool{n.input: true}, map[*graph.Node][]*graph.Node{}
	for _, x := range graph.Reachable(n.output) {
		for _, in := range x.Ins() {
			n.on[x] = n.on[x] || n.on[in]
			n.reads[in] = append(n.reads[in], x)
		}
	}
}

// checkStore returns an error about values that the store lacks or has with another type.
func (n *Network) checkStore() error {
	var missing []string
	names := n.store.Names()
	for _, x := range graph.Reachable(n.output) {
		if k := x.Kind(); k != graph.Param && k != graph.State {
			continue
		}
		if !slices.Contains(names, x.Name()) {
			missing = append(missing, x.Name())
		}
	}
	if len(missing) == 0 {
		return nil
	}
	const show = 5
	if more := len(missing) - show; more > 0 {
		missing = append(missing[:show], fmt.Sprintf("and %d more", more))
	}
	return fmt.Errorf("the store lacks values of the network: %s", strings.Join(missing, ", "))
}

// made reports whether n was made by [New].
func (n *Network) made() bool { return n != nil && n.output != nil }

var (
	errNotMade   = errors.New("inspect: the Network was not made by New")
	errNoContext = errors.New("inspect: no context")
	errNoData    = errors.New("inspect: no data set")
	errNoMaps    = errors.New("inspect: the network has no activation maps (N,C,H,W)")
	errNotOfNet  = errors.New("inspect: the node is not of this network; take it from its Layers or Convolutions")
)

// prefixed adds the name of this package to an error that does not have it.
func prefixed(err error) error {
	if err == nil || strings.HasPrefix(err.Error(), "inspect: ") {
		return err
	}
	return fmt.Errorf("inspect: %w", err)
}

// Input returns the type of one example, such as float32(1,28,28).
func (n *Network) Input() shape.Type {
	if !n.made() {
		return shape.Type{}
	}
	return n.input.Type().Of(n.input.Type().Drop(0))
}

// Output returns the type of the output for one example.
func (n *Network) Output() shape.Type {
	if !n.made() {
		return shape.Type{}
	}
	return n.output.Type().Of(n.output.Type().Drop(0))
}

// clone copies the graph of nodes, so that other nodes can be added. The first image is the input.
func (n *Network) clone(nodes ...*graph.Node) (x *graph.Node, images []*graph.Node) {
	roots := append([]*graph.Node{n.input}, nodes...)
	images = graph.Transform(roots, func(dst *graph.Graph, x *graph.Node, in []*graph.Node) *graph.Node {
		return dst.Replay(x, in...)
	})
	return images[0], images[1:]
}

// program is a compiled graph with the memory of one run at a time.
type program struct {
	machine *vm.Machine
	inputs  []*graph.Node
	args    []*tensor.Dense
}

func (n *Network) compile(outs ...*graph.Node) (*program, error) {
	p, err := vm.Compile(n.engine, outs)
	if err != nil {
		return nil, err
	}
	if err := n.store.Widen(p.Leaves()...); err != nil {
		return nil, err
	}
	m, err := p.NewMachine(n.store)
	if err != nil {
		return nil, err
	}
	return &program{m, p.Inputs(), make([]*tensor.Dense, len(p.Inputs()))}, nil
}

// run computes the outputs from tensors for the inputs. They are valid until the next run.
func (p *program) run(ctx context.Context, feed feeds) ([]*tensor.Dense, error) {
	if ctx == nil {
		return nil, errNoContext
	}
	for i, in := range p.inputs {
		p.args[i] = feed[in]
	}
	return p.machine.Run(ctx, p.args...)
}

// feeds is a value for each input of a program.
type feeds = map[*graph.Node]*tensor.Dense

// dense returns a tensor of v for the input x: values one after the other along axis 0.
func dense(x *graph.Node, v []float32) *tensor.Dense {
	t := x.Type()
	n := 1
	if t.Rank() > 0 && t.Dim(0).Symbolic() {
		n = len(v) / max(1, t.Drop(0).Len())
	}
	at := tensor.WithShape(t.At(n).Ints()...)
	if t.DType == shape.Float32 {
		return tensor.New(at, tensor.WithBacking(slices.Clone(v)))
	}
	wide := make([]float64, len(v))
	for i := range v {
		wide[i] = float64(v[i])
	}
	return tensor.New(at, tensor.WithBacking(wide))
}

// ids returns a tensor of class or position numbers.
func ids(v []int) *tensor.Dense {
	narrow := make([]int32, len(v))
	for i := range v {
		narrow[i] = int32(v[i])
	}
	return tensor.New(tensor.WithShape(len(v)), tensor.WithBacking(narrow))
}

// examples returns the number of examples in x.
func (n *Network) examples(x []float32) (int, error) {
	if !n.made() {
		return 0, errNotMade
	}
	size := n.Input().Len()
	if len(x) == 0 || len(x)%size != 0 {
		return 0, fmt.Errorf("inspect: %d numbers are not a multiple of %[3]d, the size of an example of %[2]v", len(x), n.Input(), size)
	}
	return len(x) / size, nil
}

// images returns the number of images in x, if the network takes images (N,C,H,W).
func (n *Network) images(x []float32) (int, error) {
	if !n.made() {
		return 0, errNotMade
	}
	if n.input.Type().Rank() != 4 {
		return 0, fmt.Errorf("inspect: the network's input is %v; want images (N,C,H,W)", n.input.Type())
	}
	return n.examples(x)
}

// checkClasses rejects classes that are not indices of the output, and a number of classes other
// than one per example.
func (n *Network) checkClasses(classes []int, examples int) error {
	if len(classes) != examples {
		return fmt.Errorf("inspect: %d classes for %d examples; want one each", len(classes), examples)
	}
	for _, c := range classes {
		if most := n.Output().Len(); c < 0 || c >= most {
			return fmt.Errorf("inspect: class %d; the output has %d elements, from 0", c, most)
		}
	}
	return nil
}

// batches calls f for each batch of x, of at most most examples; i is the index of its first
// example.
func (n *Network) batches(x []float32, most int, f func(i int, part []float32) error) error {
	size := n.Input().Len()
	i := 0
	for part := range slices.Chunk(x, most*size) {
		if err := f(i, part); err != nil {
			return prefixed(err)
		}
		i += len(part) / size
	}
	return nil
}

// Outputs returns the output for each example of x, one after the other.
func (n *Network) Outputs(ctx context.Context, x []float32) (y []float32, err error) {
	if _, err := n.examples(x); err != nil {
		return nil, err
	}
	input, outs := n.clone(n.output)
	p, err := n.compile(outs...)
	if err != nil {
		return nil, prefixed(err)
	}
	err = n.batches(x, batchSize, func(_ int, part []float32) error {
		got, err := p.run(ctx, feeds{input: dense(input, part)})
		if err == nil {
			y = engine.AppendFloat32s(y, got[0])
		}
		return err
	})
	return y, err
}
