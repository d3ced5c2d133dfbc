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

// A GradientsFunc makes the Gradients that compute outs, followed by the gradients of outs[0] with
// regard to each of wrt. The first batches have n examples, others may have fewer.
type GradientsFunc func(outs []*graph.Node, n int, wrt ...*graph.Node) (Gradients, error)

// Gradients compute losses and gradients by something other than a program of vm, such as the
// machine of interop/gorgonia, or several machines that share a batch.
type Gradients interface {
	// Inputs are the Inputs that Run takes values for, in that order.
	Inputs() []*graph.Node
	// Run computes for a batch of any size. leaves gives the values of Params and States, which
	// stay as they are. The results are the caller's.
	Run(ctx context.Context, leaves func(name string) (*tensor.Dense, error), inputs ...*tensor.Dense) ([]*tensor.Dense, error)
	// Close frees what it holds.
	Close() error
}

// computed is what Gradients compute for a step of training.
type computed struct {
	loss, output *graph.Node
	wrt          []*graph.Node
}

// standIn puts Inputs in place of the loss, the output and the gradients, so that the graph for
// training has only the updates. A gradient that is not connected with the loss stays, for the
// optimiser to report.
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
	wrt   int // how many gradients there are
}

// newGradients makes Gradients for c, fed as n says.
func (r *run) newGradients(n *Network, c computed) (*gradientRunner, error) {
	g, err := r.Gradients([]*graph.Node{c.loss, c.output}, min(r.Batch, r.Train.Len()), c.wrt...)
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
