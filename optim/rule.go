package optim

import (
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// A Rule computes how one parameter changes in one step: [SGD], [Adam], [AdamW], [RMSProp], [Muon], [Lion], [LAMB], or a
// user-defined rule, for use in a [Recipe].
type Rule interface {
	// Settings returns the learning rate and the weight decay, with defaults filled in, or an error
	// that names the hyper-parameter that is out of range.
	Settings() (Settings, error)
	// Next returns the value of s.Param after the step, as a node of the same type.
	Next(s Slot) *graph.Node
}

// An Optimizer adds the updates to a graph: a rule of this package, or a [Recipe]. An Optimizer
// that trains only some of the parameters also has a method Params, like Recipe; see [Params].
type Optimizer interface {
	// Apply adds the updates of the parameters of g that are trained. grads are their gradients, in
	// the order of [Params]. Apply returns the learning rate of the step, a float64 scalar, for
	// logs. Mistakes are recorded as errors of g, among them each parameter that the loss does not
	// reach.
	Apply(g *graph.Graph, grads []*graph.Node) *graph.Node
}

// Params returns the parameters of g that o trains, in the order in which Apply takes their
// gradients: the result of o's method Params(g) or, if o has none, all of [graph.Graph.Params].
func Params(g *graph.Graph, o Optimizer) []*graph.Node {
	if some, ok := o.(interface {
		Params(g *graph.Graph) []*graph.Node
	}); ok {
		return some.Params(g)
	}
	return g.Params()
}

// Settings are the hyper-parameters that a [Group] of parameters can override.
type Settings struct{ LR, WeightDecay float64 }

// A Slot is one parameter in one step, as a [Rule] sees it.
type Slot struct {
	Param *graph.Node // its value before the step
	Grad  *graph.Node // its gradient
	LR    *graph.Node // the learning rate, a float64 scalar
	Steps *graph.Node // the number of steps made before, a float64 scalar
	Decay float64     // the weight decay

	optimizer string      // the optimiser's name
	due       *graph.Node // a Bool scalar: this run makes a step; nil if every run makes one
}

// State returns a leaf for state of the rule about the parameter. It has the parameter's type, is
// initially zero, and is named after the parameter and the optimiser: "conv1.weight.momentum" or
// "conv1.weight.generator.momentum".
func (s Slot) State(name string) *graph.Node {
	return s.Param.Graph().State(leafName(s.Param, s.optimizer, name), s.Param.Type(), nil)
}

// Update makes value the next value of a leaf from [Slot.State].
func (s Slot) Update(leaf, value *graph.Node) { update(s.due, leaf, value) }

// Cast returns v, such as the learning rate, in the parameter's element type.
func (s Slot) Cast(v *graph.Node) *graph.Node { return cast(v, s.Param.Type().DType) }

// Decayed returns the gradient plus that of the penalty Decay/2*|Param|².
func (s Slot) Decayed() *graph.Node {
	if s.Decay == 0 {
		return s.Grad
	}
	return ops.Add(s.Grad, ops.MulScalar(s.Param, s.Decay))
}

// First returns a Bool scalar that is true if no step was made before.
func (s Slot) First() *graph.Node { return ops.Equal(s.Steps, ops.ZerosLike(s.Steps)) }

// shrunk returns s with the parameter less LR*Decay of it: decay that is separate from the gradient.
func (s Slot) shrunk() Slot {
	if s.Decay != 0 {
		keep := ops.AddScalar(ops.MulScalar(s.LR, -s.Decay), 1)
		s.Param = ops.Mul(s.Param, s.Cast(keep))
	}
	return s
}

// descend returns the parameter minus rate, a float64 scalar, times d.
func (s Slot) descend(rate, d *graph.Node) *graph.Node {
	return ops.Sub(s.Param, ops.Mul(s.Cast(rate), d))
}

// mix returns keep*a + add*b.
func mix(keep float64, a *graph.Node, add float64, b *graph.Node) *graph.Node {
	return ops.Add(ops.MulScalar(a, keep), ops.MulScalar(b, add))
}

// update makes value the next value of leaf, in runs where due is true or nil.
func update(due, leaf, value *graph.Node) {
	if due != nil {
		value = ops.Where(due, value, leaf)
	}
	leaf.Graph().Update(leaf, value)
}

func cast(x *graph.Node, d shape.DType) *graph.Node {
	if x.Valid() && x.Type().DType == d {
		return x
	}
	return ops.Cast(x, d)
}
