package gorgonia

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	// gorgonia asks this package, at start-up, whether the garbage collector moves objects;
	// older versions panic on a Go release that they do not know. The import keeps the
	// requirement of one that asks the runtime instead, which users of this module inherit.
	_ "go4.org/unsafe/assume-no-moving-gc"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/rescue"
	"github.com/plexaura/plexaura/shape"
)

// building is held while an ExprGraph is made: gorgonia then writes variables of its own that
// all graphs share.
var building sync.Mutex

// A Program is a graph lowered for one batch size, with its machine, which Close ends. Several
// goroutines may use it; their runs wait for one another.
type Program struct {
	batch   int
	inputs  []*graph.Node
	leaves  []*graph.Node
	outs    []output
	feeds   map[*graph.Node]*feed // of the leaves, and the inputs that are used
	origins []*graph.Node         // by ID of the ExprGraph's nodes, as far as ours go
	randoms []draw

	mu sync.Mutex // held by a run
	vm G.VM       // nil when closed
}

// output is where a result comes from: a value that the machine reads, or nil for zeros.
type output struct {
	typ   shape.Type
	value *G.Value
}

// Lower returns a program for batches of n that computes outs, followed by the gradients of
// outs[0], a floating-point scalar, with regard to each node of wrt: Params, States or Inputs
// of floating-point type. What outs[0] does not depend on has a gradient of zeros.
//
// The outs are nodes of one graph, of one floating-point type. Its recorded mistakes, or every
// node that cannot be lowered, are returned as a [graph.ErrorList].
func Lower(outs []*graph.Node, n int, wrt ...*graph.Node) (*Program, error) {
	if err := checkRequest(outs, n, wrt); err != nil {
		return nil, err
	}
	building.Lock()
	defer building.Unlock()
	l := newLowering(outs, n)
	if err := l.lower(outs); err != nil {
		return nil, err
	}
	return l.program(outs, wrt)
}

func checkRequest(outs []*graph.Node, n int, wrt []*graph.Node) error {
	if n < 1 {
		return fmt.Errorf("gorgonia: a batch of %d; want at least 1", n)
	}
	if len(outs) == 0 || outs[0] == nil {
		return errors.New("gorgonia: nothing to lower: no outputs")
	}
	g := outs[0].Graph()
	for i, o := range outs {
		if o == nil || o.Graph() != g {
			return fmt.Errorf("gorgonia: output %d is nil or of another graph", i)
		}
	}
	if err := g.Err(); err != nil {
		return err
	}
	if t := outs[0].Type(); len(wrt) > 0 && (t.Rank() != 0 || !t.IsFloat()) {
		return graph.ErrorAt(outs[0], fmt.Errorf("gradients of %v: %w; output 0 must be a floating-point scalar", t, graph.ErrNotScalar))
	}
	for i, x := range wrt {
		switch {
		case x == nil || x.Graph() != g:
			return fmt.Errorf("gorgonia: node %d to differentiate by is nil or of another graph", i)
		case x.Kind() == graph.Computed || x.Kind() == graph.Const || !x.Type().IsFloat():
			return graph.ErrorAt(x, errors.New("gorgonia only differentiates by floating-point inputs of its graph; want a Param, State or Input"))
		}
	}
	return nil
}

// program has gorgonia take the gradients and compile what has been lowered.
func (l *lowering) program(outs, wrt []*graph.Node) (p *Program, err error) {
	defer l.border(outs[0], &err)
	p = &Program{batch: l.batch, feeds: l.feeds, randoms: l.randoms}
	for _, x := range graph.Reachable(outs...) {
		switch x.Kind() {
		case graph.Input:
			p.inputs = append(p.inputs, x)
		case graph.Param, graph.State:
			if l.feeds[x] != nil || p.seeds(x) {
				p.leaves = append(p.leaves, x)
			}
		}
	}
	for _, o := range outs {
		v, err := l.result(o)
		if err != nil {
			return nil, err
		}
		p.outs = append(p.outs, output{l.typeOf(o), l.read(v)})
	}
	derivatives, err := l.grad(outs[0], wrt)
	if err != nil {
		return nil, err
	}
	for _, x := range wrt {
		o := output{typ: l.typeOf(x)}
		if dx := derivatives[x]; dx != nil {
			o.value = l.read(dx)
		}
		p.outs = append(p.outs, o)
	}
	p.origins = l.origins
	p.vm = G.NewTapeMachine(l.g)
	return p, nil
}

// grad returns gorgonia's derivatives by those of wrt that the loss depends on: others are an
// error to it.
func (l *lowering) grad(loss *graph.Node, wrt []*graph.Node) (map[*graph.Node]*G.Node, error) {
	reached := l.reached(loss)
	var by []*graph.Node
	var inputs G.Nodes
	for _, x := range wrt {
		if reached[x] && !slices.Contains(by, x) {
			by, inputs = append(by, x), append(inputs, l.values[x])
		}
	}
	if len(by) == 0 {
		return nil, nil
	}
	cost, err := l.result(loss)
	if err != nil {
		return nil, err
	}
	dxs, err := G.Grad(cost, inputs...)
	switch {
	case len(l.refused) > 0:
		return nil, l.refused
	case err != nil:
		return nil, graph.ErrorAt(loss, fmt.Errorf("gorgonia's Grad: %w", innermost(err)))
	}
	derivatives := map[*graph.Node]*G.Node{}
	for i, x := range by {
		derivatives[x] = dxs[i]
	}
	return derivatives, nil
}

