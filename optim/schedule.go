package optim

import (
	"errors"
	"math"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/isnil"
	"github.com/plexaura/plexaura/ops"
)

// A Schedule changes the learning rate from step to step. It multiplies the LR of the rule or of
// each group, so that LR stays a number and any schedule works with it.
type Schedule interface {
	// Factor returns the factor of the learning rate in a step, a float64 scalar. steps, also a
	// float64 scalar, is the number of steps made before.
	Factor(steps *graph.Node) *graph.Node
}

// Constant keeps the learning rate constant.
type Constant struct{}

// Factor implements [Schedule].
func (Constant) Factor(steps *graph.Node) *graph.Node { return ops.OnesLike(steps) }

// Step multiplies the learning rate by Gamma after every Every steps.
type Step struct {
	Every int     // at least 1
	Gamma float64 // default 0.1
}

// Factor implements [Schedule].
func (c Step) Factor(steps *graph.Node) *graph.Node {
	gamma := or(c.Gamma, 0.1)
	if err := errors.Join(atLeast("Every", c.Every, 1), positive("Gamma", gamma)); err != nil {
		return steps.Graph().Reject("Step", err, steps)
	}
	drops := ops.Floor(ops.Div(steps, ops.Scalar(steps, float64(c.Every)))) // 49*(1/49) is below 1
	return ops.Pow(ops.Scalar(steps, gamma), drops)
}

// Cosine lowers the learning rate from LR to Floor*LR along half a cosine in the given number of
// steps, and then keeps it (Loshchilov and Hutter, SGDR, 2017).
type Cosine struct {
	Steps int // at least 1
	Floor float64
}

// Factor implements [Schedule].
func (c Cosine) Factor(steps *graph.Node) *graph.Node {
	if err := errors.Join(atLeast("Steps", c.Steps, 1), notNegative("Floor", c.Floor)); err != nil {
		return steps.Graph().Reject("Cosine", err, steps)
	}
	return anneal(steps, 0, float64(c.Steps), 1, c.Floor)
}

// OneCycle raises the learning rate to LR and then lowers it far below its first value, both along
// half a cosine (Smith and Topin, Super-Convergence, 2018). Arguments and defaults are those of
// PyTorch's OneCycleLR; the momentum is not cycled.
type OneCycle struct {
	Steps    int     // in the whole cycle, at least 2; the last rate is kept after it
	Rise     float64 // the fraction of the steps in which the rate rises; default 0.3
	Div      float64 // the first rate is LR/Div; default 25
	FinalDiv float64 // the last rate is LR/Div/FinalDiv; default 1e4
}

// Factor implements [Schedule].
func (c OneCycle) Factor(steps *graph.Node) *graph.Node {
	c.Rise, c.Div, c.FinalDiv = or(c.Rise, 0.3), or(c.Div, 25), or(c.FinalDiv, 1e4)
	err := errors.Join(atLeast("Steps", c.Steps, 2), fraction("Rise", c.Rise), positive("Div", c.Div), positive("FinalDiv", c.FinalDiv))
	if err != nil {
		return steps.Graph().Reject("OneCycle", err, steps)
	}
	first, last, end := 1/c.Div, 1/c.Div/c.FinalDiv, float64(c.Steps)-1
	peak := c.Rise*float64(c.Steps) - 1
	if peak <= 0 { // as in PyTorch, which then only lowers the rate
		return anneal(steps, peak, end, 1, last)
	}
	return ops.Where(less(steps, peak), anneal(steps, 0, peak, first, 1), anneal(steps, peak, end, 1, last))
}

// Warmup raises the learning rate linearly during the first Steps steps: in step i, counted from 0,
// it is (i+1)/Steps of LR, so that the last of them uses the full LR. From then on the schedule
// Then applies, from its beginning. This is PyTorch's LinearLR with start_factor=1/Steps and
// total_iters=Steps-1, followed in a SequentialLR by another schedule at milestone Steps.
type Warmup struct {
	Steps int      // at least 1
	Then  Schedule // default [Constant]
}

// Factor implements [Schedule].
func (c Warmup) Factor(steps *graph.Node) *graph.Node {
	err := atLeast("Steps", c.Steps, 1)
	if c.Then == nil {
		c.Then = Constant{}
	}
	if isnil.Of(c.Then) {
		err = errors.Join(err, errors.New("Then is a nil pointer"))
	}
	if err != nil {
		return steps.Graph().Reject("Warmup", err, steps)
	}
	n := float64(c.Steps)
	rising := ops.Div(ops.AddScalar(steps, 1), ops.Scalar(steps, n))
	after := ops.Maximum(ops.AddScalar(steps, -n), ops.ZerosLike(steps))
	return ops.Where(less(steps, n), rising, c.Then.Factor(after))
}

// anneal goes from a at step from to b at step to along half a cosine, and then stays at b.
func anneal(steps *graph.Node, from, to, a, b float64) *graph.Node {
	t := ops.Clip(steps, from, to)
	angle := ops.MulScalar(ops.AddScalar(t, -from), math.Pi/(to-from))
	return ops.AddScalar(ops.MulScalar(ops.Cos(angle), (a-b)/2), (a+b)/2)
}

func less(x *graph.Node, v float64) *graph.Node { return ops.Less(x, ops.Scalar(x, v)) }
