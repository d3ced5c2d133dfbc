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

// A GradientsFunc makes Gradients that compute outs, followed by the gradients of outs[0] with
// respect to each of wrt. The first batches have n examples; others may have fewer.
type GradientsFunc func(outs []*graph.Node, n int, wrt ...*graph.Node) (Gradients, error)

// Gradients computes losses and gradients by other means than a program of vm, such as the machine
// of interop/gorgonia, or several machines that share a batch.
type Gradients interface {
	// Inputs returns the Inputs whose values Run takes, in that order.
	Inputs() []*graph.Node
	// Run computes the outputs for a batch of any size. leaves returns the values of Params and
	// States, which must not be changed. The results belong to the caller.
	Run(ctx context.Context, leaves func(name string) (*tensor.Dense, error), inputs ...*tensor.Dense) ([]*tensor.Dense, error)
	// Close frees resources.
	Close() error
}

// computed lists the nodes that Gradients compute in a training step.
type computed struct {
	loss, output *graph.Node
	wrt, grads   []*graph.Node // parameters, and the loss's gradients with respect to them
}

// standIn replaces the loss, the output and the gradients by Inputs, so that the graph for training
// contains only the updates. A gradient that is not connected with the loss stays, because the
// optimiser reports it.
func (n *Network) standIn(params, grads []*graph.Node) []*graph.Node {
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
		n.computed.grads = append(n.computed.grads, grads[i])
		grads[i] = n.input(g, "the gradient of "+p.Name(), p.Type(), func(_ data.Batch, r results) *tensor.Dense { return r.grads[at] })
		n.computed.wrt = append(n.computed.wrt, p)
	}
	return grads
}

// gradientRunner runs Gradients on batches.
type gradientRunner struct {
	Gradients
	store *vm.Store
	feeds []feed
	args  []*tensor.Dense
	wrt   int // number of gradients
}

// newGradients makes Gradients for c, with the inputs of n.
func (r *run) newGradients(n *Network, c computed) (*gradientRunner, error) {
	g, err := r.Gradients([]*graph.Node{c.loss, c.output}, r.size(), c.wrt...)
	if err != nil {
		return nil, err
	}
	feeds, err := n.feedsOf(g.Inputs())
	if err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return &gradientRunner{g, r.state.Store, feeds, make([]*tensor.Dense, len(feeds)), len(c.wrt)}, nil
}

func (r *gradientRunner) run(ctx context.Context, b data.Batch) (res results, err error) {
	for i, f := range r.feeds {
		r.args[i] = f(b, res)
	}
	outs, err := r.Run(ctx, r.store.Value, r.args...)
	if err != nil {
		return res, err
	}
	if want := 2 + r.wrt; len(outs) != want {
		return res, fmt.Errorf("Gradients have %d results; want the loss, the output and %d gradients", len(outs), r.wrt)
	}
	return results{loss: outs[0], output: outs[1], grads: outs[2:]}, nil
}
