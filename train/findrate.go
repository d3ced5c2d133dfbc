package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/isnil"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/vm"
)

// RateSearch says which learning rates [FindRate] tries.
type RateSearch struct {
	From  float64 // the first rate; default 1e-6
	To    float64 // the last one; default 10
	Steps int     // from the first to the last; default 140, 20 for a factor of 10
}

// RateCurve is how the loss changed with the learning rate.
type RateCurve struct {
	Rates  []float64 // of the steps, rising by the same factor
	Losses []float64 // of their batches, before the step
	Smooth []float64 // exponential moving averages of Losses, without their bias towards 0

	// Suggested is the rate at which Smooth has fallen half way, from its median to its least value;
	// a good first choice for the largest rate of a schedule. 0 if it falls nowhere.
	Suggested float64
	// Diverged reports that the search ended early, because the loss rose to four times its least
	// value or was not finite.
	Diverged bool
}

// Of a search of rates, the decay of the average and the rise of the loss that ends it.
const (
	searchDecay = 0.9
	searchRise  = 4
)

// FindRate trains a copy of the model with a learning rate that rises exponentially, and returns the
// losses: the range test of Smith, Cyclical Learning Rates for Training Neural Networks, 2017. It
// uses Model, Train or Stream with Buffer and StepsPerEpoch, Engine, Loss, Gradients, Batch, Seed,
// Augment, Mix, Workers, Store, Partial and Freeze of c; Store is not changed. The Optimizer is a rule of package optim or a Recipe, whose schedule is
// left out; rates are those of parameters that are in no group. If c has a Group, rank 0 has the curve,
// the others an empty one.
func FindRate(ctx context.Context, c Config, s RateSearch) (*RateCurve, error) {
	if ctx == nil {
		return nil, prefixed(errNoContext)
	}
	curve, err := findRate(ctx, c, s)
	if err != nil {
		return nil, prefixed(err)
	}
	return curve, nil
}

func findRate(ctx context.Context, c Config, s RateSearch) (*RateCurve, error) {
	s, err := s.withDefaults()
	if err != nil {
		return nil, err
	}
	if c, err = s.config(c); err != nil {
		return nil, err
	}
	curve := &RateCurve{}
	least, average := math.Inf(1), 0.
	c.OnStep = func(step Step) error {
		n := len(curve.Rates) + 1
		average = searchDecay*average + (1-searchDecay)*step.Loss
		smooth := average / (1 - math.Pow(searchDecay, float64(n)))
		least = min(least, smooth)
		curve.Rates, curve.Losses, curve.Smooth = append(curve.Rates, step.Rate), append(curve.Losses, step.Loss), append(curve.Smooth, smooth)
		curve.Diverged = smooth > searchRise*least && least > 0
		if n == s.Steps || curve.Diverged {
			return ErrStop
		}
		return nil
	}
	result, err := Fit(ctx, c)
	if err != nil && !(errors.Is(err, vm.ErrNotFinite) && result.stepped()) {
		return nil, err
	}
	if len(curve.Rates) == 0 { // this is not rank 0
		return curve, nil
	}
	curve.Diverged = curve.Diverged || err != nil
	curve.Suggested = curve.halfway()
	return curve, nil
}

// stepped reports whether a step was made.
func (r *Result) stepped() bool {
	return r != nil && (r.Checkpoint.Progress.Batch > 0 || len(r.Checkpoint.Progress.Epochs) > 0)
}

func (s RateSearch) withDefaults() (RateSearch, error) {
	if s.From == 0 {
		s.From = 1e-6
	}
	if s.To == 0 {
		s.To = 10
	}
	if s.Steps == 0 {
		s.Steps = 140
	}
	if !(s.From > 0 && s.From < s.To) || math.IsInf(s.To, 0) {
		return s, fmt.Errorf("the search goes from a rate of %v to %v; want positive numbers, the second one greater", s.From, s.To)
	}
	if s.Steps < 2 || s.Steps > 1e6 {
		return s, fmt.Errorf("the search has %d steps; want 2 to 1,000,000", s.Steps)
	}
	return s, nil
}

// config returns the Config of the search, with a copy of the store.
func (s RateSearch) config(c Config) (Config, error) {
	if c.Resume != nil {
		return c, errors.New("a search of rates does not resume a run; to begin with its weights, set Store to that of the checkpoint")
	}
	recipe, err := recipeOf(c.Optimizer)
	if err != nil {
		return c, err
	}
	base, err := recipe.Rule.Settings()
	if err != nil {
		return c, err
	}
	recipe.Schedule, recipe.Scaled = sweep{s, base.LR}, false
	c.Optimizer = recipe
	if c.Store != nil {
		if c.Store, err = c.Store.Snapshot(); err != nil {
			return c, err
		}
	}
	c.Epochs = s.Steps*max(1, recipe.Accumulate) + 1 // an epoch has at least one step
	c.UnfreezeAt = 0
	c.Validation, c.Metrics, c.ValidationMetrics, c.Callbacks = nil, nil, nil, nil
	c.Folder, c.Lock, c.Settings, c.Observe = "", nil, nil, vm.Observer{}
	c.OnStart, c.OnEpoch = nil, nil
	return c, nil
}

// recipeOf returns the recipe that o is, or that of the rule that it is.
func recipeOf(o optim.Optimizer) (optim.Recipe, error) {
	if isnil.Of(o) {
		return optim.Recipe{}, errors.New("the Config has no Optimizer")
	}
	switch o := o.(type) {
	case optim.Recipe:
		if isnil.Of(o.Rule) {
			return o, errors.New("the optim.Recipe has no Rule")
		}
		return o, nil
	case optim.Rule:
		return optim.Recipe{Rule: o}, nil
	}
	return optim.Recipe{}, fmt.Errorf("a search of rates needs a rule of package optim or an optim.Recipe as the Optimizer, not %T", o)
}

// sweep raises the learning rate from the first to the last rate of a search, by the same factor in
// each step. base is the rate that it multiplies.
type sweep struct {
	RateSearch
	base float64
}

// Factor implements [optim.Schedule].
func (w sweep) Factor(steps *graph.Node) *graph.Node {
	grow := math.Log(w.To/w.From) / float64(w.Steps-1)
	return ops.MulScalar(ops.Exp(ops.MulScalar(steps, grow)), w.From/w.base)
}

// halfway returns the rate from which on the average loss is less than half way from its median to its
// least value, up to that. Where it falls fastest depends on noise.
func (c *RateCurve) halfway() (rate float64) {
	if len(c.Smooth) == 0 {
		return 0
	}
	least := slices.Min(c.Smooth)
	at := slices.Index(c.Smooth, least)
	if at < 0 { // not a number
		return 0
	}
	fall := c.Smooth[:at+1]
	sorted := slices.Sorted(slices.Values(fall))
	half := (sorted[len(sorted)/2] + least) / 2
	for i := len(fall) - 1; i >= 0 && fall[i] < half; i-- {
		rate = c.Rates[i]
	}
	return rate
}
