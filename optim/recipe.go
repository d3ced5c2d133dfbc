package optim

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/isnil"
	"github.com/plexaura/plexaura/internal/patterns"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// A Recipe is an update rule with options that work with any rule. Gradients are first accumulated,
// then clipped by value, then by norm.
type Recipe struct {
	Rule     Rule
	Schedule Schedule // of the learning rate; default [Constant]
	Groups   []Group  // parameters with settings of their own; the first group that matches applies

	// Name distinguishes this optimiser from others of the same graph or store, as in "generator".
	// It is part of the names of its leaves: "generator.step" is the number of its steps,
	// "conv1.weight.generator.momentum" the momentum of conv1.weight. One optimiser may have no
	// Name.
	Name string

	// Match lists patterns, as in [path.Match], of the parameters to train, such as "generator.*".
	// Default: all. See [Recipe.Params].
	Match []string

	// Shares allows optimisers with other names to train the same parameters in programs of their
	// own. Otherwise that is an error, because the state of an optimiser does not reflect the steps
	// of others.
	Shares bool

	ClipValue float64 // if not 0, each element of a gradient is clamped to ±ClipValue
	ClipNorm  float64 // if not 0, the largest L2 norm of all gradients as one vector

	// Accumulate is the number of runs per step; default 1. A step uses the mean gradient of all
	// examples since the last step.
	Accumulate int

	// Scaled gives the learning rate a further factor, the State [RateScale], which is 1 until a
	// program sets it between steps, as train/callbacks does by what it measures. It starts afresh
	// where the schedule does.
	Scaled bool

	// Average, if not 0, is the decay of an exponential moving average of the parameters, such as
	// 0.999. The averages are kept in the leaves "<parameter>.ema"; [Averaged] uses them.
	Average float64
}

// A Group gives parameters settings of their own.
type Group struct {
	Match       string  // pattern of names, as in [path.Match]: "*.bias", "features.*"
	LR          float64 // default: the rule's
	WeightDecay float64 // default: the rule's
	NoDecay     bool    // no weight decay
}

func (r Group) check() error {
	_, err := path.Match(r.Match, "")
	if err != nil {
		err = fmt.Errorf("invalid pattern %q: %w", r.Match, err)
	}
	if r.NoDecay && r.WeightDecay != 0 {
		err = errors.Join(err, errors.New("NoDecay and WeightDecay exclude each other"))
	}
	return errors.Join(err, notNegative("LR", r.LR), notNegative("WeightDecay", r.WeightDecay))
}

// settings returns base, overridden by the group's own settings.
func (r Group) settings(base Settings) Settings {
	base.LR = or(r.LR, base.LR)
	base.WeightDecay = or(r.WeightDecay, base.WeightDecay)
	if r.NoDecay {
		base.WeightDecay = 0
	}
	return base
}

// Params returns the parameters of g to train, in creation order: those of [graph.Graph.Params]
// whose name matches Match.
func (r Recipe) Params(g *graph.Graph) []*graph.Node {
	params := g.Params()
	if len(r.Match) == 0 {
		return params
	}
	return slices.DeleteFunc(params, func(p *graph.Node) bool {
		return !patterns.Any(r.Match, p.Name())
	})
}

// Apply implements [Optimizer]. It returns the learning rate of parameters that are in no group.
func (r Recipe) Apply(g *graph.Graph, grads []*graph.Node) (lr *graph.Node) {
	g.Within(graph.Join("optim", r.Name), func() {
		g.Owned(r.owner(), func() { lr = r.apply(g, grads) })
	})
	return lr
}

