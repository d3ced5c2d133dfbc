package main

import (
	"context"
	"fmt"
	"math"
	"slices"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/parity"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// under is an engine, and what its documentation excuses.
type under struct {
	name string
	engine.Engine
	flushes bool // float32 denormals may count as zeros
	few     bool // has few kernels of its own, of which that of products may leave out terms with a factor of 0, whatever the other one is
}

// computation is the graph of a configuration, with what it computes from.
type computation struct {
	outs   []*graph.Node // the result, then gradients by wrt, then those of gradients
	names  []string      // of outs
	wrt    []int         // inputs by which gradients are taken
	inputs []input       // of the configuration, then dy, then a weight of each gradient
	batch  int
}

// graph builds the computation with d for floating point.
func (c config) graph(d shape.DType) (n computation, err error) {
	y, err := c.build(d)
	if err != nil {
		return n, err
	}
	n = computation{outs: []*graph.Node{y}, names: []string{"result"}, inputs: slices.Clone(c.Inputs), batch: 1}
	for i, in := range c.Inputs {
		if in.Batch {
			n.batch = in.Shape[0]
		}
		if in.DType == shape.Float32 && in.Leaf != state {
			n.wrt = append(n.wrt, i)
		}
	}
	if c.Order == 0 || !y.Type().IsFloat() || len(n.wrt) == 0 {
		n.wrt = nil
		return n, nil
	}
	g := y.Graph() // that of inference is another
	by := make([]*graph.Node, len(n.wrt))
	for k, i := range n.wrt {
		by[k] = g.Leaf(name(i))
	}
	n.gradients(autodiff.VJP(y, n.adjoint(y), by...), "gradient by x%d")
	if c.Order == 2 {
		n.gradients(autodiff.Grad(n.weighed(n.outs[1:]), by...), "second gradient by x%d")
	}
	return n, g.Err()
}

func (n *computation) gradients(all []*graph.Node, format string) {
	for k, i := range n.wrt {
		n.outs = append(n.outs, all[k])
		n.names = append(n.names, fmt.Sprintf(format, i))
	}
}

// adjoint adds an input of y's type.
func (n *computation) adjoint(y *graph.Node) *graph.Node {
	t := y.Type()
	n.inputs = append(n.inputs, input{Kind: "plain", DType: shape.Float32, Shape: t.At(n.batch).Ints(), Batch: !t.Concrete()})
	return y.Graph().Input(name(len(n.inputs)-1), t)
}

// weighed is the sum of all gradients, each element times a weight of its own.
func (n *computation) weighed(grads []*graph.Node) *graph.Node {
	var sum *graph.Node
	for _, dx := range grads {
		term := ops.Sum(ops.Mul(dx, n.adjoint(dx)))
		if sum != nil {
			term = ops.Add(sum, term)
		}
		sum = term
	}
	return sum
}

// request asks PyTorch for the same, flushed with zeros for denormals: given ones are those of
// float32, computed ones those of the precision.
func (c config) request(n computation, samples int, flushed bool) request {
	r := request{Leaves: len(c.Inputs), Wrt: n.wrt, Samples: samples, Flush: flushed}
	if len(n.wrt) > 0 {
		r.Order, r.DY = c.Order, len(c.Inputs)
	}
	for i, in := range n.inputs {
		dtype := in.DType.String()
		if in.DType == shape.Float32 {
			dtype = "float64"
		}
		r.Inputs = append(r.Inputs, spec{dtype, in.Shape, kinds[in.Kind].near})
		v := in.numbers(c.Seed, i, shape.OfInts(in.Shape...))
		if flushed {
			for k, x := range v {
				if math.Abs(x) < 0x1p-126 {
					v[k] = math.Copysign(0, x)
				}
			}
		}
		r.numbers = append(r.numbers, v)
		if i > len(c.Inputs) {
			r.By = append(r.By, i)
		}
	}
	for _, s := range c.Steps {
		r.Steps = append(r.Steps, stepRequest(s))
	}
	return r
}

// run computes all outputs on e.
func (c config) run(ctx context.Context, e engine.Engine, n computation, d shape.DType) (outs []*tensor.Dense, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	p, err := vm.Compile(e, n.outs)
	if err != nil {
		return nil, err
	}
	s := vm.NewStore(1)
	for i, in := range c.Inputs {
		if in.Leaf != fed {
			if err := s.Set(name(i), dense(in, c.Seed, i, d, in.Shape)); err != nil {
				return nil, err
			}
		}
	}
	m, err := p.NewMachine(s)
	if err != nil {
		return nil, err
	}
	if c.Batches {
		if _, err := m.Run(ctx, c.feed(p, n, d, n.batch+1)...); err != nil {
			return nil, err
		}
	}
	return m.Run(ctx, c.feed(p, n, d, n.batch)...)
}

// feed returns the inputs of a program at a batch size.
func (c config) feed(p *vm.Program, n computation, d shape.DType, batch int) (all []*tensor.Dense) {
	for _, x := range p.Inputs() { // those that the outputs depend on
		i := slices.IndexFunc(n.inputs, func(in input) bool { return false })
		fmt.Sscanf(x.Name(), "x%d", &i)
		in := n.inputs[i]
		extents := slices.Clone(in.Shape)
		if in.Batch {
			extents[0] = batch
		}
		all = append(all, dense(in, c.Seed, i, d, extents))
	}
	return all
}

// dense returns the numbers of input i as a tensor.
func dense(in input, seed, i int, d shape.DType, extents []int) *tensor.Dense {
	t := in.in(d)
	t.Shape = shape.OfInts(extents...)
	return parity.Dense(t, in.numbers(seed, i, t.Shape))
}
