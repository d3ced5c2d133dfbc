package lenet_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/mnist"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// The two forms, with what trains them.
var forms = map[string]struct {
	model nn.Layer
	loss  func(logits, target *graph.Node) *graph.Node
	rule  optim.Optimizer
	pixel func(x float32) float32 // of an intensity from 0 to 1
}{
	"modern": {
		lenet.Model, crossEntropy, optim.SGD{LR: 0.01, Momentum: 0.9},
		func(x float32) float32 { return (x - mnist.Mean) / mnist.Std },
	},
	"1998":                    {lenet.Model1998, lenet.Loss1998, optim.SGD{LR: 0.002, Momentum: 0.9}, pixel1998},
	"1998 with cross-entropy": {lenet.Model1998, crossEntropy, optim.SGD{LR: 0.002, Momentum: 0.9}, pixel1998},
}

func crossEntropy(logits, target *graph.Node) *graph.Node { return ops.CrossEntropy(logits, target) }

func pixel1998(x float32) float32 { return (x - lenet.Mean1998) / lenet.Std1998 }

// Counts as published: table of section II.B for the 1998 form.
func TestParameters(t *testing.T) {
	for _, tt := range []struct {
		model nn.Layer
		total int
		want  map[string]int
	}{
		{lenet.Model, 61706, map[string]int{"conv1": 156, "conv2": 2416, "fc1": 48120, "fc2": 10164, "fc3": 850}},
		{lenet.Model1998, 60000, map[string]int{"c1": 156, "s2": 12, "c3": 1516, "s4": 32, "c5": 48120, "f6": 10164}},
	} {
		g := graph.New()
		x := g.Input("x", shape.F32(shape.N, 1, 28, 28))
		require.Equal(t, shape.F32(shape.N, 10), tt.model.Apply(nn.Root(g), x).Type())
		require.NoError(t, g.Err())

		have, total := map[string]int{}, 0
		for _, p := range g.Params() {
			n := p.Type().Len()
			have[p.Layer()] += n
			total += n
		}
		require.Equal(t, tt.want, have)
		require.Equal(t, tt.total, total)
		require.Len(t, g.Leaves(), len(g.Params()), "nothing but parameters is kept")
	}
}

func TestMACs(t *testing.T) {
	g := graph.New()
	lenet.Model.Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, 1, 28, 28)))
	have := map[string]int{}
	for _, n := range g.Nodes() {
		if macs := nn.MACs(n); macs > 0 {
			have[n.Layer()] = macs
		}
	}
	require.Equal(t, map[string]int{ // 416,520 in all
		"conv1": 28 * 28 * 6 * 25, "conv2": 10 * 10 * 16 * 150, "fc1": 400 * 120, "fc2": 120 * 84, "fc3": 84 * 10,
	}, have)
}

func TestTooSmallAnImageIsOneError(t *testing.T) {
	g := graph.New()
	logits := lenet.Model.Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, 1, 8, 8)))
	crossEntropy(logits, g.Input("y", shape.I32(shape.N)))
	var list graph.ErrorList
	require.ErrorAs(t, g.Err(), &list)
	require.Len(t, list, 1)
	require.Equal(t, "conv2", list[0].Layer)
	require.Contains(t, list[0].Pos.File, "lenet_test.go")
}

// Four epochs of 320 digits.
func TestTrainingLowersTheLoss(t *testing.T) {
	digits, err := mnist.Train()
	require.NoError(t, err)
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := graph.New()
			x, y := g.Input("x", shape.F32(shape.N, 1, 28, 28)), g.Input("y", shape.I32(shape.N))
			loss := form.loss(form.model.Apply(nn.Root(g), x), y)
			form.rule.Apply(g, autodiff.Grad(loss, g.Params()...))
			p, err := vm.Compile(ref.Engine{}, []*graph.Node{loss}, vm.Train)
			require.NoError(t, err)
			m, err := p.NewMachine(vm.NewStore(1))
			require.NoError(t, err)

			const batch, batches, epochs = 16, 20, 4
			var losses []float64 // mean of each epoch
			for range epochs {
				sum := 0.0
				for i := range batches {
					bx, by := read(t, digits, i*batch, batch, form.pixel)
					outs, err := m.Run(t.Context(), bx, by)
					require.NoError(t, err)
					l, err := vm.Number(outs[0])
					require.NoError(t, err)
					sum += l
				}
				losses = append(losses, sum/batches)
			}
			t.Log(losses)
			require.Less(t, losses[epochs-1], 0.7*losses[0])
		})
	}
}

