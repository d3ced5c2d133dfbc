package optim_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// fixtures are what testdata/pytorch.py wrote.
type fixtures struct {
	X, Y, Weight, Bias []float64
	Traces             map[string]map[string]map[string][]float64 // name, dtype, step: weight and bias
	Schedules          map[string][]float64
}

func readFixtures(t *testing.T) (f fixtures) {
	t.Helper()
	b, err := os.ReadFile("testdata/pytorch.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &f))
	return f
}

var decayedGroups = []optim.Group{{Match: "*bias", LR: 0.5, NoDecay: true}}

// recipes has an entry for each trace of testdata/pytorch.py.
var recipes = map[string]optim.Optimizer{
	"sgd":                 optim.SGD{LR: 0.1},
	"sgd momentum":        optim.SGD{LR: 0.1, Momentum: 0.9},
	"sgd dampening":       optim.SGD{LR: 0.1, Momentum: 0.9, Dampening: 0.3},
	"sgd nesterov":        optim.SGD{LR: 0.1, Momentum: 0.9, Nesterov: true},
	"sgd decay":           optim.SGD{LR: 0.1, WeightDecay: 0.2},
	"sgd all":             optim.SGD{LR: 0.1, Momentum: 0.8, Nesterov: true, WeightDecay: 0.2},
	"sgd dampening decay": optim.SGD{LR: 0.1, Momentum: 0.9, Dampening: 0.3, WeightDecay: 0.2},
	"adam":                optim.Adam{},
	"adam lr":             optim.Adam{LR: 0.1},
	"adam options":        optim.Adam{LR: 0.05, Betas: [2]float64{0.8, 0.9}, Eps: 1e-3},
	"adam beta1 0":        optim.Adam{LR: 0.05, Betas: [2]float64{0, 0.9}},
	"adam decay":          optim.Adam{LR: 0.05, WeightDecay: 0.2},
	"adam amsgrad":        optim.Adam{LR: 0.2, Betas: [2]float64{0.9, 0.5}, AMSGrad: true},
	"adam all":            optim.Adam{LR: 0.1, Betas: [2]float64{0.8, 0.6}, Eps: 1e-3, WeightDecay: 0.2, AMSGrad: true},
	"adamw":               optim.AdamW{},
	"adamw options":       optim.AdamW{LR: 0.05, Betas: [2]float64{0.8, 0.9}, Eps: 1e-3, WeightDecay: 0.2},
	"adamw amsgrad":       optim.AdamW{LR: 0.2, Betas: [2]float64{0.9, 0.5}, WeightDecay: 0.2, AMSGrad: true},
	"rmsprop":             optim.RMSProp{},
	"rmsprop options":     optim.RMSProp{LR: 0.02, Alpha: 0.9, Eps: 1e-3},
	"rmsprop decay":       optim.RMSProp{WeightDecay: 0.2},
	"rmsprop momentum":    optim.RMSProp{Momentum: 0.9},
	"rmsprop centered":    optim.RMSProp{Alpha: 0.9, Centered: true},
	"rmsprop all":         optim.RMSProp{LR: 0.005, Alpha: 0.9, Eps: 1e-3, WeightDecay: 0.2, Momentum: 0.5, Centered: true},
	"clip norm":           optim.Recipe{Rule: optim.SGD{LR: 0.5, Momentum: 0.9}, ClipNorm: 0.1},
	"clip norm idle":      optim.Recipe{Rule: optim.SGD{LR: 0.5}, ClipNorm: 100},
	"clip value":          optim.Recipe{Rule: optim.Adam{LR: 0.05, Eps: 0.01}, ClipValue: 0.02},
	"groups":              optim.Recipe{Rule: optim.SGD{LR: 0.1, Momentum: 0.9, WeightDecay: 0.1}, Groups: decayedGroups},
	"clip both":           optim.Recipe{Rule: optim.SGD{LR: 0.5, Momentum: 0.9}, ClipValue: 0.03, ClipNorm: 0.05},
	"group decay":         optim.Recipe{Rule: optim.AdamW{LR: 0.05}, Groups: []optim.Group{{Match: "*bias", WeightDecay: 0.5}, {Match: "*", LR: 0.02}}},
	"accumulate":          optim.Recipe{Rule: optim.Adam{LR: 0.1, WeightDecay: 0.2}, Accumulate: 3, ClipNorm: 0.1},
	"schedule": optim.Recipe{
		Rule: optim.SGD{LR: 0.1, Momentum: 0.9, WeightDecay: 0.1}, Groups: decayedGroups,
		Schedule: optim.Step{Every: 2, Gamma: 0.5},
	},
	"adam schedule": optim.Recipe{Rule: optim.AdamW{LR: 0.1}, Schedule: optim.Cosine{Steps: 12, Floor: 0.1}},
	"one cycle":     optim.Recipe{Rule: optim.SGD{LR: 0.5, Momentum: 0.9, Nesterov: true}, Schedule: optim.OneCycle{Steps: 11}},
	"warmup":        optim.Recipe{Rule: optim.RMSProp{LR: 0.05, Momentum: 0.5}, Schedule: optim.Warmup{Steps: 5}},
	"average all": optim.Recipe{
		Rule: optim.AdamW{LR: 0.1, WeightDecay: 0.2}, ClipValue: 0.02, Average: 0.9, Schedule: optim.Step{Every: 3, Gamma: 0.5},
	},
	"average":      optim.Recipe{Rule: optim.SGD{LR: 0.5}, Average: 0.7},
	"muon":         optim.Muon{},
	"muon options": optim.Muon{LR: 0.05, Momentum: 0.8, WeightDecay: 0.2, Plain: true, Steps: 3, OtherLR: 0.05},
	"lion":         optim.Lion{},
	"lion options": optim.Lion{LR: 0.02, Betas: [2]float64{0.8, 0.9}, WeightDecay: 0.2},
	"lamb":         optim.LAMB{},
	"lamb options": optim.LAMB{LR: 0.05, Betas: [2]float64{0.8, 0.9}, Eps: 1e-3, WeightDecay: 0.2},
}

// AdamTrace of REGRESSIONS.md (https://github.com/gorgonia/gorgonia/issues/494): ten steps
// equal PyTorch's; and so for every other rule and option.
func TestAdamTrace(t *testing.T) { testTraces(t, "adam") }

func TestTracesEqualPyTorchs(t *testing.T) { testTraces(t, "") }

// testTraces compares the traces whose names begin with prefix.
func testTraces(t *testing.T, prefix string) {
	f := readFixtures(t)
	require.Len(t, recipes, len(f.Traces))
	for name, o := range recipes {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		for _, e := range []engine.Engine{ref.Engine{}, cpu.New()} {
			for _, d := range []shape.DType{shape.Float32, shape.Float64} {
				t.Run(fmt.Sprint(name, "/", e.Name(), "/", d), func(t *testing.T) {
					l := newLayer(t, e, d, f, o)
					for step := 1; step <= 10; step++ {
						l.step(t)
						want, shown := f.Traces[name][d.String()][strconv.Itoa(step)]
						if shown {
							require.InDeltaSlice(t, want, l.params(t), tolerance(d), "step %d", step)
						}
					}
				})
			}
		}
	}
}

func tolerance(d shape.DType) float64 {
	if d == shape.Float32 {
		return 1e-6
	}
	return 1e-10
}

// layer is the network of testdata/pytorch.py in training.
type layer struct {
	machine *vm.Machine
	store   *vm.Store
	suffix  string // of the leaves compared
	batches [][2]*tensor.Dense
}

func newLayer(t *testing.T, e engine.Engine, d shape.DType, f fixtures, o optim.Optimizer) *layer {
	t.Helper()
	g := graph.New()
	x, y := g.Input("x", shape.Make(d, shape.N, 3)), g.Input("y", shape.Make(d, shape.N, 4))
	pred := ops.Tanh(nn.Linear{Out: 4}.Apply(nn.Root(g), x))
	loss := ops.Mean(ops.Square(ops.Sub(pred, y)))
	o.Apply(g, autodiff.Grad(loss, g.Params()...))

	p, err := vm.Compile(e, []*graph.Node{loss}, vm.Train, vm.Checked)
	require.NoError(t, err)
	l := &layer{store: vm.NewStore(1)}
	require.NoError(t, l.store.Init(g.Leaves()...))
	require.NoError(t, l.store.Set("weight", dense(d, f.Weight, 4, 3)))
	require.NoError(t, l.store.Set("bias", dense(d, f.Bias, 4)))
	l.machine, err = p.NewMachine(l.store)
	require.NoError(t, err)

	sizes := []int{5}
	if r, ok := o.(optim.Recipe); ok {
		if r.Accumulate > 1 {
			sizes = []int{2, 2, 1}
		}
		if r.Average != 0 {
			l.suffix = ".ema"
		}
	}
	at := 0
	for _, n := range sizes {
		l.batches = append(l.batches, [2]*tensor.Dense{
			dense(d, f.X[3*at:3*(at+n)], n, 3), dense(d, f.Y[4*at:4*(at+n)], n, 4),
		})
		at += n
	}
	return l
}

func (l *layer) step(t *testing.T) {
	t.Helper()
	for _, b := range l.batches {
		_, err := l.machine.Run(t.Context(), b[0], b[1])
		require.NoError(t, err)
	}
}

// params are the weight, then the bias; or their averages.
func (l *layer) params(t *testing.T) []float64 {
	t.Helper()
	return append(values(t, l.store, "weight"+l.suffix), values(t, l.store, "bias"+l.suffix)...)
}

func dense(d shape.DType, v []float64, dims ...int) *tensor.Dense {
	if d == shape.Float64 {
		return tensor.New(tensor.WithShape(dims...), tensor.WithBacking(slices.Clone(v)))
	}
	v32 := make([]float32, len(v))
	for i := range v {
		v32[i] = float32(v[i])
	}
	return tensor.New(tensor.WithShape(dims...), tensor.WithBacking(v32))
}

func values(t *testing.T, s *vm.Store, name string) []float64 {
	t.Helper()
	v, err := s.Value(name)
	require.NoError(t, err)
	return floats(t, v)
}

func floats(t *testing.T, d *tensor.Dense) (out []float64) {
	t.Helper()
	switch v := d.Data().(type) {
	case []float64:
		return slices.Clone(v)
	case []float32:
		for _, x := range v {
			out = append(out, float64(x))
		}
		return out
	case []int64:
		for _, x := range v {
			out = append(out, float64(x))
		}
		return out
	}
	x, err := vm.Number(d)
	require.NoError(t, err)
	return []float64{x}
}

// schedules has an entry for each one of testdata/pytorch.py, for an LR of 0.5.
var schedules = map[string]optim.Schedule{
	"step":              optim.Step{Every: 7, Gamma: 0.3},
	"step default":      optim.Step{Every: 10},
	"cosine":            optim.Cosine{Steps: 30},
	"cosine floor":      optim.Cosine{Steps: 29, Floor: 0.1},
	"one cycle":         optim.OneCycle{Steps: 31},
	"one cycle options": optim.OneCycle{Steps: 31, Rise: 0.5, Div: 10, FinalDiv: 20},
	"warmup":            optim.Warmup{Steps: 6, Then: optim.Cosine{Steps: 24}},
}

func TestSchedulesEqualPyTorchs(t *testing.T) {
	f := readFixtures(t)
	require.Len(t, schedules, len(f.Schedules))
	for name, s := range schedules {
		require.InDeltaSlice(t, f.Schedules[name], rates(t, s, len(f.Schedules[name])), 1e-12, name)
	}
}

func TestSchedulesStayAtTheirEnd(t *testing.T) {
	for _, tt := range []struct {
		schedule optim.Schedule
		end      float64
	}{
		{nil, 0.5},
		{optim.Constant{}, 0.5},
		{optim.Cosine{Steps: 5, Floor: 0.1}, 0.05},
		{optim.OneCycle{Steps: 6}, 0.5 / 25 / 1e4},
		{optim.OneCycle{Steps: 2}, 0.5 / 25 / 1e4}, // no time to rise
		{optim.Warmup{Steps: 3}, 0.5},
	} {
		got := rates(t, tt.schedule, 9)
		require.InDeltaSlice(t, []float64{tt.end, tt.end, tt.end}, got[6:], 1e-15, "%#v", tt.schedule)
		require.False(t, slices.ContainsFunc(got, math.IsNaN))
	}
}

// The whole rate is reached in the last step of the warm-up, and is the first of what follows.
func TestWarmupIsFollowedFromItsStepsOn(t *testing.T) {
	got := rates(t, optim.Warmup{Steps: 4, Then: optim.Step{Every: 1, Gamma: 0.5}}, 7)
	require.Equal(t, []float64{0.125, 0.25, 0.375, 0.5, 0.5, 0.25, 0.125}, got)
	got = rates(t, optim.Warmup{Steps: 2, Then: optim.OneCycle{Steps: 10, Div: 4}}, 3)
	require.Equal(t, []float64{0.25, 0.5, 0.125}, got, "what follows begins at a quarter")
}

// 1/49 is rounded down, and 49 times it is below 1.
func TestStepCountsWholePeriods(t *testing.T) {
	const every = 49
	got := rates(t, optim.Step{Every: every, Gamma: 0.5}, 2*every+1)
	require.Equal(t, []float64{0.5, 0.25, 0.25, 0.125}, []float64{got[every-1], got[every], got[2*every-1], got[2*every]})
}

// PyTorch's OneCycleLR with total_steps=3: the peak would lie before the first step.
func TestOneCycleWithoutTimeToRise(t *testing.T) {
	require.InDeltaSlice(t, []float64{0.49720771772545586, 0.23131855133348753, 2e-06}, rates(t, optim.OneCycle{Steps: 3}, 3), 1e-12)
}

// rates are the learning rates of the first n steps for an LR of 0.5, as Apply returns them.
func rates(t *testing.T, s optim.Schedule, n int) []float64 {
	t.Helper()
	g := graph.New()
	w := g.Param("w", shape.F32(2), nil)
	lr := optim.Recipe{Rule: optim.SGD{LR: 0.5}, Schedule: s}.Apply(g, autodiff.Grad(ops.Sum(w), w))
	return run(t, g, n, lr)
}

// run trains the graph of out, which has no inputs, and returns the values of out in n runs.
func run(t *testing.T, g *graph.Graph, n int, out *graph.Node) (got []float64) {
	t.Helper()
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{out}, vm.Train, vm.Checked)
	require.NoError(t, err)
	store := vm.NewStore(1)
	require.NoError(t, store.Init(g.Leaves()...))
	m, err := p.NewMachine(store)
	require.NoError(t, err)
	for range n {
		outs, err := m.Run(t.Context())
		require.NoError(t, err)
		got = append(got, floats(t, outs[0])...)
	}
	return got
}
