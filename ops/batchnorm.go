package ops

import (
	"errors"
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// BatchNormOptions are the options of [BatchNorm].
type BatchNormOptions struct {
	Eps      float64 // added to the variance; 0 means 1e-5
	Momentum float64 // weight of the new batch in the running statistics; 0 means 0.1
}

func (o BatchNormOptions) withDefaults() BatchNormOptions {
	if o.Eps == 0 {
		o.Eps = 1e-5
	}
	if o.Momentum == 0 {
		o.Momentum = 0.1
	}
	return o
}

// BatchNorm normalises each channel (axis 1) of x, of 2 to 5 axes (N,C,...), then scales it by
// gamma and shifts it by beta, both (C).
//
// In training it normalises by the mean and the biased variance of the batch, and updates the
// running statistics, which are (C) leaves of the graph: mean = (1-Momentum)*mean + Momentum*batch
// mean, and likewise variance, with the unbiased variance of the batch. In inference, see
// [graph.Inference], it normalises by the running statistics. If several uses share the statistics,
// they update them in turn, in the order in which they were applied, as in PyTorch.
//
// A training batch with a single value per channel has no unbiased variance, and PyTorch rejects
// it. Here its variance is taken to be 0, so that the result is beta.
//
// Ioffe and Szegedy, "Batch Normalization", 2015.
func BatchNorm(x, gamma, beta, mean, variance *graph.Node, opts BatchNormOptions) *graph.Node {
	in := []*graph.Node{x, gamma, beta, mean, variance}
	opts = opts.withDefaults()
	if bad := refused("BatchNorm", func() error { return checkBatchNorm(in, opts) }, in...); bad != nil {
		return bad
	}
	b := batchNorm{x: x, gamma: gamma, beta: beta, opts: opts}
	if x.Graph().Infers() {
		return b.infer(mean, variance)
	}
	return ByMode(b.train(mean, variance), b.infer(mean, variance))
}

func checkBatchNorm(in []*graph.Node, opts BatchNormOptions) error {
	x := in[0].Type()
	switch {
	case !x.IsFloat():
		return floating.admits("input is", x)
	case x.Rank() < 2 || x.Rank() > 5:
		return fmt.Errorf("input %v has %d axes; want 2 to 5: (N,C,...)", x, x.Rank())
	case !(opts.Eps > 0):
		return fmt.Errorf("Eps is %v; want a positive number", opts.Eps)
	case !(opts.Momentum > 0 && opts.Momentum <= 1):
		return fmt.Errorf("Momentum is %v; want a number above 0 and up to 1", opts.Momentum)
	}
	want := x.Of(shape.Of(x.Dim(1)))
	for i, role := range []string{"gamma", "beta", "running mean", "running variance"} {
		if t := in[i+1].Type(); t != want {
			return fmt.Errorf("%s is %v; for input %v it must be %v", role, t, x, want)
		}
	}
	return errors.Join(checkRunning("mean", in[3]), checkRunning("variance", in[4]))
}

// checkRunning returns an error if n cannot be updated as a running statistic.
func checkRunning(name string, n *graph.Node) error {
	if k := n.Kind(); k != graph.State && k != graph.Param {
		return fmt.Errorf("the running %s is %v; want a State", name, k)
	}
	for _, u := range n.Graph().Updates() {
		if u.Leaf == n && u.Use == nil {
			return fmt.Errorf("the running %s %v has another update already, made at %v", name, n, u.Value.Pos())
		}
	}
	return nil
}

// batchNorm builds the training and the inference form.
type batchNorm struct {
	x, gamma, beta *graph.Node
	opts           BatchNormOptions
}

// Moments are the mean and the biased variance of each channel, (C), over Count values, a scalar of
// the same floating-point type.
type Moments struct{ Mean, Variance, Count *graph.Node }

// A Joiner joins what a graph computes for a part of a batch with the other parts. Its functions add
// nodes to the graph of their arguments.
type Joiner struct {
	Name    string                          // for printouts
	Moments func(m Moments) Moments         // of the whole batch, given those of the part
	Count   func(n *graph.Node) *graph.Node // number of values in the whole batch, given that of the part, scalars
	Sum     func(x *graph.Node) *graph.Node // over all parts
}

// String returns the name.
func (j *Joiner) String() string {
	if j == nil {
		return ""
	}
	return j.Name
}

type joinKey struct{}

// JoinMoments runs f. If f builds a [BatchNorm] in its training form in g, that normalises by the moments
// of the whole batch, as j joins them, and tracks them. Gradients are those of the whole batch.
func JoinMoments(g *graph.Graph, j *Joiner, f func()) {
	if f == nil {
		return
	}
	at := g.Memo(joinKey{}, func() any { return new(*Joiner) }).(**Joiner)
	defer func(old *Joiner) { *at = old }(*at)
	*at = j
	f()
}

// joiner returns the Joiner of g, or nil.
func joiner(g *graph.Graph) *Joiner {
	if at, ok := g.Memo(joinKey{}, nil).(**Joiner); ok {
		return *at
	}
	return nil
}

// train returns the training form, and adds the updates of the running statistics.
func (b batchNorm) train(mean, variance *graph.Node) *graph.Node {
	op := normOp{Axes: engine.AxesOf(0), Eps: graph.Float(b.opts.Eps), Given: true}
	for i := 2; i < b.x.Type().Rank(); i++ {
		op.Axes |= engine.AxesOf(i)
	}
	moments := graph.Apply(momentsOp{op.Axes}, b.x)
	m := Moments{rowOf(moments, 0), rowOf(moments, 1), graph.Apply(countOp{op.Axes}, b.x)}
	j := joiner(b.x.Graph())
	if j != nil {
		m = j.Moments(m)
	}
	unbiased := Mul(m.Variance, Div(m.Count, Maximum(AddScalar(m.Count, -1), OnesLike(m.Count))))
	b.track(mean, m.Mean, moments)
	b.track(variance, unbiased, moments)
	gamma, beta := b.channels(b.gamma), b.channels(b.beta)
	if j != nil {
		return graph.Apply(joinedNormOp{op, j}, b.x, gamma, beta, Concat(0, Unsqueeze(m.Mean, 0), Unsqueeze(m.Variance, 0)))
	}
	return graph.Apply(op, b.x, gamma, beta, moments)
}

// joinedNormOp normalises x by the moments of a larger batch that x is a part of.
type joinedNormOp struct {
	normOp
	By *Joiner
}

func (joinedNormOp) Name() string { return "JoinedNorm" }

// PerExample implements autodiff's PerExample.
func (op joinedNormOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	if !anyOwn(n, in) {
		return n, nil
	}
	return nil, errors.New("it normalises by the moments of all parts of a batch, and so mixes the examples; take graph.Inference")
}

// Grad implements autodiff's Differentiable. With s = 1/sqrt(variance+eps), xhat = s*(x-mean), and sums over
// all parts, dx = gamma*s*(dy - sum(dy)/count - xhat*sum(dy*xhat)/count), and no gradient goes to the
// moments.
func (op joinedNormOp) Grad(n, dy *graph.Node) []*graph.Node {
	x, gamma, moments := n.In(0), n.In(1), n.In(3)
	count := op.By.Count(graph.Apply(countOp{op.Axes}, x))
	channels := gamma.Type().Shape
	sums := graph.Apply(joinedSums{normSums{op.normOp, op.Axes}}, x, dy, moments)
	dbeta, dgamma := likeGamma(rowOf(sums, 0), gamma), likeGamma(rowOf(sums, 1), gamma)
	means := Div(op.By.Sum(Concat(0, dgamma, dbeta)), count)
	c := channels.Dims()[0]
	size, _ := c.Int()
	row := func(of *graph.Node, i int) *graph.Node { return sliceAxis(of, 0, i*size, (i+1)*size) }
	mean, variance := Reshape(rowOf(moments, 0), channels.Dims()...), Reshape(rowOf(moments, 1), channels.Dims()...)
	s := Div(OnesLike(variance), Sqrt(AddScalar(variance, op.Eps.Value())))
	scale := Mul(gamma, s)
	slope := Neg(Mul(Mul(scale, s), row(means, 0)))
	dx := Add(Mul(scale, Sub(dy, row(means, 1))), Mul(slope, Sub(x, mean)))
	return []*graph.Node{dx, dgamma, dbeta, nil}
}

// joinedSums are normSums by the moments of a larger batch.
type joinedSums struct{ normSums }

// NotDifferentiable returns the reason.
func (joinedSums) NotDifferentiable() string {
	return "second gradients of batch normalisation over the parts of a batch are not there"
}

// infer returns the inference form: a scale and a shift per channel.
func (b batchNorm) infer(mean, variance *graph.Node) *graph.Node {
	scale := b.scale(variance)
	shift := Sub(b.beta, Mul(mean, scale))
	return Add(Mul(b.x, b.channels(scale)), b.channels(shift))
}

// scale returns the factor that gives a channel of the given variance the standard deviation gamma.
func (b batchNorm) scale(variance *graph.Node) *graph.Node {
	return Div(b.gamma, Sqrt(AddScalar(variance, b.opts.Eps)))
}

// track updates a running statistic by that of the batch, in programs that compute use, a node that
// the result depends on.
func (b batchNorm) track(running, batch, use *graph.Node) {
	running.Graph().Follow(running, use, func(old *graph.Node) *graph.Node {
		return Add(old, MulScalar(Sub(batch, old), b.opts.Momentum))
	})
}

// channels reshapes one number per channel, (C), so that it broadcasts to x.
func (b batchNorm) channels(c *graph.Node) *graph.Node { return alongChannels(c, b.x.Type().Rank()) }
