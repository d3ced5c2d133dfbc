package optim_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// A generator a*z+b and a critic w*x+c, both of float64: a network small enough to be trained by
// hand.
var (
	ganNoise = []float64{0.3, -1.2, 0.8}
	ganReal  = []float64{2.1, 1.7, 2.6}
)

// The two optimisers differ in all that a counter has a part in.
var (
	criticRecipe = optim.Recipe{
		Name: "critic", Match: []string{"critic.*"},
		Rule: optim.Adam{LR: 0.05, Betas: [2]float64{0.5, 0.9}}, Schedule: optim.Step{Every: 3, Gamma: 0.5},
	}
	generatorRecipe = optim.Recipe{
		Name: "generator", Match: []string{"generator.*"},
		Rule: optim.Adam{LR: 0.1, Betas: [2]float64{0.7, 0.8}}, Accumulate: 2,
	}
)

// linearGAN builds both networks in g, the frozen ones as told, and returns the losses.
func linearGAN(g *graph.Graph, frozenGenerator, frozenCritic bool) (critic, generator *graph.Node) {
	param := func(frozen bool, name string, v float64) *graph.Node {
		s := nn.Root(g)
		if frozen {
			s = s.Frozen()
		}
		return s.Param(name, shape.F64(), graph.Fill(v))
	}
	real, z := g.Input("real", shape.F64(shape.N)), g.Input("z", shape.F64(shape.N))
	a, b := param(frozenGenerator, "generator.a", 0.5), param(frozenGenerator, "generator.b", -0.2)
	w, c := param(frozenCritic, "critic.w", 0.4), param(frozenCritic, "critic.c", 0.1)
	fake := ops.Add(ops.Mul(a, z), b)
	score := func(x *graph.Node) *graph.Node { return ops.Add(ops.Mul(w, x), c) }
	critic = ops.Add(ops.Mean(ops.Softplus(ops.Neg(score(real)))), ops.Mean(ops.Softplus(score(fake))))
	return critic, ops.Mean(ops.Softplus(ops.Neg(score(fake))))
}

// byHand is the same training in plain Go, after Kingma and Ba's algorithm 1.
type byHand struct{ a, b, w, c adamNumber }

// adamNumber is a parameter with its moments.
type adamNumber struct {
	p, m, v, sum float64
	t            int
}

func (n *adamNumber) step(d, lr, beta1, beta2 float64) {
	n.t++
	n.m, n.v = beta1*n.m+(1-beta1)*d, beta2*n.v+(1-beta2)*d*d
	m, v := n.m/(1-math.Pow(beta1, float64(n.t))), n.v/(1-math.Pow(beta2, float64(n.t)))
	n.p -= lr * m / (math.Sqrt(v) + 1e-8)
}

func (h *byHand) gradients() (da, db, dw, dc float64) {
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	n := float64(len(ganNoise))
	for i, z := range ganNoise {
		fake := h.a.p*z + h.b.p
		onReal := (sigmoid(h.w.p*ganReal[i]+h.c.p) - 1) / n
		onFake := sigmoid(h.w.p*fake+h.c.p) / n
		dw, dc = dw+onReal*ganReal[i]+onFake*fake, dc+onReal+onFake
		up := (sigmoid(h.w.p*fake+h.c.p) - 1) / n * h.w.p
		da, db = da+up*z, db+up
	}
	return da, db, dw, dc
}

func (h *byHand) critic(dw, dc float64) {
	lr := 0.05 * math.Pow(0.5, float64(h.w.t/3))
	h.w.step(dw, lr, 0.5, 0.9)
	h.c.step(dc, lr, 0.5, 0.9)
}

func (h *byHand) generator(run int, da, db float64) {
	h.a.sum, h.b.sum = h.a.sum+da, h.b.sum+db
	if run%2 == 1 {
		h.a.step(h.a.sum/2, 0.1, 0.7, 0.8)
		h.b.step(h.b.sum/2, 0.1, 0.7, 0.8)
		h.a.sum, h.b.sum = 0, 0
	}
}