func (r Recipe) apply(g *graph.Graph, grads []*graph.Node) *graph.Node {
	params := r.Params(g)
	settings, err := r.settings(g, params)
	if err = errors.Join(err, r.check(g, params, grads)); err != nil {
		return g.Reject(r.name(), err)
	}
	if i := slices.IndexFunc(grads, func(d *graph.Node) bool { return !d.Valid() }); i >= 0 {
		return grads[i]
	}
	if bad := unreached(g, r.name(), params, grads); bad != nil {
		return bad
	}

	var due *graph.Node // nil: every run makes a step
	if r.Accumulate > 1 {
		grads, due = r.accumulate(g, params, grads)
	}
	if r.ClipValue != 0 {
		grads = clipValue(grads, r.ClipValue)
	}
	if r.ClipNorm != 0 {
		grads = clipNorm(grads, r.ClipNorm)
	}

	count := g.State(graph.Join(r.Name, stepName), shape.I64(), nil)
	steps := ops.Cast(count, shape.Float64)
	factor := r.factor(steps)
	if r.Scaled {
		factor = ops.Mul(factor, g.State(graph.Join(r.Name, RateScale), shape.F64(), graph.Fill(1)))
	}
	since := r.stepsSince(g, count, params)
	for i, p := range params {
		s := Slot{
			Param: p, Grad: grads[i], Steps: since(p, steps), optimizer: r.Name, due: due,
			LR: ops.MulScalar(factor, settings[i].LR), Decay: settings[i].WeightDecay,
		}
		g.Within(p.Name(), func() { r.step(s) })
	}
	update(due, count, ops.AddScalar(count, 1))
	base, _ := r.Rule.Settings()
	return ops.MulScalar(factor, base.LR)
}

// step adds the updates of one parameter.
func (r Recipe) step(s Slot) {
	next := r.Rule.Next(s)
	s.Update(s.Param, next)
	if r.Average != 0 {
		follow(s, r.Average, next)
	}
}

func (r Recipe) factor(steps *graph.Node) *graph.Node {
	if r.Schedule == nil {
		return Constant{}.Factor(steps)
	}
	return r.Schedule.Factor(steps)
}

// name returns the name of the rule for errors, such as "SGD".
func (r Recipe) name() string {
	if r.Rule == nil {
		return "Recipe"
	}
	name := fmt.Sprintf("%T", r.Rule)
	return name[strings.LastIndexByte(name, '.')+1:]
}

// settings returns the settings of each parameter.
func (r Recipe) settings(g *graph.Graph, params []*graph.Node) ([]Settings, error) {
	switch {
	case isnil.Of(r.Rule):
		return nil, errors.New("there is no Rule")
	case r.Schedule != nil && isnil.Of(r.Schedule):
		return nil, errors.New("the Schedule is a nil pointer")
	}
	base, err := r.Rule.Settings()
	used := make([]bool, len(r.Groups))
	settings := make([]Settings, len(params))
	for i, p := range params {
		settings[i] = base
		if k := r.group(p); k >= 0 {
			settings[i] = r.Groups[k].settings(base)
			used[k] = true
		}
	}
	for k, group := range r.Groups {
		if e := group.check(); e != nil {
			err = errors.Join(err, fmt.Errorf("group %d: %w", k, e))
		} else if !used[k] && !matchesFrozen(g, group.Match) {
			err = errors.Join(err, fmt.Errorf("group %d: %q matches no parameter, or only those of groups before it", k, group.Match))
		}
	}
	return settings, err
}

// group returns the index of the first group that p is in, or -1.
func (r Recipe) group(p *graph.Node) int {
	return slices.IndexFunc(r.Groups, func(group Group) bool { return patterns.Match(group.Match, p.Name()) })
}

func (r Recipe) check(g *graph.Graph, params, grads []*graph.Node) error {
	err := errors.Join(
		notNegative("ClipValue", r.ClipValue),
		notNegative("ClipNorm", r.ClipNorm),
		fraction("Average", r.Average),
		atLeast("Accumulate", r.Accumulate, 0),
		r.checkMatch(g),
	)
	switch {
	case g.Leaf(graph.Join(r.Name, stepName)) != nil:
		return errors.Join(err, fmt.Errorf("the graph has a leaf %q already; a second optimiser needs a Name of its own", graph.Join(r.Name, stepName)))
	case len(params) == 0 && err != nil:
		return err
	case len(params) == 0:
		return errors.New("the graph has no parameter to train")
	case len(grads) != len(params):
		return errors.Join(err, fmt.Errorf("%d gradients for %d parameters; pass the gradients of %s, in order", len(grads), len(params), r.source()))
	}
	return errors.Join(err, checkGrads(g, params, grads), r.checkOwners(g, params))
}

