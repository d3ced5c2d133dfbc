package vm_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/enginetest"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/allocs"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// aroundOne draws from [0.5,1.5).
type aroundOne struct{}

func (aroundOne) Fill(v []float64, _ shape.Type, r *rand.Rand) {
	for i := range v {
		v[i] = .5 + r.Float64()
	}
}

// normalised is a convolution with a bias, a normalisation by running statistics, and a ReLU.
func normalised() []*graph.Node {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 2, 6, 6))
	leaf := func(name string, dims ...shape.Dim) *graph.Node {
		return g.Param(name, shape.F32(dims...), aroundOne{})
	}
	y := ops.AddBias(ops.Conv2D(x, leaf("w", 3, 2, 3, 3), ops.Conv2DOp{}), leaf("b", 3))
	y = ops.BatchNorm(y, leaf("gamma", 3), leaf("beta", 3), leaf("mean", 3), leaf("var", 3), ops.BatchNormOptions{})
	return graph.Inference(ops.ReLU(y))
}

func pixels(n int, scale float32) *tensor.Dense {
	v := make([]float32, n*2*6*6)
	for i := range v {
		v[i] = scale * float32(i%17-8)
	}
	return tensor.New(tensor.WithShape(n, 2, 6, 6), tensor.WithBacking(v))
}

func run(t *testing.T, m *vm.Machine, in ...*tensor.Dense) []float32 {
	t.Helper()
	out, err := m.Run(context.Background(), in...)
	require.NoError(t, err)
	return append([]float32(nil), out[0].Float32s()...)
}

func hoisting(t *testing.T, e engine.Engine, s *vm.Store, outs []*graph.Node, opts ...vm.Option) *vm.Machine {
	t.Helper()
	m, err := vm.MustCompile(e, outs, append(opts, vm.Checked)...).NewMachine(s)
	require.NoError(t, err)
	return m
}

// A normalisation is folded into the convolution before it: the program has one instruction for both,
// and what is folded follows the leaves, whoever changes them.
func TestHoistedValuesFollowTheirLeaves(t *testing.T) {
	for _, e := range []engine.Engine{ref.Engine{}, cpu.New(), enginetest.Followed{}} {
		s := vm.NewStore(1)
		outs := normalised()
		folded, plain := hoisting(t, e, s, outs), hoisting(t, e, s, outs, vm.Without("scale", "hoist"))
		same := func() {
			t.Helper()
			for _, n := range []int{1, 3, 1} {
				x := pixels(n, .25)
				require.InDeltaSlice(t, run(t, plain, x), run(t, folded, x), 1e-4)
			}
		}
		same()
		for _, name := range []string{"w", "b", "gamma", "beta", "mean", "var"} {
			d, err := s.Value(name)
			require.NoError(t, err)
			v := d.Float32s()
			for i := range v {
				v[i] *= 1.5
			}
			before := run(t, folded, pixels(1, .25))
			require.NoError(t, s.Set(name, d))
			same()
			require.NotEqual(t, before, run(t, folded, pixels(1, .25)), name)
		}
		require.NoError(t, s.Delete("mean"))
		require.NoError(t, s.Set("mean", tensor.New(tensor.WithShape(3), tensor.WithBacking([]float32{9, 8, 7}))))
		same()
	}
}

func TestAFoldedNormalisationIsOneInstruction(t *testing.T) {
	list, err := vm.MustCompile(ref.Engine{}, normalised()).Describe(2)
	require.NoError(t, err)
	var names []string
	for _, in := range list {
		if in.Engine != "" {
			names = append(names, in.Name)
		}
	}
	require.Equal(t, []string{"Conv2D+Bias+ReLU"}, names)
}

// A training program changes leaves: it keeps what depends on them.
func TestTrainingHoistsNothing(t *testing.T) {
	g := graph.New()
	w := g.Param("w", shape.F32(3), aroundOne{})
	v := ops.Exp(w)
	g.Update(w, ops.MulScalar(w, .5))
	m := hoisting(t, ref.Engine{}, vm.NewStore(1), []*graph.Node{ops.Mul(v, g.Input("x", shape.F32(3)))}, vm.Train)
	one := tensor.New(tensor.WithShape(3), tensor.WithBacking([]float32{1, 1, 1}))
	require.NotEqual(t, run(t, m, one), run(t, m, one))
}

// What is larger than the leaves that it depends on is computed in place.
func TestHoistKeepsNothingLarge(t *testing.T) {
	g := graph.New()
	w := g.Param("w", shape.F32(1, 4), aroundOne{})
	y := ops.Add(g.Input("x", shape.F32(1000, 4)), ops.Softmax(ops.BroadcastTo(w, shape.Of(1000, 4)), 1))
	mem, err := vm.MustCompile(ref.Engine{}, []*graph.Node{y}).Memory(1)
	require.NoError(t, err)
	require.Less(t, mem.Once, 1000)
	require.Greater(t, mem.Arena, 10000)
}

