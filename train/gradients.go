package train

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/vm"
)

// Gradients computes losses, outputs and gradients by something other than a program of vm.
type Gradients interface {
	// Machine makes a machine for loss, output and the gradients of loss with respect to wrt,
	// which is empty for validation. The first batch has n examples.
	Machine(loss, output *graph.Node, wrt []*graph.Node, n int) (GradientMachine, error)
}

// A GradientMachine is what [Gradients] computes with, such as the machine of interop/gorgonia.
type GradientMachine interface {
	// Inputs are the Inputs that Run takes values for, in that order.
	Inputs() []*graph.Node
	// Run computes for a batch of any size. leaves gives the values of Params and States, which
	// stay as they are. The results are the loss, the output and the gradients in the order of
	// wrt; they are the caller's.
	Run(ctx context.Context, leaves func(name string) (*tensor.Dense, error), inputs ...*tensor.Dense) ([]*tensor.Dense, error)
	// Close frees what it holds.
	Close() error
}

// computed is what a GradientMachine computes for a step of training.
type computed struct {
	loss, output *graph.Node
	wrt          []*graph.Node
}

// feedGradients puts Inputs in place of the loss, the output and the gradients, so that the graph
// for training has only the updates. A gradient that is not connected with the loss stays, for
// the optimiser to report.
func (n *Network) feedGradients(params, grads []*graph.Node) []*graph.Node {
	t, g := &n.Training, n.Training.Loss.Graph()
	n.computed = &computed{loss: t.Loss, output: t.Output}
	t.Loss = n.input(g, "the loss", t.Loss.Type(), func(_ data.Batch, r results) *tensor.Dense { return r.loss })
	t.Output = n.input(g, "the output", t.Output.Type(), func(_ data.Batch, r results) *tensor.Dense { return r.output })
	grads = slices.Clone(grads)
	for i, p := range params {
		if !grads[i].Valid() || !autodiff.Connected(grads[i]) {
			continue
		}
		at := len(n.computed.wrt)
		grads[i] = n.input(g, "the gradient of "+p.Name(), p.Type(), func(_ data.Batch, r results) *tensor.Dense { return r.grads[at] })
		n.computed.wrt = append(n.computed.wrt, p)
	}
	return grads
}

// gradients runs a GradientMachine on batches.
type gradients struct {
	GradientMachine
	store *vm.Store
	feeds []feed
	args  []*tensor.Dense
	wrt   int // how many gradients there are
}

// gradients makes a machine for c, fed as n says.
func (r *run) gradients(n *Network, c computed) (*gradients, error) {
	m, err := r.Gradients.Machine(c.loss, c.output, c.wrt, min(r.Batch, r.Train.Len()))
	if err != nil {
		return nil, err
	}
	feeds, err := n.feedsOf(m.Inputs())
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return &gradients{m, r.state.Store, feeds, make([]*tensor.Dense, len(feeds)), len(c.wrt)}, nil
}

func (g *gradients) run(ctx context.Context, b data.Batch) (r results, err error) {
	for i, f := range g.feeds {
		g.args[i] = f(b, r)
	}
	outs, err := g.Run(ctx, g.store.Value, g.args...)
	if err != nil {
		return r, err
	}
	if want := 2 + g.wrt; len(outs) != want {
		return r, fmt.Errorf("the machine of Gradients has %d results; want the loss, the output and %d gradients", len(outs), g.wrt)
	}
	return results{loss: outs[0], output: outs[1], grads: outs[2:]}, nil
}