// Two optimisers train one store as a program by hand does, each by its own count, whether they
// are of one graph or of two, and whether they take turns or step together.
func TestTwoOptimisersOfAStoreCountTheirOwnSteps(t *testing.T) {
	const runs = 9
	for _, tt := range []struct {
		name     string
		programs func(t *testing.T) []*vm.Program
		together bool
	}{{"together", ganTogether, true}, {"in turn", ganInTurn, false}, {"two graphs", ganTwoGraphs, false}} {
		t.Run(tt.name, func(t *testing.T) {
			s := vm.NewStore(1)
			var machines []*vm.Machine
			programs := tt.programs(t)
			for _, p := range programs {
				m, err := p.NewMachine(s)
				require.NoError(t, err)
				machines = append(machines, m)
			}
			hand := byHand{a: adamNumber{p: 0.5}, b: adamNumber{p: -0.2}, w: adamNumber{p: 0.4}, c: adamNumber{p: 0.1}}
			for run := range runs {
				for i, m := range machines {
					runGAN(t, programs[i], m)
				}
				da, db, dw, dc := hand.gradients()
				hand.critic(dw, dc)
				if !tt.together {
					da, db, _, _ = hand.gradients()
				}
				hand.generator(run, da, db)
				for name, want := range map[string]adamNumber{
					"generator.a": hand.a, "generator.b": hand.b, "critic.w": hand.w, "critic.c": hand.c,
				} {
					require.InDelta(t, want.p, values(t, s, name)[0], 1e-12, "%s after run %d", name, run)
				}
			}
			require.Equal(t, []float64{runs}, values(t, s, "critic.step"))
			require.Equal(t, []float64{runs / 2}, values(t, s, "generator.step"))
			require.Equal(t, []float64{runs % 2}, values(t, s, "generator.accumulated.runs"))
			require.Contains(t, s.Names(), "generator.a.generator.exp_avg")
			require.NotContains(t, s.Names(), "step")
		})
	}
}

func ganTogether(t *testing.T) []*vm.Program {
	g := graph.New()
	critic, generator := linearGAN(g, false, false)
	minimise(g, critic, criticRecipe)
	minimise(g, generator, generatorRecipe)
	return []*vm.Program{compiled(t, critic, vm.Train)}
}

func ganInTurn(t *testing.T) []*vm.Program {
	g := graph.New()
	critic, generator := linearGAN(g, false, false)
	minimise(g, critic, criticRecipe)
	minimise(g, generator, generatorRecipe)
	p := compiled(t, generator, vm.TrainBy("generator"))
	require.Len(t, p.Inputs(), 1, "the generator is trained without real examples")
	return []*vm.Program{compiled(t, critic, vm.TrainBy("critic")), p}
}

func ganTwoGraphs(t *testing.T) []*vm.Program {
	g, h := graph.New(), graph.New()
	critic, _ := linearGAN(g, true, false)
	_, generator := linearGAN(h, false, true)
	minimise(g, critic, criticRecipe)
	minimise(h, generator, generatorRecipe)
	return []*vm.Program{compiled(t, critic, vm.Train), compiled(t, generator, vm.Train)}
}

func minimise(g *graph.Graph, loss *graph.Node, o optim.Optimizer) {
	o.Apply(g, autodiff.Grad(loss, optim.Params(g, o)...))
}

func compiled(t *testing.T, loss *graph.Node, mode vm.Option) *vm.Program {
	t.Helper()
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{loss}, mode, vm.Checked)
	require.NoError(t, err)
	return p
}

// runGAN runs m on what p takes of the noise and the real examples.
func runGAN(t *testing.T, p *vm.Program, m *vm.Machine) {
	t.Helper()
	var args []*tensor.Dense
	for _, in := range p.Inputs() {
		args = append(args, dense(shape.Float64, map[string][]float64{"z": ganNoise, "real": ganReal}[in.Name()], 3))
	}
	_, err := m.Run(t.Context(), args...)
	require.NoError(t, err)
}

