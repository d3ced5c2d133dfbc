package optim

import (
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// A Rule says how one parameter changes in one step: [SGD], [Adam], [AdamW], [RMSProp], or
// a user's own, for use in a [Recipe].
type Rule interface {
	// Settings returns the learning rate and the weight decay, with defaults filled in, or
	// says which hyper-parameter is out of range.
	Settings() (Settings, error)
	// Next returns the value of s.Param after the step, a node of its type.
	Next(s Slot) *graph.Node
}

// An Optimizer makes the updates of a graph: a rule of this package, or a [Recipe]. One that
// trains a part of the parameters has a method Params too, as Recipe has; see [Params].
type Optimizer interface {
	// Apply makes the updates of the parameters of g that are trained. grads are their
	// gradients, in the order of [Params]. It returns the learning rate of the step, a float64
	// scalar, for logs. Mistakes are errors of g, among them each parameter that the loss does
	// not reach.
	Apply(g *graph.Graph, grads []*graph.Node) *graph.Node
}

// Params returns the parameters of g that o trains, whose gradients it takes: those of its
// method Params(g) or, where it has none, all of [graph.Graph.Params].
func Params(g *graph.Graph, o Optimizer) []*graph.Node {
	if some, ok := o.(interface {
		Params(g *graph.Graph) []*graph.Node
	}); ok {
		return some.Params(g)
	}
	return g.Params()
}

// Settings are the hyper-parameters that a [Group] of parameters can have of its own.
type Settings struct{ LR, WeightDecay float64 }

// A Slot is one parameter in one step, as a [Rule] sees it.
type Slot struct {
	Param *graph.Node // its value before the step
	Grad  *graph.Node // its gradient
	LR    *graph.Node // the learning rate, a float64 scalar
	Steps *graph.Node // the number of steps made before, a float64 scalar
	Decay float64     // the weight decay

	optimizer string      // its name
	due       *graph.Node // a Bool scalar: this run makes a step; nil if every run does
}

// State returns a leaf for what the rule remembers of the parameter: of its type, zeros at
// first, and named after it and the optimiser, as in "conv1.weight.momentum" or
// "conv1.weight.generator.momentum".
func (s Slot) State(name string) *graph.Node {
	return s.Param.Graph().State(leafName(s.Param, s.optimizer, name), s.Param.Type(), nil)
}

// Update makes value the next value of a leaf from [Slot.State].
func (s Slot) Update(leaf, value *graph.Node) { update(s.due, leaf, value) }

// Cast returns v, such as the learning rate, in the parameter's element type.
func (s Slot) Cast(v *graph.Node) *graph.Node { return cast(v, s.Param.Type().DType) }

// Decayed returns the gradient with that of the penalty Decay/2*|Param|² added.
func (s Slot) Decayed() *graph.Node {
	if s.Decay == 0 {
		return s.Grad
	}
	return ops.Add(s.Grad, ops.MulScalar(s.Param, s.Decay))
}

// First is a Bool scalar: no step was made before.
func (s Slot) First() *graph.Node { return ops.Equal(s.Steps, ops.ZerosLike(s.Steps)) }

// descend returns the parameter less rate, a float64 scalar, times d.
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
