package train_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/vm"
)

// through is a layer of one function.
type through struct {
	name string
	f    func(x *graph.Node) *graph.Node
}

func (l through) Label() string { return l.name }

func (l through) Apply(s nn.Scope, x *graph.Node) *graph.Node {
	return s.Within(l.name, x, func(nn.Scope) *graph.Node { return l.f(x) })
}

// files is a dataset whose examples are in files.
type files struct{ data.Dataset }

func (files) Path(i int) string { return fmt.Sprintf("stripe%d.png", i) }

// spoiled is stripes(14) in which image 5 is something else.
func spoiled(t testing.TB, change func(x []float32)) data.Dataset {
	return files{hooked{stripes(t, 14), change}}
}

type hooked struct {
	data.Dataset
	change func(x []float32)
}

func (h hooked) Read(i int, e data.Example) error {
	err := h.Dataset.Read(i, e)
	if i == 5 {
		h.change(e.X)
	}
	return err
}

func zero(x []float32) { clear(x) }

// diverging is a run of a network with a layer of that function, and then what ends it.
func diverging(t testing.TB, f func(x *graph.Node) *graph.Node, change func(x []float32)) train.Config {
	model := nn.Sequential{
		nn.Flatten{}, nn.Linear{Name: "in", Out: 3, NoBias: true}, through{"odd", f}, nn.Dropout{P: .1}, nn.Linear{Name: "out", Out: 2},
	}
	return train.Config{
		Model: model, Train: spoiled(t, change), Engine: ref.Engine{}, Optimizer: optim.SGD{LR: .01, Momentum: .9}, Epochs: 2, Batch: 4, Seed: 3,
	}
}

// overflowing is a run whose first update is infinite.
func overflowing(t testing.TB) train.Config {
	c := diverging(t, func(x *graph.Node) *graph.Node { return x }, func([]float32) {})
	c.Optimizer = optim.SGD{LR: 3e38}
	c.Loss = func(output, target *graph.Node) *graph.Node {
		return ops.MulScalar(ops.CrossEntropy(output, target), 100)
	}
	return c
}

// diagnosis runs c, which diverges.
func diagnosis(t testing.TB, c train.Config) *train.NotFiniteError {
	t.Helper()
	_, err := train.Fit(t.Context(), c)
	require.ErrorIs(t, err, vm.ErrNotFinite)
	var found *train.NotFiniteError
	require.ErrorAs(t, err, &found, "%v", err)
	return found
}

func TestWhereValuesBecomeNotFinite(t *testing.T) {
	keep := func([]float32) {}
	same := func(x *graph.Node) *graph.Node { return x }
	inf := math.Inf(1)
	for name, c := range map[string]struct {
		config func(t testing.TB) train.Config
		phase  train.Phase
		op     string
		layer  string
		from   []float64
		one    bool // example 5 is to blame, not all of the batch
		text   string
	}{
		"the logarithm of 0": {func(t testing.TB) train.Config {
			return diverging(t, func(x *graph.Node) *graph.Node { return ops.Log(ops.Abs(x)) }, zero)
		}, train.InForward, "Log", "odd", []float64{0}, true,
			`in the forward pass: %\d+ Log float32\(N,3\) \(layer odd, notfinite_test.go:\d+\): -Inf at \[\d 0\], of 0\n\tit comes from example 5: stripe5.png$`},
		"the gradient of a root at 0": {func(t testing.TB) train.Config {
			return diverging(t, func(x *graph.Node) *graph.Node { return ops.Sqrt(ops.Square(x)) }, zero)
		}, train.InBackward, "", "odd", nil, true,
			`in the backward pass, the gradient of Sqrt: .*\(layer odd, notfinite_test.go:\d+\): [+-]Inf at .*\n\tit comes from example 5: stripe5.png$`},
		"an overflow in the forward pass": {func(t testing.TB) train.Config {
			return diverging(t, func(x *graph.Node) *graph.Node { return ops.Exp(ops.MulScalar(ops.Square(x), 1e6)) }, keep)
		}, train.InForward, "Exp", "odd", nil, false, `in the forward pass: %\d+ Exp`},
		"an overflow in the update": {func(t testing.TB) train.Config {
			c := diverging(t, same, keep)
			c.Optimizer = optim.SGD{LR: 3e38}
			c.Loss = func(output, target *graph.Node) *graph.Node {
				return ops.MulScalar(ops.CrossEntropy(output, target), 100)
			}
			return c
		}, train.InUpdate, "Mul", "optim", nil, false, `in the update of "in.weight": %\d+ Mul float32\(3,16\) \(layer optim.in.weight, notfinite_test.go:\d+\): [+-]Inf at .*, of 3e\+38 and `},
		"an image": {func(t testing.TB) train.Config {
			return diverging(t, same, func(x []float32) { x[6] = float32(math.NaN()) })
		}, train.InData, "Input", "", nil, true, `in the data: NaN at \[\d 0 1 2\]\n\tit comes from example 5: stripe5.png$`},
		"a weight": {func(t testing.TB) train.Config {
			c := diverging(t, same, keep)
			first := c
			first.Epochs = 1
			c.Store = fit(t, first).Checkpoint.Store
			require.NoError(t, c.Store.Set("out.bias", tensor.New(tensor.WithBacking([]float32{0, float32(inf)}))))
			return c
		}, train.InValues, "Param", "out", nil, false, `in "out.bias", before the step: \+Inf at \[1\]\n\tthe batch has examples \d+, \d+, \d+(,| and) \d+: stripe`},
	} {
		t.Run(name, func(t *testing.T) {
			config := c.config(t)
			e := diagnosis(t, config)
			require.Equal(t, c.phase, e.Phase, e)
			require.Regexp(t, c.text, e.Error())
			if c.op != "" && e.Node.Kind() == graph.Computed {
				require.Equal(t, c.op, e.Node.Op().Name(), e)
			}
			require.Contains(t, e.Node.Layer(), c.layer)
			if c.from != nil {
				require.Equal(t, c.from, e.From)
			}
			if c.one {
				require.Equal(t, []int{5}, e.Examples)
				require.Equal(t, []string{"stripe5.png"}, e.Files)
				require.False(t, e.Whole)
			} else {
				require.Len(t, e.Examples, 4)
			}
			config.Engine, config.Workers = cpu.New(), 3
			if config.Store == nil {
				again := diagnosis(t, config)
				require.Equal(t, e.Examples, again.Examples)
				require.Equal(t, e.Node.ID(), again.Node.ID())
			}
		})
	}
}