// dcgan builds the networks of a small DCGAN (Radford et al., 2015), for images (1,4,4), with all
// that a step can change: parameters, running statistics, random numbers.
func dcgan(g *graph.Graph, frozenGenerator, frozenCritic bool) (critic, generator *graph.Node) {
	up := nn.Sequential{
		nn.ConvTranspose2D{Name: "up1", Out: 3, Kernel: 2}, nn.BatchNorm{Name: "norm"}, nn.ReLU{},
		nn.ConvTranspose2D{Name: "up2", Out: 1, Kernel: 2, Stride: 2}, nn.Tanh{},
	}
	down := nn.Sequential{
		nn.Conv2D{Name: "conv", Out: 4, Kernel: 3, Stride: 2, Pad: 1}, nn.LeakyReLU{Alpha: 0.2},
		nn.Flatten{}, nn.Dropout{P: 0.25}, nn.Linear{Name: "out", Out: 1},
	}
	in := func(name string, frozen bool) nn.Scope {
		if s := nn.Root(g).In(name); !frozen {
			return s
		}
		return nn.Root(g).In(name).Frozen()
	}
	z, real := g.Input("z", shape.F32(shape.N, 2, 1, 1)), g.Input("real", shape.F32(shape.N, 1, 4, 4))
	fake := up.Apply(in("generator", frozenGenerator), z)
	onReal := down.Apply(in("critic", frozenCritic), real)
	onFake := down.Apply(in("critic", frozenCritic).Shared(), fake)
	critic = ops.Add(ops.BinaryCrossEntropy(onReal, ops.OnesLike(onReal)), ops.BinaryCrossEntropy(onFake, ops.ZerosLike(onFake)))
	return critic, ops.BinaryCrossEntropy(onFake, ops.OnesLike(onFake))
}

// player is a program on a store.
type player struct {
	program *vm.Program
	machine *vm.Machine
	store   *vm.Store
}

func newPlayer(t *testing.T, p *vm.Program, s *vm.Store) player {
	t.Helper()
	m, err := p.NewMachine(s)
	require.NoError(t, err)
	return player{p, m, s}
}

func (p player) step(t *testing.T, run int) {
	t.Helper()
	const n = 3
	sizes := map[string][]int{"z": {n, 2, 1, 1}, "real": {n, 1, 4, 4}}
	var args []*tensor.Dense
	for _, in := range p.program.Inputs() {
		size := tensor.Shape(sizes[in.Name()]).TotalSize()
		v := make([]float64, size)
		for i := range v {
			v[i] = math.Sin(float64(7*run + 3*i + size))
		}
		args = append(args, dense(shape.Float32, v, sizes[in.Name()]...))
	}
	_, err := p.machine.Run(t.Context(), args...)
	require.NoError(t, err)
}

