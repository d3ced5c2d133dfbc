package train

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/isnil"
	"github.com/plexaura/plexaura/internal/patterns"
	"github.com/plexaura/plexaura/internal/shards"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train/metrics"
)

// Loss builds the loss that training minimises: a scalar, the mean over the examples of a batch,
// computed from the model's output and the target.
type Loss func(output, target *graph.Node) *graph.Node

// Network holds the graphs that [Fit] and [Predictor] compile.
type Network struct {
	// Training is a graph with all updates, to be compiled with vm.Train. Its nodes are nil without
	// an optimiser.
	Training Outputs
	// Evaluation has the loss and the output, in inference form.
	Evaluation Outputs
	// Inference has only the output, in inference form.
	Inference *graph.Node
	// Shard has what is computed for a shard, if batches are computed in shards: the loss, the output,
	// and what adds up gradients over all shards. Training then has Inputs for these sums.
	Shard []*graph.Node
	// Leaves are the parameters and states of the model itself.
	Leaves []*graph.Node
	// Averaged reports that Evaluation and Inference use the moving averages of the parameters,
	// because the optimiser keeps them.
	Averaged bool

	wanted   []*graph.Node        // of Leaves and the leaves of the loss, those that weights must contain
	kept     []string             // the leaves that the optimiser adds
	phases   [2]int               // in the training graph, the first nodes of gradients and updates
	feeds    map[*graph.Node]feed // by Input
	computed *computed            // inputs of Training; nil if it computes the gradients itself
	updating []*graph.Node        // the loss and the learning rate, in the graph of the updates, if batches are computed in shards
}

// The names of the inputs. Axis 0 is the examples.
const (
	inputName  = "input"
	targetName = "target"
	mixedName  = "target.mixed" // for training, if it has another type
)

// Build makes the graphs of a model for data described by info. The default loss is
// [ops.CrossEntropy] for class numbers and [ops.MSE] for floating-point targets. If opt is nil,
// there is no graph for training. The error is a [graph.ErrorList] of all mistakes in the graph.
func Build(model nn.Layer, info data.Info, loss Loss, opt optim.Optimizer) (*Network, error) {
	n, err := build(model, info, loss, opt, how{mixed: info.Target})
	return n, prefixed(err)
}

// BuildShards is [Build] for batches in shards as p says, on one process.
func BuildShards(model nn.Layer, info data.Info, loss Loss, opt optim.Optimizer, p Parallel) (*Network, error) {
	p.Group = nil
	p, err := p.withDefaults()
	if err != nil {
		return nil, prefixed(err)
	}
	team, err := shards.New(context.Background(), p.Group, p.Shards, shards.Options{Wire: p.Wire})
	if err != nil {
		return nil, prefixed(err)
	}
	n, err := build(model, info, loss, opt, how{mixed: info.Target, team: team, local: p.LocalBatchNorm})
	return n, prefixed(err)
}

// how says how a graph for training computes.
type how struct {
	mixed shape.Type // of the targets; not that of the data if examples are mixed
	// fed means that the graph has only the updates, and Inputs for the values that Gradients compute.
	fed bool
	// team is not nil if the graph is that of a shard.
	team  *shards.Team
	local bool // batch normalisation takes the moments of a shard
	// freeze lists patterns of parameters that are frozen, late those of parameters that were frozen before.
	freeze, late []string
}

// apply applies the model.
func (h how) apply(g *graph.Graph, model nn.Layer, x *graph.Node) (output *graph.Node) {
	scope := nn.Root(g)
	if len(h.freeze) > 0 {
		scope = scope.FreezeWhere(func(name string) bool { return patterns.Any(h.freeze, name) })
	}
	f := func() { output = applied(g, "Model", model.Apply(scope, x)) }
	if h.team == nil || h.local {
		f()
		return output
	}
	ops.JoinMoments(g, h.team.Build(g).Joiner(), f)
	return output
}

