package parity

import (
	"context"
	"encoding/json"
	"fmt"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// Case is one row of the table: a function of package ops with attributes and inputs, and PyTorch's
// results.
type Case struct {
	Op     string          // "Conv2D"
	Label  string          // distinguishes the row
	Attrs  json.RawMessage // an object
	In     []Input
	States int  // the number of inputs, from the last, that are States, which have no gradient
	Each   bool // errors are relative to each element, not to the largest
	Y      Reference
	Grads  []Reference // of sum(dy*y), one for each floating-point input; empty if y has no gradient
}

// Input is an argument, described by the kind of its numbers, as in pytorch/ops.py.
type Input struct {
	Kind  string
	Shape []int
}

// typeIn returns the input's type, with d for floating point.
func (in Input) typeIn(d shape.DType) shape.Type {
	t := shape.Type{DType: d, Shape: shape.OfInts(in.Shape...)}
	switch in.Kind {
	case "ids":
		return t.As(shape.Int32)
	case "mask", "most":
		return t.As(shape.Bool)
	}
	return t
}

// Cases returns the table.
func Cases() ([]Case, error) { return read[Case]("ops.json.gz") }

// String returns the name of the case: its op, label, attributes and inputs.
func (c Case) String() string {
	name := c.Op
	if c.Label != "" {
		name += ", " + c.Label
	}
	return fmt.Sprintf("%s %s %v", name, c.Attrs, c.In)
}

// Errors are the errors of a computation relative to PyTorch's.
type Errors struct {
	Value float64 // of the result
	Grad  float64 // of the gradients, the largest
}

// Join returns the larger of each.
func (e Errors) Join(other Errors) Errors {
	return Errors{max(e.Value, other.Value), max(e.Grad, other.Grad)}
}

// Bound is the largest error that counts as equal: 1e-10 in float64, 1e-5 in float32.
func Bound(d shape.DType) float64 {
	if d == shape.Float64 {
		return 1e-10
	}
	return 1e-5
}

// WinogradBound is the bound for a network in float32 with convolutions by Winograd's algorithm.
// Each meets [Bound], and errors add up from layer to layer.
const WinogradBound = 5e-5

// Computation is a graph with its inputs. Its outputs are the result of a case, then its gradients.
type Computation struct {
	Outs   []*graph.Node
	inputs map[string]*tensor.Dense
	store  *vm.Store
}

// Build makes the graph of the case, with d for floating point.
func (c Case) Build(d shape.DType) (Computation, error) {
	n, err := c.build(d)
	if err != nil {
		return n, fmt.Errorf("parity: %v: %w", c, err)
	}
	return n, nil
}

func (c Case) build(d shape.DType) (n Computation, err error) {
	g := graph.New()
	n = Computation{store: vm.NewStore(0), inputs: map[string]*tensor.Dense{}}
	xs := make([]*graph.Node, len(c.In))
	for i := range xs {
		if xs[i], err = n.leaf(g, c, i, d); err != nil {
			return n, err
		}
	}
	y, err := Apply(c.Op, xs, c.Attrs)
	if err != nil {
		return n, err
	}
	if err := g.Err(); err != nil {
		return n, err
	}
	n.Outs = []*graph.Node{y}
	if len(c.Grads) == 0 {
		return n, nil
	}
	g = y.Graph() // the graph of the inference form may be another
	dy := g.Input("dy", y.Type())
	n.inputs["dy"] = Dense(y.Type(), counter(7, y.Type().Len(), 1))
	var by []*graph.Node
	for _, x := range xs[:len(xs)-c.States] {
		if x.Type().IsFloat() {
			by = append(by, g.Leaf(x.Name()))
		}
	}
	n.Outs = append(n.Outs, autodiff.VJP(y, dy, by...)...)
	return n, g.Err()
}

// leaf adds input i of the case.
func (n *Computation) leaf(g *graph.Graph, c Case, i int, d shape.DType) (*graph.Node, error) {
	t := c.In[i].typeIn(d)
	v, err := values(c.In[i].Kind, i, t.Len())
	if err != nil {
		return nil, err
	}
	name := fmt.Sprint("x", i)
	if i >= len(c.In)-c.States {
		return g.State(name, t, nil), n.store.Set(name, Dense(t, v))
	}
	n.inputs[name] = Dense(t, v)
	return g.Input(name, t), nil
}

// Run computes the case on e, with d for floating point.
func (c Case) Run(ctx context.Context, e engine.Engine, d shape.DType) (errs Errors, err error) {
	n, err := c.Build(d)
	if err != nil {
		return errs, err
	}
	_, outs, err := n.run(ctx, e)
	if err != nil {
		return errs, fmt.Errorf("parity: %v: %w", c, err)
	}
	if len(outs) != 1+len(c.Grads) {
		return errs, fmt.Errorf("parity: %v: %d gradients, PyTorch has %d", c, len(outs)-1, len(c.Grads))
	}
	m := overall
	if c.Each {
		m = apart
	}
	for i, out := range outs {
		want, worst := &c.Y, &errs.Value
		if i > 0 {
			want, worst = &c.Grads[i-1], &errs.Grad
		}
		far, err := want.compare(n.Outs[i].Type(), Floats(out), m)
		if err != nil {
			return errs, fmt.Errorf("parity: %v: output %d: %w", c, i, err)
		}
		*worst = max(*worst, far)
	}
	return errs, nil
}

// run computes all outputs.
func (n Computation) run(ctx context.Context, e engine.Engine) (*vm.Program, []*tensor.Dense, error) {
	p, err := vm.Compile(e, n.Outs)
	if err != nil {
		return nil, nil, err
	}
	m, err := p.NewMachine(n.store)
	if err != nil {
		return nil, nil, err
	}
	var in []*tensor.Dense
	for _, x := range p.Inputs() { // those that the outputs depend on
		in = append(in, n.inputs[x.Name()])
	}
	outs, err := m.Run(ctx, in...)
	return p, outs, err
}