// Two optimisers of a DCGAN on one store give what they give on two, between which all is copied
// but what each of them keeps.
func TestADCGANOnOneStoreIsThatOnTwo(t *testing.T) {
	rule := optim.Adam{LR: 0.01, Betas: [2]float64{0.5, 0.999}}
	critic := optim.Recipe{Rule: rule, Match: []string{"critic.*"}, Schedule: optim.Cosine{Steps: 8}}
	generator := optim.Recipe{Rule: rule, Match: []string{"generator.*"}, Accumulate: 2, ClipNorm: 0.5, Average: 0.9}
	named := func(r optim.Recipe, name string) optim.Recipe { r.Name = name; return r }

	for name, programs := range map[string]func(c, g optim.Recipe) [2]*vm.Program{
		"one graph": func(c, r optim.Recipe) [2]*vm.Program {
			if c.Name == "" { // the oracle: each alone on the graph
				g, h := graph.New(), graph.New()
				lossC, _ := dcgan(g, false, false)
				_, lossG := dcgan(h, false, false)
				minimise(g, lossC, c)
				minimise(h, lossG, r)
				return [2]*vm.Program{compiled(t, lossC, vm.Train), compiled(t, lossG, vm.Train)}
			}
			g := graph.New()
			lossC, lossG := dcgan(g, false, false)
			minimise(g, lossC, c)
			minimise(g, lossG, r)
			return [2]*vm.Program{compiled(t, lossC, vm.TrainBy("critic")), compiled(t, lossG, vm.TrainBy("generator"))}
		},
		"two graphs": func(c, r optim.Recipe) [2]*vm.Program {
			g, h := graph.New(), graph.New()
			lossC, _ := dcgan(g, true, false)
			_, lossG := dcgan(h, false, true)
			minimise(g, lossC, c)
			minimise(h, lossG, r)
			return [2]*vm.Program{compiled(t, lossC, vm.Train), compiled(t, lossG, vm.Train)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			one := vm.NewStore(1)
			var ours, theirs [2]player
			for i, p := range programs(named(critic, "critic"), named(generator, "generator")) {
				ours[i] = newPlayer(t, p, one)
			}
			for i, p := range programs(critic, generator) {
				theirs[i] = newPlayer(t, p, vm.NewStore(1))
			}
			keep := map[string]bool{}
			for _, s := range []*vm.Store{theirs[0].store, theirs[1].store} {
				for _, name := range optim.Kept(s.Names()) {
					keep[name] = true
				}
			}
			for run := range 7 {
				for i := range ours {
					ours[i].step(t, run)
					theirs[i].step(t, run)
					copyBut(t, theirs[1-i].store, theirs[i].store, keep)
				}
			}
			for _, name := range one.Names() {
				i, theirName := 0, name
				for k, optimizer := range []string{"critic", "generator"} {
					for _, kept := range []string{"step", "exp_avg", "exp_avg_sq", "grad_sum", "accumulated.runs", "accumulated.size"} {
						if before, ok := strings.CutSuffix(name, optimizer+"."+kept); ok {
							i, theirName = k, before+kept
						}
					}
				}
				if strings.HasSuffix(name, ".ema") {
					i = 1
				}
				require.Equal(t, values(t, theirs[i].store, theirName), values(t, one, name), name)
			}
			require.Equal(t, []float64{7}, values(t, one, "critic.step"))
			require.Equal(t, []float64{3}, values(t, one, "generator.step"))
			require.Equal(t, 14.0, values(t, one, "rng")[1], "both count the random numbers drawn")
		})
	}
}

// copyBut copies the values that to has as well, but those kept.
func copyBut(t *testing.T, to, from *vm.Store, kept map[string]bool) {
	t.Helper()
	for _, name := range from.Names() {
		if kept[name] || !slices.Contains(to.Names(), name) {
			continue
		}
		v, err := from.Value(name)
		require.NoError(t, err)
		require.NoError(t, to.Set(name, v))
	}
}

// regression is the loss of a line through points, with a parameter of that name.
func regression(g *graph.Graph, name string) *graph.Node {
	return ops.Square(ops.AddScalar(g.Param(name, shape.F64(), nn.Constant(8)), -1))
}

func TestAnotherOptimiserOfAStoreIsRefused(t *testing.T) {
	program := func(o optim.Optimizer, param string) *vm.Program {
		g := graph.New()
		loss := regression(g, param)
		minimise(g, loss, o)
		return compiled(t, loss, vm.Train)
	}
	sgd, adam := optim.SGD{LR: 0.1}, optim.Adam{}
	recipe := func(name string, rule optim.Rule) optim.Recipe { return optim.Recipe{Name: name, Rule: rule} }
	shares := recipe("b", adam)
	shares.Shares = true
	for _, tt := range []struct {
		name, want    string
		first, second *vm.Program
	}{
		{"counts the steps of others", `vm: "step" is kept in the store for the optimiser without a name of w, which is not the optimiser without a name of v; give each a name`,
			program(sgd, "w"), program(sgd, "v")},
		{"another rule", `"step" is kept in the store for the optimiser without a name of w`, program(sgd, "w"), program(adam, "w")},
		{"the same name", `"a.step" is kept in the store for the optimiser "a" of w, which is not the optimiser "a" of v`,
			program(recipe("a", sgd), "w"), program(recipe("a", sgd), "v")},
		{"the same parameter", `"w" is updated by the optimiser "a" of w and by the optimiser "b" of w; if that is intended`,
			program(recipe("a", sgd), "w"), program(recipe("b", sgd), "w")},
		{"shared", "", program(recipe("a", sgd), "w"), program(shares, "w")},
		{"shared by the first", "", program(shares, "w"), program(recipe("a", sgd), "w")},
		{"another parameter", "", program(recipe("a", sgd), "w"), program(recipe("b", sgd), "v")},
		{"one has a name", "", program(sgd, "w"), program(recipe("b", sgd), "v")},
		{"the same again", "", program(adam, "w"), program(adam, "w")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := vm.NewStore(1)
			m, err := tt.first.NewMachine(s)
			require.NoError(t, err)
			_, err = m.Run(t.Context())
			require.NoError(t, err)
			before := s.Names()
			snapshot, err := s.Snapshot()
			require.NoError(t, err)
			for _, s := range []*vm.Store{s, snapshot} {
				_, err = tt.second.NewMachine(s)
				if tt.want == "" {
					require.NoError(t, err)
					continue
				}
				require.ErrorContains(t, err, tt.want)
				require.Equal(t, before, s.Names(), "a refused program has changed the store")
			}
			if tt.want == "" {
				return
			}
			for _, name := range optim.Kept(s.Names()) { // as the error says
				require.NoError(t, s.Delete(name))
			}
			_, err = tt.second.NewMachine(s)
			require.NoError(t, err)
			_, err = m.Run(t.Context())
			require.Error(t, err, "the first one goes on with what is the second's")
		})
	}
}

