package optim

import (
	"errors"
	"math"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// Muon steps matrices, and filters flattened to matrices (O,C*H*W), along their momentum made almost
// orthogonal: all its directions become about as long as each other (Jordan et al., "Muon: An
// optimizer for hidden layers in neural networks", 2024). The length of a step is LR times
// sqrt(max(1,rows/columns)). Parameters of less than two axes, such as biases, are stepped by AdamW at
// the learning rate OtherLR, which schedules and groups change in proportion. Jordan leaves
// embeddings and the last layer to AdamW too; two Recipes with Match and names do that.
//
// It keeps "<parameter>.momentum" of matrices and the leaves of [Adam] of the others. PyTorch's
// torch.optim.Muon computes the orthogonal matrix in bfloat16, this one in the type of the parameter.
type Muon struct {
	LR          float64    // default 0.02
	Momentum    float64    // default 0.95
	Plain       bool       // steps along the momentum itself instead of Nesterov's
	Steps       int        // iterations of Newton and Schulz; default 5
	WeightDecay float64    // of all parameters, separate from the gradient as in [AdamW]
	OtherLR     float64    // default 0.001
	Betas       [2]float64 // of AdamW; {0, 0} means {0.9, 0.999}
	Eps         float64    // of AdamW; default 1e-8
}

func (o Muon) withDefaults() Muon {
	o.LR, o.Momentum, o.OtherLR = or(o.LR, 0.02), or(o.Momentum, 0.95), or(o.OtherLR, 1e-3)
	if o.Steps == 0 {
		o.Steps = 5
	}
	return o
}

// Settings implements [Rule].
func (o Muon) Settings() (Settings, error) {
	o = o.withDefaults()
	_, err := o.other().Settings()
	const most = 100
	if o.Steps > most {
		err = errors.Join(err, errors.New("more than 100 Steps: the iteration does not become more exact after a few"))
	}
	return Settings{o.LR, o.WeightDecay}, errors.Join(
		positive("LR", o.LR),
		fraction("Momentum", o.Momentum),
		atLeast("Steps", o.Steps, 1),
		notNegative("WeightDecay", o.WeightDecay),
		err,
	)
}

func (o Muon) other() Adam { return Adam{LR: o.OtherLR, Betas: o.Betas, Eps: o.Eps}.withDefaults() }

// Next implements [Rule].
func (o Muon) Next(s Slot) *graph.Node {
	o = o.withDefaults()
	t := s.Param.Type()
	if t.Rank() < 2 {
		s.LR = ops.MulScalar(s.LR, o.OtherLR/o.LR)
		rate, d := o.other().direction(s, s.Grad)
		return s.shrunk().descend(rate, d)
	}
	leaf := s.State("momentum")
	m := mix(o.Momentum, leaf, 1-o.Momentum, s.Grad)
	s.Update(leaf, m)
	if !o.Plain {
		m = mix(o.Momentum, m, 1-o.Momentum, s.Grad)
	}
	rows := t.Int(0)
	columns := t.Len() / rows
	d := ops.Reshape(o.orthogonal(ops.Reshape(m, shape.Dim(rows), shape.Dim(columns))), t.Shape.Dims()...)
	return s.shrunk().descend(ops.MulScalar(s.LR, math.Sqrt(max(1, float64(rows)/float64(columns)))), d)
}

// orthogonal returns a matrix with the singular vectors of x, and singular values near 1, from about
// 0.7 to 1.2. Every step of the iteration applies the polynomial a*v + b*v³ + c*v⁵ to them.
func (o Muon) orthogonal(x *graph.Node) *graph.Node {
	const a, b, c = 3.4445, -4.7750, 2.0315
	const eps = 1e-7
	tall := x.Type().Int(0) > x.Type().Int(1)
	if tall {
		x = ops.Transpose(x, 1, 0)
	}
	norm := ops.Sqrt(ops.Sum(ops.Square(x)))
	x = ops.Div(x, ops.Maximum(norm, ops.Scalar(norm, eps)))
	for range o.Steps {
		gram := ops.MatMul(x, ops.Transpose(x, 1, 0))
		x = mix(a, x, 1, ops.MatMul(mix(b, gram, c, ops.MatMul(gram, gram)), x))
	}
	if tall {
		x = ops.Transpose(x, 1, 0)
	}
	return x
}

// Apply implements [Optimizer].
func (o Muon) Apply(g *graph.Graph, grads []*graph.Node) *graph.Node {
	return Recipe{Rule: o}.Apply(g, grads)
}

// Lion steps every element by the learning rate, in the direction of the sign of a mean of its
// gradients (Chen et al., "Symbolic Discovery of Optimization Algorithms", 2023). Its learning rate is
// usually 3 to 10 times smaller than Adam's, and its weight decay as many times larger. It keeps
// "<parameter>.exp_avg".
type Lion struct {
	LR          float64    // default 0.0001
	Betas       [2]float64 // of the mean that is stepped along and of that which is kept; {0, 0} means {0.9, 0.99}
	WeightDecay float64    // separate from the gradient, as in [AdamW]
}

func (o Lion) withDefaults() Lion {
	o.LR = or(o.LR, 1e-4)
	if o.Betas == [2]float64{} {
		o.Betas = [2]float64{0.9, 0.99}
	}
	return o
}

// Settings implements [Rule].
func (o Lion) Settings() (Settings, error) {
	o = o.withDefaults()
	return Settings{o.LR, o.WeightDecay}, errors.Join(
		positive("LR", o.LR),
		fraction("Betas[0]", o.Betas[0]),
		fraction("Betas[1]", o.Betas[1]),
		notNegative("WeightDecay", o.WeightDecay),
	)
}

// Next implements [Rule].
func (o Lion) Next(s Slot) *graph.Node {
	o = o.withDefaults()
	leaf := s.State("exp_avg")
	s.Update(leaf, mix(o.Betas[1], leaf, 1-o.Betas[1], s.Grad))
	return s.shrunk().descend(s.LR, ops.Sign(mix(o.Betas[0], leaf, 1-o.Betas[0], s.Grad)))
}

// Apply implements [Optimizer].
func (o Lion) Apply(g *graph.Graph, grads []*graph.Node) *graph.Node {
	return Recipe{Rule: o}.Apply(g, grads)
}

// LAMB is [AdamW] whose step of each parameter is as long as LR times the parameter, for large batches
// (You et al., "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes", 2020). Where
// the parameter or the step is 0, the step keeps its length. It keeps the leaves of [Adam].
type LAMB struct {
	LR          float64    // default 0.001
	Betas       [2]float64 // {0, 0} means {0.9, 0.999}
	Eps         float64    // default 1e-6
	WeightDecay float64    // WeightDecay*p is added to the step before its length is taken
}

func (o LAMB) adam() Adam {
	return Adam{LR: o.LR, Betas: o.Betas, Eps: or(o.Eps, 1e-6), WeightDecay: o.WeightDecay}.withDefaults()
}

// Settings implements [Rule].
func (o LAMB) Settings() (Settings, error) { return o.adam().Settings() }

// Next implements [Rule].
func (o LAMB) Next(s Slot) *graph.Node {
	a := o.adam()
	_, d := a.direction(s, s.Grad)
	d = ops.Div(d, s.Cast(unbias(s, a.Betas[0])))
	if s.Decay != 0 {
		d = ops.Add(d, ops.MulScalar(s.Param, s.Decay))
	}
	zero, one := ops.Scalar(d, 0), ops.Scalar(d, 1)
	length, step := ops.Sqrt(ops.Sum(ops.Square(s.Param))), ops.Sqrt(ops.Sum(ops.Square(d)))
	none := ops.Or(ops.Equal(length, zero), ops.Equal(step, zero))
	trust := ops.Where(none, one, ops.Div(length, ops.Where(none, one, step)))
	return s.descend(s.LR, ops.Mul(trust, d))
}

// Apply implements [Optimizer].
func (o LAMB) Apply(g *graph.Graph, grads []*graph.Node) *graph.Node {
	return Recipe{Rule: o}.Apply(g, grads)
}