func TestAnInputMayHaveTheNameOfAHoistedValue(t *testing.T) {
	g := graph.New()
	x, w := g.Input("once.0", shape.F32(2)), g.Param("w", shape.F32(2), graph.Fill(1))
	m := hoisting(t, ref.Engine{}, vm.NewStore(1), []*graph.Node{ops.Mul(x, ops.Neg(w))})
	require.Equal(t, []float32{-3, -4}, run(t, m, tensor.New(tensor.WithShape(2), tensor.WithBacking([]float32{3, 4}))))
}

func TestACancelledRunLeavesHoistedValuesToTheNext(t *testing.T) {
	outs := normalised()
	s := vm.NewStore(1)
	m := hoisting(t, cpu.New(), s, outs)
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := m.Run(gone, pixels(1, 1))
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, run(t, hoisting(t, cpu.New(), s, outs), pixels(1, 1)), run(t, m, pixels(1, 1)))
}

// Machines of one program share what is computed once, and make it anew between the steps of a
// training, at most one of them at a time.
func TestMachinesShareHoistedValues(t *testing.T) {
	outs := normalised()
	p := vm.MustCompile(cpu.New(), outs)
	s := vm.NewStore(1)
	var all []*vm.Machine
	for range 4 {
		m, err := p.NewMachine(s)
		require.NoError(t, err)
		all = append(all, m)
	}
	for step := range 20 {
		require.NoError(t, s.Set("var", tensor.New(tensor.WithShape(3), tensor.WithBacking([]float32{1, 2, float32(step + 1)}))))
		got := make([][]float32, len(all))
		var wait sync.WaitGroup
		errs := make(chan error, len(all))
		for i, m := range all {
			wait.Go(func() {
				out, err := m.Run(context.Background(), pixels(1+i%2, .5))
				if err != nil {
					errs <- err
					return
				}
				got[i] = append([]float32(nil), out[0].Float32s()[:48]...)
			})
		}
		wait.Wait()
		close(errs)
		for err := range errs {
			require.NoError(t, err)
		}
		for i := range got {
			require.Equal(t, got[0], got[i], fmt.Sprint(step, i))
		}
	}
}

func TestRunsWithHoistedValuesAllocateNothing(t *testing.T) {
	m, x := hoisting(t, cpu.New(), vm.NewStore(1), normalised()), pixels(2, 1)
	run(t, m, x)
	require.Zero(t, allocs.PerRun(20, func() {
		if _, err := m.Run(context.Background(), x); err != nil {
			t.Error(err)
		}
	}))
}

// Factors go into the parameters of every op that is linear in them: compared with what is computed
// without.
func TestFactorsGoIntoParameters(t *testing.T) {
	f32 := shape.F32
	for name, build := range map[string]func(g *graph.Graph, x func(dims ...shape.Dim) *graph.Node, leaf func(dims ...shape.Dim) *graph.Node) *graph.Node{
		"groups": func(_ *graph.Graph, x, leaf func(dims ...shape.Dim) *graph.Node) *graph.Node {
			return ops.Mul(leaf(6, 1, 1), ops.Conv2D(x(shape.N, 4, 5, 5), leaf(6, 2, 3, 3), ops.Conv2DOp{Groups: 2}))
		},
		"transposed": func(_ *graph.Graph, x, leaf func(dims ...shape.Dim) *graph.Node) *graph.Node {
			y := ops.ConvTranspose2D(x(shape.N, 4, 5, 5), leaf(4, 3, 3, 3), ops.Conv2DOp{Groups: 2, Stride: [2]int{2, 2}}, [2]int{1, 0})
			return ops.Mul(y, leaf(1, 6, 1, 1))
		},
		"product": func(_ *graph.Graph, x, leaf func(dims ...shape.Dim) *graph.Node) *graph.Node {
			return ops.Add(ops.Mul(ops.Add(ops.MatMul(x(shape.N, 4), leaf(4, 3)), leaf(3)), leaf(3)), leaf(3))
		},
		"product, transposed": func(_ *graph.Graph, x, leaf func(dims ...shape.Dim) *graph.Node) *graph.Node {
			return ops.Mul(ops.MatMul(x(shape.N, 4), leaf(3, 4), ops.MatMulOp{TransB: true}), leaf(1, 3))
		},
	} {
		g := graph.New()
		leaves := 0
		var in *tensor.Dense
		y := build(g, func(dims ...shape.Dim) *graph.Node {
			n := g.Input("x", f32(dims...))
			v := make([]float32, n.Type().At(2).Len())
			for i := range v {
				v[i] = float32(i%7) - 3
			}
			in = tensor.New(tensor.WithShape(n.Type().At(2).Shape.Ints()...), tensor.WithBacking(v))
			return n
		}, func(dims ...shape.Dim) *graph.Node {
			leaves++
			return g.Param(fmt.Sprint("leaf", leaves), f32(dims...), aroundOne{})
		})
		require.NoError(t, g.Err(), name)
		s := vm.NewStore(3)
		outs := []*graph.Node{y}
		list, err := vm.MustCompile(ref.Engine{}, outs).Describe(2)
		require.NoError(t, err)
		for _, i := range list {
			require.NotContains(t, i.Text, "mul(", name)
		}
		require.InDeltaSlice(t, run(t, hoisting(t, ref.Engine{}, s, outs, vm.Without("scale", "hoist")), in), run(t, hoisting(t, ref.Engine{}, s, outs), in), 1e-4, name)
	}
}