// What a file holds has no owner any more; names tell it.
func TestAnotherOptimiserOfSavedValuesIsRefused(t *testing.T) {
	g, h := graph.New(), graph.New()
	loss, other := regression(g, "w"), regression(h, "v")
	minimise(g, loss, optim.Adam{})
	minimise(h, other, optim.Adam{})
	first, second := compiled(t, loss, vm.Train), compiled(t, other, vm.Train)
	p := newPlayer(t, first, vm.NewStore(1))
	_, err := p.machine.Run(t.Context())
	require.NoError(t, err)
	loaded := vm.NewStore(1)
	copyBut(t, loaded, p.store, nil)
	for _, name := range p.store.Names() {
		v, err := p.store.Value(name)
		require.NoError(t, err)
		require.NoError(t, loaded.Set(name, v))
	}
	_, err = second.NewMachine(loaded)
	require.ErrorContains(t, err, "vm: the store has step, but not v.exp_avg, v.exp_avg_sq, which the optimiser without a name of v keeps too")
	_, err = first.NewMachine(loaded)
	require.NoError(t, err, "its own are all there")
	_, err = second.NewMachine(loaded)
	require.ErrorContains(t, err, `"step" is kept in the store for the optimiser without a name of w`)
}

func TestTwoOptimisersOfAGraphAreToldWhatIsWrong(t *testing.T) {
	a, b := optim.Recipe{Name: "a", Rule: optim.SGD{LR: 1}}, optim.Recipe{Name: "b", Rule: optim.SGD{LR: 1}}
	w, v := []string{"w"}, []string{"v"}
	match := func(r optim.Recipe, patterns []string) optim.Recipe { r.Match = patterns; return r }
	for _, tt := range []struct {
		name, want string
		first      optim.Recipe
		second     optim.Recipe
	}{
		{"the same name", `the graph has a leaf "a.step" already; a second optimiser needs a Name of its own`, match(a, w), match(a, v)},
		{"the same parameters", `SGD: already trained by another optimiser: w (by the optimiser "a"), v (by the optimiser "a"); select by Match`, a, b},
		{"no parameter", `SGD: "z.*" matches no parameter`, a, match(b, []string{"z.*"})},
		{"no pattern", `invalid pattern "["`, match(a, w), match(b, []string{"v", "["})},
	} {
		g := graph.New()
		loss := ops.Add(regression(g, "w"), regression(g, "v"))
		minimise(g, loss, tt.first)
		minimise(g, loss, tt.second)
		var list graph.ErrorList
		require.ErrorAs(t, g.Err(), &list, tt.name)
		require.Len(t, list, 1, tt.name)
		require.ErrorContains(t, list[0], tt.want, tt.name)
	}

	g := graph.New()
	x := regression(g, "w")
	regression(g, "v")
	r := match(a, w)
	r.Apply(g, autodiff.Grad(x, g.Params()...))
	require.ErrorContains(t, g.Err(), "2 gradients for 1 parameters; pass the gradients of Recipe.Params(g), in order")
}

