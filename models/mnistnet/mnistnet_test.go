package mnistnet

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
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

func TestParametersAndMACs(t *testing.T) {
	for _, c := range []struct {
		model       nn.Layer
		want        map[string]int // parameters of each layer
		total, macs int
	}{
		{
			Model, map[string]int{
				"conv1.conv": 9 * 16, "conv2.conv": 9 * 16 * 32, "conv3.conv": 9 * 32 * 64, "conv4.conv": 9 * 64 * 64, "conv5.conv": 9 * 64 * 128,
				"conv1.norm": 2 * 16, "conv2.norm": 2 * 32, "conv3.norm": 2 * 64, "conv4.norm": 2 * 64, "conv5.norm": 2 * 128,
				"fc": 128*10 + 10,
			}, 135_674, 9*16*26*26 + 9*16*32*24*24 + 9*32*64*10*10 + 9*64*64*8*8 + 9*64*128*4*4 + 128*10,
		},
		{
			NewDense(10), map[string]int{
				"conv1.conv": 25 * 32, "conv2.conv": 9 * 32 * 64, "conv3.conv": 9 * 64 * 64, "fc1.linear": 64 * 4 * 4 * 128,
				"conv1.norm": 2 * 32, "conv2.norm": 2 * 64, "conv3.norm": 2 * 64, "fc1.norm": 2 * 128,
				"fc2": 128*10 + 10,
			}, 189_034, 25*32*24*24 + 9*32*64*10*10 + 9*64*64*8*8 + 64*4*4*128 + 128*10,
		},
		{
			NewWide(10), map[string]int{
				"conv1.conv": 9 * 32, "conv2.conv": 9 * 32 * 64, "conv3.conv": 9 * 64 * 128, "conv4.conv": 9 * 128 * 128,
				"conv1.norm": 2 * 32, "conv2.norm": 2 * 64, "conv3.norm": 2 * 128, "conv4.norm": 2 * 128,
				"fc": 128*10 + 10,
			}, 241_898, 9*32*28*28 + 9*32*64*14*14 + 9*64*128*7*7 + 9*128*128*7*7 + 128*10,
		},
	} {
		g := graph.New()
		logits := c.model.Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, 1, 28, 28)))
		require.NoError(t, g.Err())
		require.Equal(t, shape.F32(shape.N, 10), logits.Type())
		have, total := map[string]int{}, 0
		for _, p := range g.Params() {
			have[p.Layer()] += p.Type().Len()
			total += p.Type().Len()
		}
		require.Equal(t, c.want, have)
		require.Equal(t, c.total, total)
		macs := 0
		for _, n := range graph.Reachable(logits) {
			macs += nn.MACs(n)
		}
		require.Equal(t, c.macs, macs)
	}
}

// Central differences in float64 along a random direction in each parameter.
func TestGradientsAgreeWithFiniteDifferences(t *testing.T) {
	for name, model := range map[string]nn.Layer{
		"averaged": build([5]int{2, 3, 4, 3, 5}, 4, 0),
		"dense":    buildDense([4]int{2, 3, 4, 5}, 4),
		"wide":     buildWide([4]int{2, 3, 4, 5}, 4),
	} {
		t.Run(name, func(t *testing.T) { checkGradients(t, model) })
	}
}

