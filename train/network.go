package train

import (
	"errors"
	"fmt"
	"slices"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/isnil"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
)

// Loss is what training makes small: a scalar, the mean over the examples of a batch, from
// the model's output and the target.
type Loss func(output, target *graph.Node) *graph.Node

// Network holds the graphs that [Fit] and [Predictor] compile.
type Network struct {
	// Training lies in a graph with all updates: it is compiled with vm.Train. Its nodes are nil
	// without an optimiser.
	Training Outputs
	// Evaluation is the loss and the output, in inference form.
	Evaluation Outputs
	// Inference is only the output, in inference form.
	Inference *graph.Node
	// Leaves are the parameters and the state of the model itself.
	Leaves []*graph.Node
	// Averaged tells that Evaluation and Inference compute with the moving averages of the
	// parameters, because the optimiser keeps them.
	Averaged bool

	wanted   []*graph.Node        // of Leaves and those of the loss, what weights have to have
	kept     []string             // the leaves that the optimiser adds
	phases   [2]int               // of the graph for training: the first nodes of the gradients and of the updates
	feeds    map[*graph.Node]feed // by Input
	computed *computed            // what Training is fed with, where it does not compute the gradients itself
}

// The names of the inputs; examples lie along axis 0.
const (
	inputName  = "input"
	targetName = "target"
	mixedName  = "target.mixed" // of training, where it has another type
)

// Build makes the graphs of a model for data that info describes. By default the loss is
// [ops.CrossEntropy] where targets are class numbers and [ops.MSE] where they are floating
// point. Without an optimiser, opt being nil, there is no graph for training. The error is a
// [graph.ErrorList] of all mistakes in the graph.
func Build(model nn.Layer, info data.Info, loss Loss, opt optim.Optimizer) (*Network, error) {
	n, err := build(model, info, info.Target, loss, opt, false)
	return n, prefixed(err)
}

// build makes the graphs. That for training has targets of the type mixed, which is another
// where examples are mixed. Where fed is set, it has the updates only, and Inputs in place of
// what Gradients compute.
func build(model nn.Layer, info data.Info, mixed shape.Type, loss Loss, opt optim.Optimizer, fed bool) (*Network, error) {
	if isnil.Of(model) {
		return nil, errors.New("no model")
	}
	if opt != nil && isnil.Of(opt) {
		return nil, errors.New("the optimiser is a nil pointer; want nil, or one")
	}
	if err := info.Err(); err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	g := graph.New()
	n := &Network{feeds: map[*graph.Node]feed{}}
	x := n.input(g, inputName, batched(info.Input), fromX)
	target := n.input(g, targetName, batched(info.Target), fromY)
	output := applied(g, "Model", model.Apply(nn.Root(g), x))
	n.Leaves = g.Leaves()
	checkClasses(output, info)
	value := applied(g, "Loss", loss.or(info.Target.DType)(output, target))
	n.Evaluation = evaluationOf(graph.Inference(value, output))
	n.Inference = graph.Inference(output)[0]
	n.wanted = wantedOf(g, n.Evaluation.Nodes())
	if opt != nil {
		if mixed != info.Target {
			value = applied(g, "Loss", loss.or(info.Target.DType)(output, n.input(g, mixedName, batched(mixed), fromY)))
		}
		n.train(g, value, output, opt, fed)
	}
	if err := g.Err(); err != nil {
		return nil, err
	}
	if value.Type().Rank() != 0 || !value.Type().IsFloat() {
		g.Report(value, fmt.Errorf("the loss is %v; want the mean over the batch: %w", value.Type(), graph.ErrNotScalar))
		return nil, g.Err()
	}
	if optim.Averages(n.kept) {
		n.average(n.kept)
	}
	return n, nil
}

// train makes the graph for training, with the updates of opt.
func (n *Network) train(g *graph.Graph, loss, output *graph.Node, opt optim.Optimizer, fed bool) {
	params := optim.Params(g, opt)
	n.phases[0] = len(g.Nodes())
	grads := autodiff.Grad(loss, params...)
	n.phases[1] = len(g.Nodes())
	n.Training = Outputs{Loss: loss, Output: output}
	if fed && g.Err() == nil {
		grads = n.standIn(params, grads)
	}
	before := g.Leaves()
	n.Training.Rate = opt.Apply(g, grads)
	n.kept = except(g.Leaves(), before)
}

// input adds an Input that f gives values to.
func (n *Network) input(g *graph.Graph, name string, t shape.Type, f feed) *graph.Node {
	in := g.Input(name, t)
	n.feeds[in] = f
	return in
}

// wantedOf lists the leaves of g that make a model: its parameters, and the state that evaluation
// reads, but not what only training needs, such as that of the random generator.
func wantedOf(g *graph.Graph, evaluation []*graph.Node) []*graph.Node {
	read := map[string]bool{}
	for _, n := range graph.Reachable(evaluation...) {
		read[n.Name()] = true
	}
	return slices.DeleteFunc(g.Leaves(), func(n *graph.Node) bool { return n.Kind() == graph.State && !read[n.Name()] })
}

// batched is the type of a batch of values of type t.
func batched(t shape.Type) shape.Type { return t.Of(t.Insert(0, shape.N)) }

// applied is n, or an error of g where a user's function returned nothing.
func applied(g *graph.Graph, what string, n *graph.Node) *graph.Node {
	if n == nil {
		return g.Reject(what, errors.New("it returned a nil node"))
	}
	return n
}

// or returns l or, where it is nil, the default for targets of type d.
func (l Loss) or(d shape.DType) Loss {
	switch {
	case l != nil:
		return l
	case d.IsFloat():
		return ops.MSE
	}
	return func(output, target *graph.Node) *graph.Node { return ops.CrossEntropy(output, target) }
}

// checkClasses reports an output that has not one number for each class with a name.
func checkClasses(output *graph.Node, info data.Info) {
	if !output.Valid() || len(info.Classes) == 0 {
		return
	}
	c, ok := classesOf(output.Type(), info.Target)
	if ok && c.count != len(info.Classes) {
		output.Graph().Report(output, fmt.Errorf("the output is %v, but the data have %d classes", output.Type(), len(info.Classes)))
	}
}

// average makes what is not training compute with those moving averages of parameters that are
// among names.
func (n *Network) average(names []string) {
	n.Evaluation = evaluationOf(optim.AveragedBy(names, n.Evaluation.Nodes()...))
	n.Inference = optim.AveragedBy(names, n.Inference)[0]
	n.Averaged = true
}