// read returns n digits from the first on.
func read(t *testing.T, ds data.Dataset, first, n int, pixel func(float32) float32) (x, y *tensor.Dense) {
	t.Helper()
	xs, ys := make([]float32, n*28*28), make([]int32, n)
	for i := range n {
		e := data.Example{X: xs[i*28*28:][:28*28], Labels: ys[i:][:1]}
		require.NoError(t, ds.Read(first+i, e))
		for j, v := range e.X {
			e.X[j] = pixel(v*mnist.Std + mnist.Mean)
		}
	}
	return tensor.New(tensor.WithShape(n, 1, 28, 28), tensor.WithBacking(xs)), tensor.New(tensor.WithShape(n), tensor.WithBacking(ys))
}

// Central differences in float64 along a random direction in each parameter.
func TestGradientsAgreeWithFiniteDifferences(t *testing.T) {
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			g := graph.New()
			x, y := g.Input("x", shape.F64(shape.N, 1, 28, 28)), g.Input("y", shape.I32(shape.N))
			loss := form.loss(form.model.Apply(nn.Root(g), x), y)
			params := g.Params()
			outs := append([]*graph.Node{loss}, autodiff.Grad(loss, params...)...)
			p, err := vm.Compile(ref.Engine{}, outs)
			require.NoError(t, err)
			store := vm.NewStore(3)
			require.NoError(t, store.Init(g.Leaves()...))

			r := rand.New(rand.NewPCG(1, 2))
			images := make([]float64, 2*28*28)
			for i := range images {
				images[i] = r.Float64()
			}
			feed := []*tensor.Dense{
				tensor.New(tensor.WithShape(2, 1, 28, 28), tensor.WithBacking(images)),
				tensor.New(tensor.WithShape(2), tensor.WithBacking([]int32{3, 8})),
			}
			run := func() (results [][]float64) {
				m, err := p.NewMachine(store)
				require.NoError(t, err)
				values, err := m.Run(t.Context(), feed...)
				require.NoError(t, err)
				l, err := vm.Number(values[0])
				require.NoError(t, err)
				results = append(results, []float64{l})
				for _, v := range values[1:] {
					results = append(results, slices.Clone(v.Data().([]float64)))
				}
				return results
			}
			grads := run()[1:]
			for i, param := range params {
				v, err := store.Value(param.Name())
				require.NoError(t, err)
				at, dims := slices.Clone(v.Data().([]float64)), slices.Clone(v.Shape())
				direction, slope := make([]float64, len(at)), 0.0
				for j := range direction {
					direction[j] = r.NormFloat64() / math.Sqrt(float64(len(at)))
					slope += direction[j] * grads[i][j]
				}
				lossAt := func(step float64) float64 {
					moved := slices.Clone(at)
					for j := range moved {
						moved[j] += step * direction[j]
					}
					require.NoError(t, store.Set(param.Name(), tensor.New(tensor.WithShape(dims...), tensor.WithBacking(moved))))
					return run()[0][0]
				}
				const h = 1e-6 // small, so as not to meet the kinks of ReLU and max pooling
				difference := (lossAt(h) - lossAt(-h)) / (2 * h)
				lossAt(0)
				require.InDelta(t, difference, slope, 1e-6*max(1, math.Abs(slope)), "%v", param)
			}
		})
	}
}