func checkGradients(t *testing.T, model nn.Layer) {
	t.Helper()
	g := graph.New()
	x, y := g.Input("x", shape.F64(shape.N, 1, 28, 28)), g.Input("y", shape.I32(shape.N))
	loss := ops.CrossEntropy(model.Apply(nn.Root(g), x), y)
	params := g.Params()
	p, err := vm.Compile(ref.Engine{}, append([]*graph.Node{loss}, autodiff.Grad(loss, params...)...))
	require.NoError(t, err)
	store := vm.NewStore(3)
	require.NoError(t, store.Init(g.Leaves()...))
	m, err := p.NewMachine(store)
	require.NoError(t, err)

	r := rand.New(rand.NewPCG(1, 2))
	const batch = 4
	images := make([]float64, batch*28*28)
	for i := range images {
		images[i] = r.NormFloat64()
	}
	bx := tensor.New(tensor.WithShape(batch, 1, 28, 28), tensor.WithBacking(images))
	by := tensor.New(tensor.WithShape(batch), tensor.WithBacking([]int32{0, 2, 1, 3}))
	run := func() (loss float64, grads [][]float64) {
		values, err := m.Run(t.Context(), bx, by)
		require.NoError(t, err)
		loss, err = vm.Number(values[0])
		require.NoError(t, err)
		for _, v := range values[1:] {
			grads = append(grads, slices.Clone(v.Data().([]float64)))
		}
		return loss, grads
	}
	_, grads := run()
	for i, param := range params {
		v, err := store.Value(param.Name())
		require.NoError(t, err)
		at := slices.Clone(v.Data().([]float64))
		direction, slope := make([]float64, len(at)), 0.0
		for j := range direction {
			direction[j] = r.NormFloat64() / math.Sqrt(float64(len(at)))
			slope += direction[j] * grads[i][j]
		}
		require.NotZero(t, slope, "%v", param)
		lossAt := func(step float64) float64 {
			moved := slices.Clone(at)
			for j := range moved {
				moved[j] += step * direction[j]
			}
			require.NoError(t, store.Set(param.Name(), tensor.New(tensor.WithShape(param.Type().Ints()...), tensor.WithBacking(moved))))
			loss, _ := run()
			return loss
		}
		const h = 1e-6 // small, so as not to meet the kinks of ReLU and max pooling
		difference := (lossAt(h) - lossAt(-h)) / (2 * h)
		lossAt(0)
		require.InDelta(t, difference, slope, 1e-6*max(1, math.Abs(slope)), "%v", param)
	}
}

// Two epochs of 640 digits.
func TestTrainingLowersTheLoss(t *testing.T) {
	for name, model := range map[string]nn.Layer{"averaged": Model, "dense": NewDense(10), "wide": NewWide(10)} {
		t.Run(name, func(t *testing.T) { checkTraining(t, model) })
	}
}

func checkTraining(t *testing.T, model nn.Layer) {
	t.Helper()
	digits, err := mnist.Train()
	require.NoError(t, err)
	g := graph.New()
	x, y := g.Input("x", shape.F32(shape.N, 1, 28, 28)), g.Input("y", shape.I32(shape.N))
	loss := ops.CrossEntropy(model.Apply(nn.Root(g), x), y)
	optim.SGD{LR: .05, Momentum: .9}.Apply(g, autodiff.Grad(loss, g.Params()...))
	p, err := vm.Compile(cpu.New(), []*graph.Node{loss}, vm.Train)
	require.NoError(t, err)
	m, err := p.NewMachine(vm.NewStore(1))
	require.NoError(t, err)

	const batch, batches, epochs = 32, 20, 2
	var losses []float64 // mean of each epoch
	for range epochs {
		sum := 0.0
		for i := range batches {
			bx, by := read(t, digits, i*batch, batch)
			outs, err := m.Run(t.Context(), bx, by)
			require.NoError(t, err)
			l, err := vm.Number(outs[0])
			require.NoError(t, err)
			sum += l
		}
		losses = append(losses, sum/batches)
	}
	t.Log(losses)
	require.Less(t, losses[epochs-1], .7*losses[0])
}

// read returns n digits from the first on.
func read(t *testing.T, ds data.Dataset, first, n int) (x, y *tensor.Dense) {
	t.Helper()
	xs, ys := make([]float32, n*28*28), make([]int32, n)
	for i := range n {
		require.NoError(t, ds.Read(first+i, data.Example{X: xs[i*28*28:][:28*28], Labels: ys[i:][:1]}))
	}
	return tensor.New(tensor.WithShape(n, 1, 28, 28), tensor.WithBacking(xs)), tensor.New(tensor.WithShape(n), tensor.WithBacking(ys))
}
