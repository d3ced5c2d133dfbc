package main

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/internal/parity"
	"github.com/plexaura/plexaura/shape"
)

// fixed are the seeds that are compared each time. Together they have every row of the table.
var fixed = []struct {
	seed     uint64
	first, n int
}{{1, 0, 110}, {2, 110, 110}}

func TestRandomConfigurationsEqualPyTorch(t *testing.T) {
	if _, err := interpreter(); err != nil {
		t.Skip(err)
	}
	seeds := fixed
	if testing.Short() {
		seeds = fixed[:1]
	}
	for _, f := range seeds {
		h := hunt{Seed: f.seed, First: f.first, N: f.n, Rows: rowsInTurn(), Workers: 2, Engines: engines(), Tell: func(f found) { t.Error(f) }}
		r, err := h.run(t.Context())
		require.NoError(t, err)
		require.Empty(t, r.Refused)
		t.Log(r)
	}
}

// crooked is ref that takes a sine for a tanh.
type crooked struct{ ref.Engine }

func (e crooked) BindMap(m engine.Map, in, out []engine.Operand) (engine.Bound, error) {
	m.Steps = slices.Clone(m.Steps)
	for i, s := range m.Steps {
		if s.Fn == engine.Tanh {
			m.Steps[i].Fn = engine.Sin
		}
	}
	return e.Engine.BindMap(m, in, out)
}

func TestAWrongResultIsFoundAndShrunk(t *testing.T) {
	if _, err := interpreter(); err != nil {
		t.Skip(err)
	}
	var all []found
	h := hunt{Seed: 1, N: 8, Rows: []string{"Tanh", "Cos"}, Workers: 1, Engines: []under{{name: "crooked", Engine: crooked{}}}, Tell: func(f found) { all = append(all, f) }}
	r, err := h.run(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]int{"Tanh": 4, "Cos": 4}, r.Rows)
	require.GreaterOrEqual(t, len(all), 2)
	for _, f := range all {
		require.Equal(t, "Tanh", f.row)
		require.LessOrEqual(t, product(f.config.Inputs[0].Shape), 3, f)
		require.Zero(t, f.config.Order, f)
		require.Contains(t, f.what, "crooked, float64: result")
	}
}

func TestEveryFunctionHasARow(t *testing.T) {
	for _, name := range parity.Functions() {
		require.Contains(t, names, name)
	}
	for _, name := range names {
		if graphs[name] == nil {
			require.Contains(t, parity.Functions(), name)
		}
	}
	covered := map[string]bool{}
	rows := rowsInTurn()
	for _, f := range fixed {
		for k := range f.n {
			covered[rows[(f.first+k)%len(rows)]] = true
		}
	}
	for _, name := range names {
		require.True(t, covered[name], "%s is in none of the configurations that are compared each time", name)
	}
}

// Any choices give a configuration that package ops takes, in both precisions, and the same ones
// the same.
func TestEveryDrawingIsAConfiguration(t *testing.T) {
	for i, row := range names {
		for k := range 25 {
			c := &choices{random: rand.New(rand.NewPCG(uint64(i), uint64(k)))}
			conf, err := draw(row, c)
			require.NoError(t, err, row)
			again, err := draw(row, &choices{given: c.made})
			require.NoError(t, err)
			require.Equal(t, conf.String(), again.String())
			for _, d := range []shape.DType{shape.Float32, shape.Float64} {
				_, err := conf.graph(d)
				require.NoError(t, err, "%v", conf)
			}
			cut, err := draw(row, &choices{given: c.made[:len(c.made)/2]})
			require.NoError(t, err, "%v", cut)
		}
	}
}

func TestShrinkingFindsTheSimplestChoices(t *testing.T) {
	tried := 0
	fails := func(made []int) bool { // two numbers of 3 or more, the first of them before the second
		tried++
		i := slices.IndexFunc(made, func(v int) bool { return v >= 3 })
		return i >= 0 && slices.ContainsFunc(made[i+1:], func(v int) bool { return v >= 5 })
	}
	require.Equal(t, []int{3, 5}, shrink([]int{9, 0, 4, 1, 8, 70, 2, 3, 44, 0, 6, 1}, 1000, fails))
	tried = 0
	shrink([]int{9, 0, 4, 1, 8, 70, 2, 3, 44, 0, 6, 1}, 5, fails)
	require.LessOrEqual(t, tried, 5)
}

