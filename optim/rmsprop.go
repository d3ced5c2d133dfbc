package optim

import (
	"errors"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
)

// RMSProp divides the gradient by a running root mean square of it (Tieleman and Hinton,
// Lecture 6.5, 2012). Its leaves are "<parameter>.square_avg" and, where used,
// "<parameter>.grad_avg" and "<parameter>.momentum".
type RMSProp struct {
	LR          float64 // default 0.01
	Alpha       float64 // decay of the running means; default 0.99
	Eps         float64 // default 1e-8; added to the root
	Momentum    float64
	WeightDecay float64 // adds WeightDecay*p to the gradient
	Centered    bool    // divides by the standard deviation instead (Graves, 2013)
}

func (o RMSProp) withDefaults() RMSProp {
	o.LR, o.Alpha, o.Eps = or(o.LR, 1e-2), or(o.Alpha, 0.99), or(o.Eps, 1e-8)
	return o
}

// Settings implements [Rule].
func (o RMSProp) Settings() (Settings, error) {
	o = o.withDefaults()
	return Settings{o.LR, o.WeightDecay}, errors.Join(
		positive("LR", o.LR),
		fraction("Alpha", o.Alpha),
		positive("Eps", o.Eps),
		notNegative("Momentum", o.Momentum),
		notNegative("WeightDecay", o.WeightDecay),
	)
}

// Next implements [Rule].
func (o RMSProp) Next(s Slot) *graph.Node {
	o = o.withDefaults()
	grad := s.Decayed()
	d := ops.Div(grad, ops.AddScalar(ops.Sqrt(o.spread(s, grad)), o.Eps))
	if o.Momentum != 0 {
		leaf := s.State("momentum")
		d = ops.Add(ops.MulScalar(leaf, o.Momentum), d)
		s.Update(leaf, d)
	}
	return s.descend(s.LR, d)
}

// spread returns the running mean of grad² or, with Centered, the running variance.
func (o RMSProp) spread(s Slot, grad *graph.Node) *graph.Node {
	v := o.mean(s, "square_avg", ops.Square(grad))
	if !o.Centered {
		return v
	}
	v = ops.Sub(v, ops.Square(o.mean(s, "grad_avg", grad)))
	return ops.Maximum(v, ops.ZerosLike(v)) // rounding may make it negative
}

func (o RMSProp) mean(s Slot, name string, x *graph.Node) *graph.Node {
	leaf := s.State(name)
	m := mix(o.Alpha, leaf, 1-o.Alpha, x)
	s.Update(leaf, m)
	return m
}

// Apply implements [Optimizer].
func (o RMSProp) Apply(g *graph.Graph, grads []*graph.Node) *graph.Node {
	return Recipe{Rule: o}.Apply(g, grads)
}
