package optim_test

import (
	"errors"
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// UnreachableParam of REGRESSIONS.md (https://github.com/gorgonia/gorgonia/issues/402).
func TestUnreachableParam(t *testing.T) {
	g := graph.New()
	used := g.Param("used", shape.F32(2), nil)
	g.Param("lost", shape.F32(3), nil)
	g.Param("lost.too", shape.F32(3), nil)
	optim.SGD{LR: 1}.Apply(g, autodiff.Grad(ops.Sum(used), g.Params()...))

	var list graph.ErrorList
	require.ErrorAs(t, g.Err(), &list)
	require.Len(t, list, 1)
	require.ErrorContains(t, list[0], "SGD: the loss does not reach lost, built at optim_test.go:")
	require.ErrorContains(t, list[0], ", and 1 more parameter: lost.too;")
	require.Empty(t, g.Updates())
}

func TestOneMistakeOneError(t *testing.T) {
	recipe := func(r optim.Recipe) optim.Recipe {
		r.Rule = optim.SGD{LR: 1}
		return r
	}
	for _, tt := range []struct {
		o    optim.Optimizer
		want string
	}{
		{optim.SGD{}, "SGD: LR is 0; it must be positive"},
		{optim.SGD{LR: -1}, "LR is -1"},
		{optim.SGD{LR: math.NaN()}, "LR is NaN"},
		{optim.SGD{LR: math.Inf(1)}, "LR is +Inf"},
		{optim.SGD{LR: 1, Momentum: -1}, "Momentum is -1; it must not be negative"},
		{optim.SGD{LR: 1, Dampening: math.NaN()}, "Dampening is NaN"},
		{optim.SGD{LR: 1, WeightDecay: -1}, "WeightDecay is -1"},
		{optim.SGD{LR: 1, Nesterov: true}, "Nesterov needs a Momentum and no Dampening"},
		{optim.SGD{LR: 1, Nesterov: true, Momentum: 1, Dampening: 1}, "Nesterov needs"},
		{optim.Adam{LR: -1}, "Adam: LR is -1"},
		{optim.Adam{Betas: [2]float64{1, 0.9}}, "Betas[0] is 1; it must be at least 0 and less than 1"},
		{optim.Adam{Betas: [2]float64{0.9, -1}}, "Betas[1] is -1"},
		{optim.Adam{Eps: -1}, "Eps is -1"},
		{optim.Adam{WeightDecay: -1}, "WeightDecay is -1"},
		{optim.AdamW{WeightDecay: -1}, "AdamW: WeightDecay is -1"},
		{optim.RMSProp{LR: -1}, "RMSProp: LR is -1"},
		{optim.RMSProp{Alpha: 1}, "Alpha is 1"},
		{optim.RMSProp{Eps: -1}, "Eps is -1"},
		{optim.RMSProp{Momentum: -1}, "Momentum is -1"},
		{optim.RMSProp{WeightDecay: -1}, "WeightDecay is -1"},
		{optim.Recipe{}, "Recipe: there is no Rule"},
		{recipe(optim.Recipe{ClipNorm: -1}), "ClipNorm is -1"},
		{recipe(optim.Recipe{ClipValue: -1}), "ClipValue is -1"},
		{recipe(optim.Recipe{Accumulate: -1}), "Accumulate is -1; it must be at least 0"},
		{recipe(optim.Recipe{Average: 1}), "Average is 1"},
		{recipe(optim.Recipe{Groups: []optim.Group{{Match: "["}}}), `group 0: invalid pattern "[": syntax error in pattern`},
		{recipe(optim.Recipe{Groups: []optim.Group{{Match: "b"}}}), `group 0: "b" matches no parameter`},
		{recipe(optim.Recipe{Groups: []optim.Group{{Match: "*"}, {Match: "w"}}}), `group 1: "w" matches no parameter, or only those`},
		{recipe(optim.Recipe{Groups: []optim.Group{{Match: "w", LR: -1}}}), "group 0: LR is -1"},
		{recipe(optim.Recipe{Groups: []optim.Group{{Match: "w", WeightDecay: -1}}}), "group 0: WeightDecay is -1"},
		{recipe(optim.Recipe{Groups: []optim.Group{{Match: "w", WeightDecay: 1, NoDecay: true}}}), "exclude each other"},
		{recipe(optim.Recipe{Schedule: optim.Step{}}), "Step: Every is 0; it must be at least 1"},
		{recipe(optim.Recipe{Schedule: optim.Step{Every: 1, Gamma: -1}}), "Gamma is -1"},
		{recipe(optim.Recipe{Schedule: optim.Cosine{}}), "Cosine: Steps is 0"},
		{recipe(optim.Recipe{Schedule: optim.Cosine{Steps: 1, Floor: -1}}), "Floor is -1"},
		{recipe(optim.Recipe{Schedule: optim.OneCycle{Steps: 1}}), "OneCycle: Steps is 1; it must be at least 2"},
		{recipe(optim.Recipe{Schedule: optim.OneCycle{Steps: 2, Rise: 1}}), "Rise is 1"},
		{recipe(optim.Recipe{Schedule: optim.OneCycle{Steps: 2, Div: -1}}), "Div is -1"},
		{recipe(optim.Recipe{Schedule: optim.OneCycle{Steps: 2, FinalDiv: -1}}), "FinalDiv is -1"},
		{recipe(optim.Recipe{Schedule: optim.Warmup{}}), "Warmup: Steps is 0"},
		{recipe(optim.Recipe{Schedule: optim.Warmup{Steps: 1, Then: optim.Cosine{}}}), "Cosine: Steps is 0"},
		{recipe(optim.Recipe{Schedule: optim.Warmup{Steps: 1, Then: (*optim.Cosine)(nil)}}), "Warmup: Then is a nil pointer"},
		{recipe(optim.Recipe{Schedule: (*optim.Cosine)(nil)}), "SGD: the Schedule is a nil pointer"},
		{optim.Recipe{Rule: (*optim.Adam)(nil)}, "Adam: there is no Rule"},
	} {
		g := graph.New()
		w := g.Param("w", shape.F32(2), nil)
		lr := tt.o.Apply(g, autodiff.Grad(ops.Sum(w), w))
		var list graph.ErrorList
		require.ErrorAs(t, g.Err(), &list, tt.want)
		require.Len(t, list, 1, tt.want)
		require.ErrorContains(t, list[0], tt.want)
		require.Equal(t, "optim_test.go", filepath.Base(list[0].Pos.File), tt.want)
		require.False(t, lr.Valid(), tt.want)
	}
}

func TestGradientsThatAreNotThoseOfTheParameters(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		apply      func(g *graph.Graph, w, dw *graph.Node)
	}{
		{"too few", "0 gradients for 1 parameters", func(g *graph.Graph, _, _ *graph.Node) { optim.Adam{}.Apply(g, nil) }},
		{"nil", "the gradient of w is nil", func(g *graph.Graph, _, _ *graph.Node) { optim.Adam{}.Apply(g, []*graph.Node{nil}) }},
		{"type", "the gradient of w is float32(), the parameter float32(2)", func(g *graph.Graph, _, dw *graph.Node) {
			optim.Adam{}.Apply(g, []*graph.Node{ops.Sum(dw)})
		}},
		{"other graph", "the gradient of w belongs to another graph", func(g *graph.Graph, _, _ *graph.Node) {
			optim.Adam{}.Apply(g, []*graph.Node{graph.New().Param("w", shape.F32(2), nil)})
		}},
		{"twice", "a second optimiser needs a Name of its own", func(g *graph.Graph, _, dw *graph.Node) {
			optim.Adam{}.Apply(g, []*graph.Node{dw})
			optim.SGD{LR: 1}.Apply(g, []*graph.Node{dw})
		}},
	} {
		g := graph.New()
		w := g.Param("w", shape.F32(2), nil)
		tt.apply(g, w, autodiff.Grad(ops.Sum(w), w)[0])
		var list graph.ErrorList
		require.ErrorAs(t, g.Err(), &list, tt.name)
		require.Len(t, list, 1, tt.name)
		require.ErrorContains(t, list[0], tt.want, tt.name)
	}

	g := graph.New()
	optim.Adam{}.Apply(g, nil)
	require.ErrorContains(t, g.Err(), "no parameter to train")
}