// Batch is the batch size N that the program was lowered for.
func (p *Program) Batch() int {
	if p == nil {
		return 0
	}
	return p.batch
}

// Inputs returns the Input leaves in the order in which Run takes their values.
func (p *Program) Inputs() []*graph.Node {
	if p == nil {
		return nil
	}
	return slices.Clone(p.inputs)
}

// Leaves returns the Param and State leaves whose values Run asks for.
func (p *Program) Leaves() []*graph.Node {
	if p == nil {
		return nil
	}
	return slices.Clone(p.leaves)
}

// Outputs returns the types of the results, N replaced by the batch size.
func (p *Program) Outputs() []shape.Type {
	if p == nil {
		return nil
	}
	types := make([]shape.Type, len(p.outs))
	for i, o := range p.outs {
		types[i] = o.typ
	}
	return types
}

// Run computes the results from tensors for Inputs, in that order. leaves gives the values of
// Params and States by name; vm's Store.Value is such a function. Whatever is given is copied
// and stays as it is, and the results are the caller's. The context is checked before
// gorgonia starts, which cannot be stopped.
func (p *Program) Run(ctx context.Context, leaves func(name string) (*tensor.Dense, error), inputs ...*tensor.Dense) ([]*tensor.Dense, error) {
	switch {
	case p == nil || len(p.outs) == 0:
		return nil, errors.New("gorgonia: a Program that Lower has not made")
	case ctx == nil:
		return nil, errors.New("gorgonia: the context is nil")
	case len(inputs) != len(p.inputs):
		return nil, fmt.Errorf("gorgonia: the program has %d inputs, %d were given", len(p.inputs), len(inputs))
	case leaves == nil && len(p.leaves) > 0:
		return nil, fmt.Errorf("gorgonia: the program has %d Params and States, and no leaves to get their values from", len(p.leaves))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.vm == nil {
		return nil, errors.New("gorgonia: the program is closed")
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	for i, x := range p.inputs {
		if err := p.feed(x, inputs[i]); err != nil {
			return nil, err
		}
	}
	for _, x := range p.leaves {
		var d *tensor.Dense
		err := rescue.Do(func() (err error) {
			d, err = leaves(x.Name())
			return err
		})
		if err != nil {
			return nil, err
		}
		if err := p.feed(x, d); err != nil {
			return nil, err
		}
	}
	return p.run()
}

// Close ends the machine; there is no Run after it. It waits for one that goes on.
func (p *Program) Close() error {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.vm == nil {
		return nil
	}
	vm := p.vm
	p.vm, p.feeds, p.randoms = nil, nil, nil
	return vm.Close()
}

// seeds reports whether random numbers come from x.
func (p *Program) seeds(x *graph.Node) bool {
	return slices.ContainsFunc(p.randoms, func(r draw) bool { return r.state == x })
}

func (p *Program) feed(x *graph.Node, d *tensor.Dense) error {
	if err := checkDense(d, x.Type().At(p.batch)); err != nil {
		return fmt.Errorf("gorgonia: %v %q: %w", x.Kind(), x.Name(), err)
	}
	for _, r := range p.randoms {
		if r.state != x {
			continue
		}
		if err := r.fill(d.Int64s()[0], d.Int64s()[1]); err != nil {
			return fmt.Errorf("gorgonia: %w", err)
		}
	}
	f := p.feeds[x]
	if f == nil {
		return nil // an Input of which only the type is used, or the state of random numbers
	}
	if err := f.set(d); err != nil {
		return fmt.Errorf("gorgonia: %v %q: %w", x.Kind(), x.Name(), err)
	}
	return nil
}

// run runs the machine from the start: without a Reset it would do nothing.
func (p *Program) run() ([]*tensor.Dense, error) {
	p.vm.Reset()
	for _, o := range p.outs {
		if o.value != nil {
			*o.value = nil
		}
	}
	if err := rescue.Do(p.vm.RunAll); err != nil {
		return nil, p.explain(err)
	}
	results := make([]*tensor.Dense, len(p.outs))
	for i, o := range p.outs {
		results[i] = o.result()
	}
	return results, nil
}

// explain returns the cause of a failed run, at our node that it belongs to.
func (p *Program) explain(err error) error {
	var at interface {
		error
		Node() *G.Node
		Err() error
	}
	if !errors.As(err, &at) {
		return fmt.Errorf("gorgonia: %w", err)
	}
	cause := innermost(at.Err())
	if n := at.Node(); n != nil && int(n.ID()) < len(p.origins) && p.origins[n.ID()] != nil {
		return graph.ErrorAt(p.origins[n.ID()], cause)
	}
	return fmt.Errorf("gorgonia: %w", cause)
}

// innermost drops what gorgonia wraps around an error: program counters and stack traces.
func innermost(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
