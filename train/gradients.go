package train

import (
	"context"
	"errors"
	"slices"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/vm"
)

// A Deriver makes a Derivation of outs, followed by the gradients of outs[0] with regard to each
// of wrt, for batches of n at first.
type Deriver func(outs []*graph.Node, n int, wrt ...*graph.Node) (Derivation, error)

// A Derivation computes losses and gradients by something other than a program of vm, such as the
// machine of interop/gorgonia.
type Derivation interface {
	// Inputs are the Inputs that Run takes values for, in that order.
	Inputs() []*graph.Node
	// Run computes for a batch of any size. leaves gives the values of Params and States, which
	// stay as they are. The results are the caller's.
	Run(ctx context.Context, leaves func(name string) (*tensor.Dense, error), inputs ...*tensor.Dense) ([]*tensor.Dense, error)
	// Close frees what it holds.
	Close() error
}

// derived is what stands in a graph for what a Derivation computes: Inputs of its updates.
type derived struct {
	outs, wrt []*graph.Node // what is computed
	inputs    []*graph.Node // as what it is fed, in the order of the results
}

// derivedOf puts Inputs in place of the loss, the output and the gradients. Zeros that stand for
// no connection with the loss are left, for the optimiser to report.
func derivedOf(g *graph.Graph, loss, output *graph.Node, params, grads []*graph.Node) (*derived, []*graph.Node) {
	d := &derived{outs: []*graph.Node{loss, output}}
	d.inputs = []*graph.Node{g.Input("the loss", loss.Type()), g.Input("the output", output.Type())}
	grads = slices.Clone(grads)
	for i, p := range params {
		if !grads[i].Valid() || grads[i].Op() == ops.ZerosLike(p).Op() {
			continue
		}
		grads[i] = g.Input("the gradient of "+p.Name(), p.Type())
		d.wrt, d.inputs = append(d.wrt, p), append(d.inputs, grads[i])
	}
	return d, grads
}

// index is the place, among the results of the Derivation, of what the named input is fed; it is
// -1 where that is something else.
func (d *derived) index(name string) int {
	if d == nil {
		return -1
	}
	return slices.IndexFunc(d.inputs, func(in *graph.Node) bool { return in.Name() == name })
}

// deriver runs a Derivation on batches.
type deriver struct {
	Derivation
	store *vm.Store
	feeds []feed
	args  []*tensor.Dense
}

func newDeriver(d Derivation, s *vm.Store) (*deriver, error) {
	feeds, err := feedsOf(d.Inputs(), nil)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return &deriver{d, s, feeds, make([]*tensor.Dense, len(feeds))}, nil
}

func (d *deriver) run(ctx context.Context, b data.Batch) ([]*tensor.Dense, error) {
	for i, f := range d.feeds {
		d.args[i] = f(b, nil)
	}
	return d.Run(ctx, d.store.Value, d.args...)
}
