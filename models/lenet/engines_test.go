package lenet_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/engine/std"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/allocs"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// trainer is LeNet ready to be trained, with batches of made-up digits.
type trainer struct {
	machine *vm.Machine
	store   *vm.Store
}

func newTrainer(t testing.TB, e engine.Engine) trainer {
	g := graph.New()
	x, y := g.Input("x", shape.F32(shape.N, 1, 28, 28)), g.Input("y", shape.I32(shape.N))
	loss := ops.CrossEntropy(lenet.Model.Apply(nn.Root(g), x), y)
	optim.SGD{LR: .05, Momentum: .9}.Apply(g, autodiff.Grad(loss, g.Params()...))
	p, err := vm.Compile(e, []*graph.Node{loss}, vm.Train)
	require.NoError(t, err)
	s := vm.NewStore(7)
	m, err := p.NewMachine(s)
	require.NoError(t, err)
	return trainer{m, s}
}

// batch is n images and their labels.
func batch(n int) []*tensor.Dense {
	v, y := make([]float32, n*28*28), make([]int32, n)
	for i := range v {
		v[i] = float32(7919*i%1009)/504.5 - 1
	}
	for i := range y {
		y[i] = int32(37 * i % 10)
	}
	return []*tensor.Dense{
		tensor.New(tensor.WithShape(n, 1, 28, 28), tensor.WithBacking(v)),
		tensor.New(tensor.WithShape(n), tensor.WithBacking(y)),
	}
}

func (tr trainer) step(t testing.TB, in []*tensor.Dense) float64 {
	out, err := tr.machine.Run(context.Background(), in...)
	require.NoError(t, err)
	loss, err := vm.Number(out[0])
	require.NoError(t, err)
	return loss
}

// weights are all values of the store, as bits.
func (tr trainer) weights(t testing.TB) (all []float32) {
	for _, name := range tr.store.Names() {
		v, err := tr.store.Value(name)
		require.NoError(t, err)
		if v.Dtype() == tensor.Float32 {
			all = append(all, v.Float32s()...)
		}
	}
	return all
}

func TestEnginesAgree(t *testing.T) {
	in := batch(5)
	var losses [][]float64
	for _, e := range []engine.Engine{ref.Engine{}, std.New(tensor.StdEng{}), cpu.New()} {
		tr := newTrainer(t, e)
		var l []float64
		for range 6 {
			l = append(l, tr.step(t, in))
		}
		losses = append(losses, l)
	}
	require.InDeltaSlice(t, losses[0], losses[1], 1e-4)
	require.InDeltaSlice(t, losses[0], losses[2], 1e-4)
}

func TestCPUGivesTheSameBitsForAnyGOMAXPROCS(t *testing.T) {
	run := func(procs int) []float32 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		tr := newTrainer(t, cpu.New())
		for _, n := range []int{64, 13, 64} {
			tr.step(t, batch(n))
		}
		return tr.weights(t)
	}
	one := run(1)
	require.Equal(t, one, run(2))
	require.Equal(t, one, run(8))
}

func TestACPUStepAllocatesNothing(t *testing.T) {
	tr := newTrainer(t, cpu.New())
	large, small := batch(64), batch(7)
	step := func() {
		for _, in := range [][]*tensor.Dense{large, small} {
			if _, err := tr.machine.Run(context.Background(), in...); err != nil {
				t.Fatal(err)
			}
		}
	}
	step()
	require.Zero(t, allocs.PerRun(10, step))
}

func BenchmarkTrainingStep(b *testing.B) {
	for _, e := range []engine.Engine{cpu.New(), std.New(tensor.StdEng{}), ref.Engine{}} {
		b.Run(e.Name(), func(b *testing.B) {
			tr, in := newTrainer(b, e), batch(64)
			for b.Loop() {
				tr.step(b, in)
			}
		})
	}
}

// pytorch#19651: denormal numbers made a network many times slower. Kernels of cpu flush
// them, so that both cost the same.
func BenchmarkDenormals(b *testing.B) {
	for _, c := range []struct {
		name  string
		scale float32
	}{{"normal", 1}, {"denormal", 1e-40}} {
		b.Run(c.name, func(b *testing.B) {
			tr, in := newTrainer(b, cpu.New()), batch(64)
			for i := range in[0].Float32s() {
				in[0].Float32s()[i] *= c.scale
			}
			for _, name := range tr.store.Names() {
				v, err := tr.store.Value(name)
				require.NoError(b, err)
				if v.Dtype() != tensor.Float32 {
					continue
				}
				for i := range v.Float32s() {
					v.Float32s()[i] *= c.scale
				}
				require.NoError(b, tr.store.Set(name, v))
			}
			for b.Loop() {
				tr.step(b, in)
			}
		})
	}
}