func TestAnInvalidGradientIsSilent(t *testing.T) {
	g := graph.New()
	w := g.Param("w", shape.F32(2), nil)
	bad := ops.Add(w, g.Param("v", shape.F32(3), nil))
	optim.Adam{}.Apply(g, autodiff.Grad(ops.Sum(bad), g.Params()...))
	var list graph.ErrorList
	require.ErrorAs(t, g.Err(), &list)
	require.Len(t, list, 1)
	require.Equal(t, "Add", list[0].Op)
}

func TestStateIsNamedAfterTheParameter(t *testing.T) {
	g := graph.New()
	w := g.Param("conv1.weight", shape.F64(2), nil)
	optim.Recipe{Rule: optim.Adam{AMSGrad: true}, Average: 0.9, Accumulate: 2}.Apply(g, autodiff.Grad(ops.Sum(w), w))
	require.NoError(t, g.Err())
	have := map[string]shape.Type{}
	for _, l := range g.Leaves() {
		have[l.Name()] = l.Type()
	}
	require.Equal(t, map[string]shape.Type{
		"conv1.weight":                w.Type(),
		"conv1.weight.exp_avg":        w.Type(),
		"conv1.weight.exp_avg_sq":     w.Type(),
		"conv1.weight.max_exp_avg_sq": w.Type(),
		"conv1.weight.ema":            w.Type(),
		"conv1.weight.grad_sum":       w.Type(),
		"accumulated.runs":            shape.I64(),
		"accumulated.size":            shape.F64(),
		"step":                        shape.I64(),
	}, have)
	require.Len(t, g.Updates(), len(have), "each leaf has its update")
}