// The loss of the step that spoils the parameters is finite; it is the step before that is told.
func TestTheStepBeforeIsMadeAgain(t *testing.T) {
	c := diverging(t, func(x *graph.Node) *graph.Node { return ops.Sqrt(ops.Square(x)) }, zero)
	var steps [][2]int
	c.OnStep = func(s train.Step) error {
		require.False(t, math.IsNaN(s.Loss))
		steps = append(steps, [2]int{s.Epoch, s.Batch})
		return nil
	}
	e := diagnosis(t, c)
	require.Equal(t, steps[len(steps)-1], [2]int{e.Epoch, e.Batch})
}

// Of two causes it is the one that comes first in the graph.
func TestTheFirstOfTwoCausesIsTold(t *testing.T) {
	c := diverging(t, func(x *graph.Node) *graph.Node {
		return ops.Add(ops.Log(ops.Abs(x)), ops.Sqrt(ops.AddScalar(ops.Abs(x), -1e9)))
	}, zero)
	c.Batch = 14
	e := diagnosis(t, c)
	require.Equal(t, "Log", e.Node.Op().Name())
	require.Equal(t, []int{5}, e.Examples)
}

// Nothing that is not finite is saved, and what was saved before stays.
func TestParametersThatAreNotFiniteAreNotSaved(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run")
	good := diverging(t, func(x *graph.Node) *graph.Node { return x }, func([]float32) {})
	good.Folder, good.Epochs = folder, 1
	fit(t, good)
	saved, err := os.ReadFile(filepath.Join(folder, train.CheckpointFile))
	require.NoError(t, err)

	bad := good
	bad.Resume, bad.Epochs = load(t, folder), 2
	bad.Loss = func(output, target *graph.Node) *graph.Node { // its gradient is infinite
		return ops.Add(ops.CrossEntropy(output, target), ops.MulScalar(ops.Mean(ops.Sqrt(ops.Square(ops.Sub(output, output)))), 1))
	}
	bad.Batch, bad.Validation = 4, nil
	e := diagnosis(t, bad)
	require.Equal(t, train.InBackward, e.Phase)
	again, err := os.ReadFile(filepath.Join(folder, train.CheckpointFile))
	require.NoError(t, err)
	require.Equal(t, saved, again)

	last := diverging(t, func(x *graph.Node) *graph.Node { return ops.Sqrt(ops.Square(x)) }, zero)
	last.Batch, last.Epochs = 14, 1 // one step, whose loss is finite
	e = diagnosis(t, last)
	require.Contains(t, e.Error(), "parameters are not finite: in.weight")
	require.Equal(t, []int{5}, e.Examples)
}

// A store of which no copy is kept gets the names. So it is with gradients by another VM.
func TestWithoutACopyTheParametersAreNamed(t *testing.T) {
	c := overflowing(t)
	c.Gradients = new(machines).gradients
	_, err := train.Fit(t.Context(), c)
	require.ErrorIs(t, err, vm.ErrNotFinite)
	var found *train.NotFiniteError
	require.False(t, errors.As(err, &found), "%v", err)
	require.ErrorContains(t, err, "these parameters are not since an earlier step: in.weight")

	c = diverging(t, func(x *graph.Node) *graph.Node { return ops.Log(ops.Abs(x)) }, zero)
	c.Gradients = new(machines).gradients
	e := diagnosis(t, c)
	require.Equal(t, train.InForward, e.Phase)
	require.Equal(t, "Log", e.Node.Op().Name())
}