// source returns, for errors, the call that lists the parameters.
func (r Recipe) source() string {
	if len(r.Match) > 0 {
		return "Recipe.Params(g)"
	}
	return "g.Params()"
}

// checkMatch rejects patterns that are malformed or match nothing.
func (r Recipe) checkMatch(g *graph.Graph) (err error) {
	for _, pattern := range r.Match {
		if _, e := path.Match(pattern, ""); e != nil {
			err = errors.Join(err, fmt.Errorf("invalid pattern %q: %w", pattern, e))
		} else if !slices.ContainsFunc(g.Params(), func(p *graph.Node) bool { return patterns.Match(pattern, p.Name()) }) && !matchesFrozen(g, pattern) {
			err = errors.Join(err, fmt.Errorf("%q matches no parameter", pattern))
		}
	}
	return err
}

// checkGrads rejects gradients that do not fit params. It combines errors of the same kind.
func checkGrads(g *graph.Graph, params, grads []*graph.Node) error {
	wrong := map[string][]string{} // from the message to the parameters it is about, or further details
	add := func(told, of string) { wrong[told] = append(wrong[told], of) }
	for i, p := range params {
		switch d := grads[i]; {
		case d == nil:
			add("the gradient of %s is nil", p.String())
		case d.Graph() != g:
			add("the gradient of %s belongs to another graph", p.String())
		case d.Valid() && p.Type().HasGradient() && !p.Type().IsFloat():
			add("there is no arithmetic in the element type of %s; train in float32, and Cast where the type is wanted", fmt.Sprintf("%v, %v", p, p.Type()))
		case d.Valid() && d.Type() != p.Type():
			add("%s", fmt.Sprintf("the gradient of %v is %v, the parameter %v", p, d.Type(), p.Type()))
		}
	}
	var err error
	for _, told := range slices.Sorted(maps.Keys(wrong)) {
		err = errors.Join(err, fmt.Errorf(told, plain.List(wrong[told], most)))
	}
	return err
}

// most is how many parameters an error names.
const most = 5

// checkOwners rejects parameters that another optimiser trains.
func (r Recipe) checkOwners(g *graph.Graph, params []*graph.Node) error {
	ours := map[*graph.Node]bool{}
	for _, p := range params {
		ours[p] = true
	}
	var taken []string
	for _, u := range g.Updates() {
		if u.Owner != nil && ours[u.Leaf] && !u.Owner.SharesWith(r.owner()) {
			taken = append(taken, fmt.Sprintf("%v (by the %v)", u.Leaf, u.Owner))
		}
	}
	if len(taken) == 0 {
		return nil
	}
	return fmt.Errorf("already trained by another optimiser: %s; select by Match which parameters each trains, or set Shares if both may train them", plain.List(taken, most))
}

func (r Recipe) owner() graph.Owner { return graph.Owner{Name: r.Name, Shares: r.Shares} }

// unreached reports the parameters that are not connected with the loss, all in one error, since
// they mostly have one cause. It returns an invalid node if there are any.
func unreached(g *graph.Graph, name string, params, grads []*graph.Node) (bad *graph.Node) {
	var out []*graph.Node
	for i, p := range params {
		if !autodiff.Connected(grads[i]) {
			out = append(out, p)
		}
	}
	if len(out) == 0 {
		return nil
	}
	first := out[0]
	return g.Reject(name, fmt.Errorf("the loss does not reach %v, built at %v%s; freeze parameters that are not trained, or leave them out",
		first, first.Pos(), others(out[1:])), first)
}

// others returns the number of further parameters and some of their names.
func others(params []*graph.Node) string {
	if len(params) == 0 {
		return ""
	}
	names := make([]string, len(params))
	for i, p := range params {
		names[i] = p.Name()
	}
	what := "parameters"
	if len(params) == 1 {
		what = "parameter"
	}
	return fmt.Sprintf(", and %d more %s: %s", len(params), what, plain.List(names, most))
}