// Parameters that two optimisers share are trained by a program of each.
func TestSharedParametersAreTrainedInTurn(t *testing.T) {
	g := graph.New()
	loss := regression(g, "w")
	minimise(g, loss, optim.Recipe{Name: "fast", Rule: optim.SGD{LR: 0.25}, Shares: true})
	minimise(g, loss, optim.Recipe{Name: "momentum", Rule: optim.SGD{LR: 0.125, Momentum: 0.5}})
	require.NoError(t, g.Err())
	_, err := vm.Compile(ref.Engine{}, []*graph.Node{loss}, vm.Train)
	require.ErrorContains(t, err, `both the optimiser "fast" and the optimiser "momentum" update w`)
	_, err = vm.Compile(ref.Engine{}, []*graph.Node{loss}, vm.TrainBy("slow"))
	require.ErrorContains(t, err, `the graph has no optimiser "slow"; it has optimiser "fast", optimiser "momentum"`)
	_, err = vm.Compile(ref.Engine{}, []*graph.Node{loss}, vm.TrainBy())
	require.ErrorContains(t, err, "no optimiser is named")

	s := vm.NewStore(1)
	fast := newPlayer(t, compiled(t, loss, vm.TrainBy("fast")), s)
	slow := newPlayer(t, compiled(t, loss, vm.TrainBy("momentum")), s)
	for _, tt := range []struct {
		p    player
		want float64 // w-1 after the step: the gradient is twice what it was before
	}{{fast, 3.5}, {slow, 3.5 - 0.125*7}, {fast, 2.625 / 2}, {slow, 1.3125 - 0.125*(0.5*7+2.625)}} {
		_, err := tt.p.machine.Run(t.Context())
		require.NoError(t, err)
		require.Equal(t, tt.want, values(t, s, "w")[0]-1)
	}
	require.Equal(t, []float64{2}, values(t, s, "fast.step"))
	require.Equal(t, []float64{2}, values(t, s, "momentum.step"))
}

// Parameters that are matched by no optimiser, and their averages, stay out of it.
func TestAveragesOfAPartOfTheParameters(t *testing.T) {
	g := graph.New()
	w, v := g.Param("w", shape.F64(), nn.Constant(8)), g.Param("v", shape.F64(), nn.Constant(2))
	y := ops.Mul(w, v)
	minimise(g, y, optim.Recipe{Rule: optim.SGD{LR: 1}, Match: []string{"w"}, Average: 0.75})
	require.NoError(t, g.Err())
	p := newPlayer(t, compiled(t, y, vm.Train), vm.NewStore(1))
	for range 2 {
		_, err := p.machine.Run(t.Context())
		require.NoError(t, err)
	}
	require.Equal(t, []float64{2}, values(t, p.store, "v"))
	require.NotContains(t, p.store.Names(), "v.ema")
	require.NoError(t, p.store.Set("v", dense(shape.Float64, []float64{3})))
	want := (0.75*6 + 0.25*4) * 3
	for _, averaged := range [][]*graph.Node{
		optim.Averaged(graph.Inference(y)...),
		optim.AveragedBy([]string{"w.ema", "step"}, graph.Inference(ops.Mul(w, v))...),
	} {
		program, err := vm.Compile(ref.Engine{}, averaged)
		require.NoError(t, err)
		a, err := program.NewMachine(p.store)
		require.NoError(t, err)
		outs, err := a.Run(t.Context())
		require.NoError(t, err)
		require.Equal(t, []float64{want}, floats(t, outs[0]))
	}
}

func TestKeptTellsAnOptimisersValuesByTheirNames(t *testing.T) {
	require.Equal(t, []string{"a.step", "accumulated.size", "b.accumulated.runs", "conv.weight.a.exp_avg", "conv.weight.ema", "step"}, optim.Kept([]string{
		"a.step", "accumulated.size", "b.accumulated.runs", "bn.running_mean", "conv.weight", "conv.weight.a.exp_avg", "conv.weight.ema", "conv.weights", "rng", "step",
	}))
}
