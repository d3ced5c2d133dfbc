package vm_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// conditions are functions that go by where x is, with a derivative on each side.
var conditions = map[string]func(x *graph.Node) *graph.Node{
	"Where": func(x *graph.Node) *graph.Node {
		return ops.Where(ops.Greater(x, ops.Scalar(x, 0)), ops.MulScalar(x, 2), ops.MulScalar(x, 3))
	},
	"WhereLess": func(x *graph.Node) *graph.Node {
		return ops.Where(ops.Less(x, ops.Scalar(x, 0)), ops.MulScalar(x, 2), ops.MulScalar(x, 3))
	},
	"WhereLessEqual": func(x *graph.Node) *graph.Node {
		return ops.Where(ops.LessEqual(x, ops.Scalar(x, 0)), ops.MulScalar(x, 2), ops.MulScalar(x, 3))
	},
	"ReLU":      ops.ReLU,
	"LeakyReLU": func(x *graph.Node) *graph.Node { return ops.LeakyReLU(x, .25) },
	"PReLU":     func(x *graph.Node) *graph.Node { return ops.PReLU(x, ops.Scalar(x, .25)) },
	"ELU":       func(x *graph.Node) *graph.Node { return ops.ELU(x, 2) },
	"Maximum":   func(x *graph.Node) *graph.Node { return ops.Maximum(ops.MulScalar(x, 2), x) },
	"Clip":      func(x *graph.Node) *graph.Node { return ops.Clip(x, 0, 1) },
	"ReLU6":     func(x *graph.Node) *graph.Node { return ops.ReLU6(ops.MulScalar(x, 6)) },
	"Abs":       ops.Abs,
}

// gradOn returns the derivative of f at each of x, in float32.
func gradOn(t *testing.T, e engine.Engine, f func(x *graph.Node) *graph.Node, x []float32, opts ...vm.Option) []float32 {
	t.Helper()
	g := graph.New()
	in := g.Input("x", shape.F32(shape.N))
	dx := autodiff.Grad(ops.Sum(f(in)), in)
	p, err := vm.Compile(e, dx, append(opts, vm.Checked)...)
	require.NoError(t, err)
	m, err := p.NewMachine(vm.NewStore(1))
	require.NoError(t, err)
	out, err := m.Run(t.Context(), tensor.New(tensor.WithShape(len(x)), tensor.WithBacking(x)))
	require.NoError(t, err)
	return floats(out[0])
}

// TestAConditionHasOneAnswer: whichever passes run, and on engines that take denormals for zeros
// where they compute.
func TestAConditionHasOneAnswer(t *testing.T) {
	nan := float32(math.NaN())
	x := []float32{1e-39, -1e-39, math.SmallestNonzeroFloat32, 0, float32(math.Copysign(0, -1)), 1, -1, .5, nan}
	for i := range 60 { // whole vectors, and a rest
		x = append(x, x[i%9])
	}
	for name, f := range conditions {
		fused := gradOn(t, cpu.New(), f, x)
		require.Equal(t, bits(gradOn(t, cpu.New(), f, x, vm.Without("fuse"))), bits(fused), name)
		require.Equal(t, bits(gradOn(t, cpu.New(), f, x, vm.Without("fuse", "simplify", "mask"))), bits(fused), name)
	}
	for _, e := range []engine.Engine{ref.Engine{}, cpu.New()} {
		for name, want := range map[string][]float32{
			"Where":          {2, 3, 2, 3, 3, 2, 3, 2, 3},
			"WhereLess":      {3, 2, 3, 3, 3, 3, 2, 3, 3},
			"WhereLessEqual": {3, 2, 3, 2, 2, 3, 2, 3, 3},
		} {
			require.Equal(t, want, gradOn(t, e, conditions[name], x)[:9], "%s on %s", name, e.Name())
			require.Equal(t, want, gradOn(t, e, conditions[name], x, vm.Without("fuse"))[:9], "%s on %s", name, e.Name())
		}
	}
}

// TestExtremesOfDenormalsHaveAGradient: a maximum is one of its elements, whose gradient looks for
// it; powers and their logarithm agree on what is 0.
func TestExtremesOfDenormalsHaveAGradient(t *testing.T) {
	x := []float32{1e-40, 3e-40, 2e-40, -1e-40}
	largest := func(x *graph.Node) *graph.Node { return ops.Max(x, 0) }
	smallest := func(x *graph.Node) *graph.Node { return ops.Min(x, 0) }
	power := func(b float64) func(x *graph.Node) *graph.Node {
		return func(x *graph.Node) *graph.Node { return ops.Pow(ops.Scalar(x, b), x) }
	}
	for _, e := range []engine.Engine{ref.Engine{}, cpu.New()} {
		require.Equal(t, []float32{0, 1, 0, 0}, gradOn(t, e, largest, x), e.Name())
		require.Equal(t, []float32{0, 0, 0, 1}, gradOn(t, e, smallest, x), e.Name())
		for _, d := range gradOn(t, e, power(1e-40), []float32{.3, .7, 1.3}) {
			require.False(t, math.IsInf(float64(d), 0) || d != d, "%v on %s", d, e.Name())
		}
		require.InEpsilon(t, -92.1034*math.Pow(1e-40, .3), gradOn(t, e, power(1e-40), []float32{.3})[0], 1e-5, e.Name())
	}
}

func bits(x []float32) []uint32 {
	all := make([]uint32, len(x))
	for i, v := range x {
		all[i] = math.Float32bits(v)
		if v != v {
			all[i] = 0x7fc00000
		}
	}
	return all
}

// TestSlopesByDenormalsAreNoNaN: what an engine takes for 0 may meet what is infinite.
func TestSlopesByDenormalsAreNoNaN(t *testing.T) {
	for name, f := range map[string]func(x *graph.Node) *graph.Node{
		"0 to the power x": func(x *graph.Node) *graph.Node { return ops.Pow(ops.ZerosLike(x), x) },
		"by the base 0": func(x *graph.Node) *graph.Node {
			return ops.Pow(ops.Sub(x, ops.StopGradient(x)), ops.StopGradient(x))
		},
	} {
		for _, e := range []engine.Engine{ref.Engine{}, cpu.New()} {
			for i, slope := range gradOn(t, e, f, []float32{1e-39, math.SmallestNonzeroFloat32, 0x1p-126}) {
				require.False(t, math.IsNaN(float64(slope)), "%s, element %d on %s", name, i, e.Name())
			}
		}
	}
}
