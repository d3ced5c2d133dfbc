package optim

import (
	"errors"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
)

// Adam scales the step of each element by running moments of its gradient (Kingma and Ba, Adam: A
// Method for Stochastic Optimization, 2015). It keeps the moments in the leaves
// "<parameter>.exp_avg" and "<parameter>.exp_avg_sq".
type Adam struct {
	LR          float64    // default 0.001
	Betas       [2]float64 // decay rates of the first and the second moment; {0, 0} means {0.9, 0.999}
	Eps         float64    // default 1e-8
	WeightDecay float64    // adds WeightDecay*p to the gradient; see AdamW
	AMSGrad     bool       // divides by the largest second moment (Reddi et al., 2018), "<parameter>.max_exp_avg_sq"
}

func (o Adam) withDefaults() Adam {
	o.LR, o.Eps = or(o.LR, 1e-3), or(o.Eps, 1e-8)
	if o.Betas == [2]float64{} {
		o.Betas = [2]float64{0.9, 0.999}
	}
	return o
}

// Settings implements [Rule].
func (o Adam) Settings() (Settings, error) {
	o = o.withDefaults()
	return Settings{o.LR, o.WeightDecay}, errors.Join(
		positive("LR", o.LR),
		fraction("Betas[0]", o.Betas[0]),
		fraction("Betas[1]", o.Betas[1]),
		positive("Eps", o.Eps),
		notNegative("WeightDecay", o.WeightDecay),
	)
}

// Next implements [Rule].
func (o Adam) Next(s Slot) *graph.Node {
	o = o.withDefaults()
	rate, d := o.direction(s, s.Decayed())
	return s.descend(rate, d)
}

// direction returns, for the gradient grad, the step size as a float64 scalar and the direction
// that it scales.
func (o Adam) direction(s Slot, grad *graph.Node) (rate, d *graph.Node) {
	m := o.moment(s, "exp_avg", o.Betas[0], grad)
	v := o.moment(s, "exp_avg_sq", o.Betas[1], ops.Square(grad))
	if o.AMSGrad {
		largest := s.State("max_exp_avg_sq")
		v = ops.Maximum(largest, v)
		s.Update(largest, v)
	}
	rms := ops.Div(ops.Sqrt(v), s.Cast(ops.Sqrt(unbias(s, o.Betas[1]))))
	return ops.Div(s.LR, unbias(s, o.Betas[0])), ops.Div(m, ops.AddScalar(rms, o.Eps))
}

// moment returns the running mean of x, including this step.
func (Adam) moment(s Slot, name string, beta float64, x *graph.Node) *graph.Node {
	leaf := s.State(name)
	m := mix(beta, leaf, 1-beta, x)
	s.Update(leaf, m)
	return m
}

// unbias returns 1 - beta^t, where t counts this step too. Dividing by it corrects a running mean
// that began at 0.
func unbias(s Slot, beta float64) *graph.Node {
	t := ops.AddScalar(s.Steps, 1)
	return ops.Sub(ops.OnesLike(t), ops.Pow(ops.Scalar(t, beta), t))
}

// Apply implements [Optimizer].
func (o Adam) Apply(g *graph.Graph, grads []*graph.Node) *graph.Node {
	return Recipe{Rule: o}.Apply(g, grads)
}

// AdamW is [Adam] with a weight decay that is separate from the gradient: p first shrinks by
// LR*WeightDecay*p (Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019).
type AdamW struct {
	LR          float64    // default 0.001
	Betas       [2]float64 // {0, 0} means {0.9, 0.999}
	Eps         float64    // default 1e-8
	WeightDecay float64    // default 0.01; for AdamW without weight decay use Adam
	AMSGrad     bool
}

func (o AdamW) adam() Adam {
	return Adam{o.LR, o.Betas, o.Eps, or(o.WeightDecay, 0.01), o.AMSGrad}.withDefaults()
}

// Settings implements [Rule].
func (o AdamW) Settings() (Settings, error) { return o.adam().Settings() }

// Next implements [Rule].
func (o AdamW) Next(s Slot) *graph.Node {
	rate, d := o.adam().direction(s, s.Grad)
	return s.shrunk().descend(rate, d)
}

// Apply implements [Optimizer].
func (o AdamW) Apply(g *graph.Graph, grads []*graph.Node) *graph.Node {
	return Recipe{Rule: o}.Apply(g, grads)
}