// What is allowed grows with what PyTorch's float32 is off, and is otherwise a few units of
// rounding.
func TestAnElementIsComparedWithWhatPyTorchItselfIsOff(t *testing.T) {
	one := theirs{exact: []float64{1, 1e-3}, single: []float64{1, 1e-3}, off: []float64{1e-6, 0}, moved: []float64{0, 0}, shape: []int{2}, of: []int{2}}
	one.measure()
	exact, flushing := under{name: "exact"}, under{name: "flushing", flushes: true}
	differs := func(c config, u under, d shape.DType, have ...float64) int {
		diff, _ := c.judge(u, d, true, have, []theirs{one})
		return diff.many
	}
	sums, apart := config{}, config{Apart: true}
	require.Zero(t, differs(sums, exact, shape.Float32, 1+9e-6, 1e-3+9e-6))
	require.Equal(t, 2, differs(sums, exact, shape.Float32, 1+1.2e-5, 1e-3+1.2e-5))
	require.Zero(t, differs(apart, exact, shape.Float32, 1+9e-6, 1e-3+1e-9))
	require.Equal(t, 1, differs(apart, exact, shape.Float32, 1+9e-6, 1e-3+9e-6), "the second is exact in PyTorch")
	require.Zero(t, differs(apart, exact, shape.Float64, 1+9e-11, 1e-3))
	require.Equal(t, 2, differs(apart, exact, shape.Float64, 1+2e-10, 1e-3+2e-13))
	require.Equal(t, 1, differs(apart, exact, shape.Float32, inf, 1e-3))

	one.exact = []float64{1e-38, inf}
	one.single, one.off = one.exact, []float64{0, 0}
	one.measure()
	require.Zero(t, differs(apart, flushing, shape.Float32, 0, inf))
	require.Equal(t, 1, differs(apart, exact, shape.Float32, 0, inf))
	require.Equal(t, 1, differs(apart, exact, shape.Float32, 1e-38, 3e38))
}

// PyTorch takes the logarithm of a sum, which is 1 where the target's logit is 54 above the others; ours is their share.
// Slopes and curvatures by sure logits are differences of probabilities.
func TestASureCrossEntropyIsSmallRatherThanZero(t *testing.T) {
	sure := theirs{exact: []float64{0}, single: []float64{0}, off: []float64{0}, moved: []float64{0}}
	c, other := config{Steps: []step{{Op: crossEntropyOp}}}, config{Steps: []step{{Op: "BinaryCrossEntropy"}}}
	differs := func(c config, d shape.DType, order int, have float64) bool {
		sure.order = order
		_, is := c.judge(under{}, d, true, []float64{have}, []theirs{sure})
		return is
	}
	for _, d := range []shape.DType{shape.Float32, shape.Float64} {
		require.False(t, differs(c, d, 0, 3.5e-24))
		require.True(t, differs(c, d, 0, 1e-15))
		require.True(t, differs(other, d, 0, 3.5e-24))
	}
	require.False(t, differs(c, shape.Float32, 2, 2.1e-9))
	require.True(t, differs(c, shape.Float64, 2, 2.1e-9))
	require.True(t, differs(other, shape.Float32, 2, 2.1e-9))
}

// Each convention is a difference between PyTorch's function and ours, and the document has it with
// its reason.
func TestConventionsAreDifferencesThatTheDocumentTells(t *testing.T) {
	path, err := interpreter()
	if err != nil {
		t.Skip(err)
	}
	file, err := script()
	require.NoError(t, err)
	out, err := exec.Command(path, file, "--conventions").Output()
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "PARITY.md"))
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	require.Greater(t, len(lines), 4)
	for _, line := range lines {
		name, differs, _ := strings.Cut(line, "\t")
		require.Equal(t, "True", differs, "%s: PyTorch's own function is the same by now", name)
		require.Contains(t, string(text), "| "+name+" |")
	}
}
