package optim

import (
	"errors"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
)

// SGD is gradient descent: p - LR*d, where d is the gradient or, with Momentum, the velocity v =
// Momentum*v + (1-Dampening)*gradient, kept in the leaf "<parameter>.momentum". The first velocity
// is the gradient itself.
type SGD struct {
	LR          float64 // required
	Momentum    float64
	Dampening   float64
	WeightDecay float64 // adds WeightDecay*p to the gradient
	Nesterov    bool    // d is gradient + Momentum*v (Sutskever et al., 2013)
}

// Settings implements [Rule].
func (o SGD) Settings() (Settings, error) {
	err := errors.Join(
		positive("LR", o.LR),
		notNegative("Momentum", o.Momentum),
		notNegative("Dampening", o.Dampening),
		notNegative("WeightDecay", o.WeightDecay),
	)
	if o.Nesterov && (o.Momentum == 0 || o.Dampening != 0) {
		err = errors.Join(err, errors.New("a step with Nesterov needs a Momentum and no Dampening"))
	}
	return Settings{o.LR, o.WeightDecay}, err
}

// Next implements [Rule].
func (o SGD) Next(s Slot) *graph.Node {
	d := s.Decayed()
	if o.Momentum != 0 {
		d = o.velocity(s, d)
	}
	return s.descend(s.LR, d)
}

func (o SGD) velocity(s Slot, d *graph.Node) *graph.Node {
	old := s.State("momentum")
	v := ops.Add(ops.MulScalar(old, o.Momentum), d)
	if o.Dampening != 0 {
		v = ops.Where(s.First(), d, mix(o.Momentum, old, 1-o.Dampening, d))
	}
	s.Update(old, v)
	if o.Nesterov {
		return ops.Add(d, ops.MulScalar(v, o.Momentum))
	}
	return v
}

// Apply implements [Optimizer].
func (o SGD) Apply(g *graph.Graph, grads []*graph.Node) *graph.Node {
	return Recipe{Rule: o}.Apply(g, grads)
}