// build makes the graphs.
func build(model nn.Layer, info data.Info, loss Loss, opt optim.Optimizer, h how) (*Network, error) {
	if isnil.Of(model) {
		return nil, errors.New("no model")
	}
	if opt != nil && isnil.Of(opt) {
		return nil, errors.New("the optimiser is a nil pointer; want nil or an optimiser")
	}
	if err := info.Err(); err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	g := graph.New()
	n := &Network{feeds: map[*graph.Node]feed{}}
	x := n.input(g, inputName, batched(info.Input), fromX)
	target := n.input(g, targetName, batched(info.Target), fromY)
	if h.team != nil {
		h.team.Build(g) // first: the random generator depends on it
	}
	output := h.apply(g, model, x)
	n.Leaves = g.Leaves()
	if err := h.frozen(g); err != nil {
		return nil, err
	}
	checkClasses(output, info)
	value := applied(g, "Loss", loss.or(info.Target.DType)(output, target))
	n.Evaluation = evaluationOf(graph.Inference(value, output))
	n.Inference = graph.Inference(output)[0]
	n.wanted = wantedOf(g, n.Evaluation.Nodes())
	if opt != nil {
		if h.mixed != info.Target {
			value = applied(g, "Loss", loss.or(info.Target.DType)(output, n.input(g, mixedName, batched(h.mixed), fromY)))
		}
		n.train(g, value, output, opt, h)
	}
	if err := g.Err(); err != nil {
		return nil, err
	}
	if value.Type().Rank() != 0 || !value.Type().IsFloat() {
		g.Report(value, fmt.Errorf("the loss is %v; want the mean over the batch: %w", value.Type(), graph.ErrNotScalar))
		return nil, g.Err()
	}
	if h.team != nil && opt != nil {
		if err := n.split(h.team); err != nil {
			return nil, err
		}
	}
	if optim.Averages(n.kept) {
		n.average(n.kept)
	}
	return n, nil
}

// train makes the graph for training, with the updates of opt.
func (n *Network) train(g *graph.Graph, loss, output *graph.Node, opt optim.Optimizer, h how) {
	params := optim.Params(g, opt)
	n.phases[0] = len(g.Nodes())
	share := loss
	if h.team != nil && loss.Valid() && loss.Type().Rank() == 0 {
		share = ops.Mul(loss, h.team.Build(g).Share(loss))
	}
	grads := autodiff.Grad(share, params...)
	n.phases[1] = len(g.Nodes())
	n.Training = Outputs{Loss: loss, Output: output}
	if (h.fed || h.team != nil) && g.Err() == nil {
		grads = n.standIn(params, grads)
	}
	before := g.Leaves()
	n.Training.Rate = opt.Apply(g, grads)
	n.kept = except(g.Leaves(), before)
}

// input adds an Input that gets its values from f.
func (n *Network) input(g *graph.Graph, name string, t shape.Type, f feed) *graph.Node {
	in := g.Input(name, t)
	n.feeds[in] = f
	return in
}

// wantedOf lists the leaves of g that belong to the model: its parameters, and the states that
// evaluation reads. It excludes states that only training needs, such as that of the random
// generator.
func wantedOf(g *graph.Graph, evaluation []*graph.Node) []*graph.Node {
	read := map[string]bool{}
	for _, n := range graph.Reachable(evaluation...) {
		read[n.Name()] = true
	}
	return slices.DeleteFunc(g.Leaves(), func(n *graph.Node) bool { return n.Kind() == graph.State && !read[n.Name()] })
}

// Wanted returns the leaves that weights must have a value of: the parameters of the model and the loss, and the
// states that evaluation reads.
func (n *Network) Wanted() []*graph.Node {
	if n == nil {
		return nil
	}
	return slices.Clone(n.wanted)
}

// batched returns the type of a batch of values of type t.
func batched(t shape.Type) shape.Type { return t.Of(t.Insert(0, shape.N)) }

// applied returns n, or an invalid node with an error of g if a user's function returned nil.
func applied(g *graph.Graph, what string, n *graph.Node) *graph.Node {
	if n == nil {
		return g.Reject(what, errors.New("it returned a nil node"))
	}
	return n
}

// or returns l or, if it is nil, the default for targets of type d.
func (l Loss) or(d shape.DType) Loss {
	switch {
	case l != nil:
		return l
	case d.IsFloat():
		return ops.MSE
	}
	return func(output, target *graph.Node) *graph.Node { return ops.CrossEntropy(output, target) }
}

// checkClasses reports an output whose number of classes differs from the number of class names.
func checkClasses(output *graph.Node, info data.Info) {
	if !output.Valid() || len(info.Classes) == 0 {
		return
	}
	c, ok := metrics.ClassesOf(output.Type(), batched(info.Target))
	if ok && c.Count != len(info.Classes) {
		output.Graph().Report(output, fmt.Errorf("the output is %v, but the data have %d classes", output.Type(), len(info.Classes)))
	}
}

// average makes Evaluation and Inference use the moving averages of parameters that are among
// names.
func (n *Network) average(names []string) {
	n.Evaluation = evaluationOf(optim.AveragedBy(names, n.Evaluation.Nodes()...))
	n.Inference = optim.AveragedBy(names, n.Inference)[0]
	n.Averaged = true
}