func TestFrozenParametersStay(t *testing.T) {
	g := graph.New()
	s := nn.Root(g)
	w := s.Param("w", shape.F64(), nn.Constant(3))
	frozen := s.Frozen().Param("frozen", shape.F64(), nn.Constant(5))
	optim.SGD{LR: 0.5, WeightDecay: 0.1}.Apply(g, autodiff.Grad(ops.Mul(w, frozen), g.Params()...))
	require.Len(t, g.Updates(), 2) // w and step
	require.Equal(t, []float64{5, 5, 5}, run(t, g, 3, frozen))
}

func TestAccumulationChangesParametersInEveryKthRun(t *testing.T) {
	g := graph.New()
	w := g.Param("w", shape.F64(), nn.Constant(8))
	optim.Recipe{Rule: optim.SGD{LR: 0.25, Momentum: 0.5}, Accumulate: 3}.Apply(g, autodiff.Grad(ops.Square(w), w))
	// Steps from 8 and 4 by gradient descent: v = 16, then 0.5*16+8.
	require.Equal(t, []float64{8, 8, 8, 4, 4, 4, 0, 0, 0}, run(t, g, 9, w))
	require.Equal(t, []float64{0, 0, 0, 1, 1, 1, 2}, run(t, g, 7, g.Leaf("step")))
}

// Gradients that are computed elsewhere do not tell the size of their batch; another input does.
func TestAccumulationWeighsGradientsThatAreFed(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F64(shape.N))
	w, dw := g.Param("w", shape.F64(), nil), g.Input("dw", shape.F64())
	optim.Recipe{Rule: optim.SGD{LR: 1}, Accumulate: 2}.Apply(g, []*graph.Node{dw})
	p := newPlayer(t, compiled(t, ops.Sum(x), vm.Train), vm.NewStore(1))
	for _, batch := range []struct {
		size int
		dw   float64
	}{{3, 4}, {1, 8}} {
		_, err := p.machine.Run(t.Context(), dense(shape.Float64, make([]float64, batch.size), batch.size), dense(shape.Float64, []float64{batch.dw}))
		require.NoError(t, err)
	}
	require.Equal(t, []float64{-(3*4. + 8) / 4}, values(t, p.store, w.Name()))
}

