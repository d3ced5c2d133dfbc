package train

import (
	"context"
	"errors"
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

// standIns are the Inputs that stand in a graph of updates for what Gradients compute.
type standIns struct {
	outs, wrt []*graph.Node // what is computed
	inputs    []*graph.Node // as what it is fed, in the order of the results
}

// standInsFor puts Inputs in place of the loss, the output and the gradients. Zeros that stand for
// no connection with the loss are left, for the optimiser to report.
func standInsFor(g *graph.Graph, loss, output *graph.Node, params, grads []*graph.Node) (*standIns, []*graph.Node) {
	d := &standIns{outs: []*graph.Node{loss, output}}
	d.inputs = []*graph.Node{g.Input("the loss", loss.Type()), g.Input("the output", output.Type())}
	grads = slices.Clone(grads)
	for i, p := range params {
		if !grads[i].Valid() || !autodiff.Connected(grads[i]) {
			continue
		}
		grads[i] = g.Input("the gradient of "+p.Name(), p.Type())
		d.wrt, d.inputs = append(d.wrt, p), append(d.inputs, grads[i])
	}
	return d, grads
}

// index is the place, among the results of the Gradients, of what the named input is fed; it is
// -1 where that is something else.
func (d *standIns) index(name string) int {
	if d == nil {
		return -1
	}
	return slices.IndexFunc(d.inputs, func(in *graph.Node) bool { return in.Name() == name })
}

// gradientRunner runs Gradients on batches.
type gradientRunner struct {
	Gradients
	store *vm.Store
	feeds []feed
	args  []*tensor.Dense
}

func newGradientRunner(d Gradients, s *vm.Store) (*gradientRunner, error) {
	feeds, err := feedsOf(d.Inputs(), nil)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return &gradientRunner{d, s, feeds, make([]*tensor.Dense, len(feeds))}, nil
}

func (r *gradientRunner) run(ctx context.Context, b data.Batch) ([]*tensor.Dense, error) {
	for i, f := range r.feeds {
		r.args[i] = f(b, nil)
	}
	return r.Run(ctx, r.store.Value, r.args...)
}