func TestAveragedReadsTheMovingAverages(t *testing.T) {
	g := graph.New()
	s := nn.Root(g)
	w := s.Param("w", shape.F64(), nn.Constant(8))
	c := s.Frozen().Param("c", shape.F64(), nn.Constant(1))
	y := ops.Add(w, c)
	optim.Recipe{Rule: optim.SGD{LR: 1}, Average: 0.75}.Apply(g, autodiff.Grad(y, w))

	p, err := vm.Compile(ref.Engine{}, []*graph.Node{y}, vm.Train)
	require.NoError(t, err)
	averaged, err := vm.Compile(ref.Engine{}, optim.Averaged(graph.Inference(y)...))
	require.NoError(t, err)
	store := vm.NewStore(1)
	require.NoError(t, store.Init(g.Leaves()...))
	for _, want := range []float64{
		7, // the first average is the parameter
		0.75*7 + 0.25*6,
		0.75*(0.75*7+0.25*6) + 0.25*5,
	} {
		m, err := p.NewMachine(store)
		require.NoError(t, err)
		_, err = m.Run(t.Context())
		require.NoError(t, err)
		a, err := averaged.NewMachine(store)
		require.NoError(t, err)
		outs, err := a.Run(t.Context())
		require.NoError(t, err)
		require.Equal(t, []float64{want + 1}, floats(t, outs[0]))
	}
}

// In a graph of its own, made for prediction, all but frozen parameters are taken to have one.
func TestAveragedLeavesFrozenParameters(t *testing.T) {
	g := graph.New()
	s := nn.Root(g)
	y := ops.Add(s.Param("w", shape.F64(), nil), s.Frozen().Param("c", shape.F64(), nil))
	var names []string
	for _, leaf := range optim.Averaged(y)[0].Graph().Leaves() {
		names = append(names, leaf.Name())
	}
	require.Equal(t, []string{"w.ema", "c"}, names)
}

// halve is a rule of a user's own: it goes half the way to 0.
type halve struct{}

func (halve) Settings() (optim.Settings, error) { return optim.Settings{LR: 1}, nil }
func (halve) Next(s optim.Slot) *graph.Node     { return ops.MulScalar(s.Param, 0.5) }

// refuse is a rule that does not like itself.
type refuse struct{ halve }

func (refuse) Settings() (optim.Settings, error) { return optim.Settings{}, errors.New("no") }

func TestARecipeTakesAUsersRule(t *testing.T) {
	g := graph.New()
	w := g.Param("w", shape.F64(), nn.Constant(8))
	optim.Recipe{Rule: halve{}, Accumulate: 2}.Apply(g, autodiff.Grad(ops.Square(w), w))
	require.Equal(t, []float64{8, 8, 4, 4, 2}, run(t, g, 5, w))

	g = graph.New()
	w = g.Param("w", shape.F64(), nil)
	optim.Recipe{Rule: refuse{}}.Apply(g, autodiff.Grad(ops.Square(w), w))
	require.ErrorContains(t, g.Err(), "refuse: no")
}

// The running variance of a gradient that stays as it is goes to 0, and must not be rounded to
// below it.
func TestCenteredRMSPropOfASteadyGradientIsFinite(t *testing.T) {
	for _, alpha := range []float64{0.5, 0.8, 0.9} {
		for _, slope := range []float64{0.1, 0.3, 0.7} {
			g := graph.New()
			w := g.Param("w", shape.F32(), nil)
			optim.RMSProp{Alpha: alpha, Centered: true}.Apply(g, autodiff.Grad(ops.MulScalar(w, slope), w))
			for step, v := range run(t, g, 400, w) {
				require.False(t, math.IsNaN(v), "alpha %v, slope %v, step %d", alpha, slope, step)
			}
		}
	}
}

func TestGradientsOfBothPrecisionsAreClippedTogether(t *testing.T) {
	g := graph.New()
	a, b := g.Param("a", shape.F32(), nn.Constant(0)), g.Param("b", shape.F64(), nn.Constant(0))
	da, db := ops.FullLike(a, 3), ops.FullLike(b, 4)
	optim.Recipe{Rule: optim.SGD{LR: 1}, ClipNorm: 1}.Apply(g, []*graph.Node{da, db})
	require.InDeltaSlice(t, []float64{0, -0.6}, run(t, g, 2, a), 1e-6)
	require.InDeltaSlice(t, []float64{0, -0.8}, run(t, g, 2, b), 1e-6)
}
