package alexnet

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// row is what a layer of a network has and gives.
type row struct {
	parameters, macs int
	out              shape.Shape
}

// Shapes are those of the paper's figure 2; counts are those of Caffe's bvlc_alexnet, which is the
// same network, and in millions those of Sze et al., Efficient Processing of Deep Neural Networks,
// 2017, table II: 61 M weights, 724 M multiply-accumulates.
func TestLayersAreThoseOfThePaper(t *testing.T) {
	want := map[string]row{
		"conv1": {34_944, 105_415_200, shape.Of(shape.N, 96, 55, 55)},
		"conv2": {307_456, 223_948_800, shape.Of(shape.N, 256, 27, 27)},
		"conv3": {885_120, 149_520_384, shape.Of(shape.N, 384, 13, 13)},
		"conv4": {663_936, 112_140_288, shape.Of(shape.N, 384, 13, 13)},
		"conv5": {442_624, 74_760_192, shape.Of(shape.N, 256, 13, 13)},
		"fc6":   {37_752_832, 37_748_736, shape.Of(shape.N, 4096)},
		"fc7":   {16_781_312, 16_777_216, shape.Of(shape.N, 4096)},
		"fc8":   {4_097_000, 4_096_000, shape.Of(shape.N, 1000)},
	}
	for _, side := range []shape.Dim{224, 227} {
		g := graph.New()
		logits := Model2012.Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, 3, side, side)))
		require.NoError(t, g.Err())
		require.Equal(t, shape.F32(shape.N, 1000), logits.Type())
		have, parameters, macs := map[string]row{}, 0, 0
		for _, n := range graph.Reachable(logits) {
			r := have[n.Layer()]
			if n.Kind() == graph.Param {
				r.parameters += n.Type().Len()
				parameters += n.Type().Len()
			} else {
				r.macs += nn.MACs(n)
				r.out = n.Type().Shape
				macs += nn.MACs(n)
			}
			have[n.Layer()] = r
		}
		for name, r := range want {
			require.Equal(t, r, have[name], name)
		}
		require.Equal(t, 60_965_224, parameters)
		require.Equal(t, 724_406_816, macs)
	}
}

// Section 5: weights of deviation 0.01 around 0; biases 1 in the second, fourth and fifth
// convolution and in the hidden dense layers, 0 elsewhere.
func TestInitialValuesAreThoseOfThePaper(t *testing.T) {
	g := graph.New()
	Model2012.Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, 3, 224, 224)))
	biases := map[string]float64{"conv1": 0, "conv2": 1, "conv3": 0, "conv4": 1, "conv5": 1, "fc6": 1, "fc7": 1, "fc8": 0}
	require.Len(t, g.Params(), 2*len(biases))
	for layer, bias := range biases {
		require.Equal(t, nn.Normal{Std: .01}, g.Leaf(layer+".weight").Init(), layer)
		require.Equal(t, nn.Constant(bias), g.Leaf(layer+".bias").Init(), layer)
	}
}

// A filter of conv2, conv4 or conv5 sees the maps of its own GPU alone.
func TestChannelsOfOneGPUDoNotReachTheOther(t *testing.T) {
	for _, layer := range []struct {
		index   int // in the Sequential
		in, out int
	}{{4, 96, 256}, {10, 384, 384}, {12, 384, 256}} {
		g := graph.New()
		x := g.Input("x", shape.F64(1, shape.Dim(layer.in), 5, 5))
		y := Model2012.(nn.Sequential)[layer.index].Apply(nn.Root(g), x)
		images := make([]float64, layer.in*25)
		store := vm.NewStore(1)
		before := run(t, store, []*graph.Node{y}, images, shape.OfInts(1, layer.in, 5, 5))[0]
		for i := range images[:len(images)/2] {
			images[i] = 1 // on the first GPU
		}
		after := run(t, store, []*graph.Node{y}, images, shape.OfInts(1, layer.in, 5, 5))[0]
		half := len(after) / 2
		require.NotEqual(t, before[:half], after[:half])
		require.Equal(t, before[half:], after[half:])
	}
}

// small is the network in a size that can be differentiated by finite differences; 67 pixels leave
// one after the last pooling.
var small = widths{[5]int{4, 8, 6, 8, 4}, 8, 3}

const smallSide = 67

// Central differences in float64 along a random direction in each parameter.
func TestGradientsAgreeWithFiniteDifferences(t *testing.T) {
	for name, model := range map[string]nn.Layer{
		"published": twoTowers(small, 0), "one tower": oneTower(small, 0, plain), "batch normalisation": oneTower(small, 0, normalised),
	} {
		t.Run(name, func(t *testing.T) {
			g := graph.New()
			x, y := g.Input("x", shape.F64(shape.N, 3, smallSide, smallSide)), g.Input("y", shape.I32(shape.N))
			loss := ops.CrossEntropy(model.Apply(nn.Root(g), x), y)
			params := g.Params()
			outs := append([]*graph.Node{loss}, autodiff.Grad(loss, params...)...)

			r := rand.New(rand.NewPCG(1, 2))
			images := make([]float64, 4*3*smallSide*smallSide)
			for i := range images {
				images[i] = r.NormFloat64()
			}
			store := vm.NewStore(3)
			require.NoError(t, store.Init(g.Leaves()...))
			for _, p := range params { // far from the paper's small ones, so that every layer counts
				fan := max(1, p.Type().Len()/p.Type().Shape.Int(0))
				set(t, store, p, func(int) float64 { return r.NormFloat64() * math.Sqrt(2/float64(fan)) })
			}
			values := func() [][]float64 {
				return run(t, store, outs, images, shape.OfInts(4, 3, smallSide, smallSide), 0, 2, 1, 1)
			}
			grads := values()[1:]
			for i, p := range params {
				v, err := store.Value(p.Name())
				require.NoError(t, err)
				at := slices.Clone(v.Data().([]float64))
				direction, slope := make([]float64, len(at)), 0.0
				for j := range direction {
					direction[j] = r.NormFloat64() / math.Sqrt(float64(len(at)))
					slope += direction[j] * grads[i][j]
				}
				require.NotZero(t, slope, "%v", p)
				lossAt := func(step float64) float64 {
					set(t, store, p, func(j int) float64 { return at[j] + step*direction[j] })
					return values()[0][0]
				}
				const h = 1e-6 // small, so as not to meet the kinks of ReLU and max pooling
				difference := (lossAt(h) - lossAt(-h)) / (2 * h)
				lossAt(0)
				require.InDelta(t, difference, slope, 1e-6*max(1, math.Abs(slope)), "%v", p)
			}
		})
	}
}

// Six pictures, two of each class, which has a colour.
func TestTrainingLowersTheLoss(t *testing.T) {
	w := widths{[5]int{16, 32, 48, 48, 32}, 64, 3}
	for name, model := range map[string]nn.Layer{
		"published": twoTowers(w, 0), "one tower": oneTower(w, 0, plain), "batch normalisation": oneTower(w, 0, normalised),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := graph.New()
			x, y := g.Input("x", shape.F32(shape.N, 3, smallSide, smallSide)), g.Input("y", shape.I32(shape.N))
			loss := ops.CrossEntropy(model.Apply(nn.Root(g), x), y)
			optim.SGD{LR: .01, Momentum: .9, WeightDecay: 5e-4}.Apply(g, autodiff.Grad(loss, g.Params()...))
			p, err := vm.Compile(cpu.New(), []*graph.Node{loss}, vm.Train)
			require.NoError(t, err)
			r := rand.New(rand.NewPCG(1, 2))
			store := vm.NewStore(1)
			require.NoError(t, store.Init(g.Leaves()...))
			for _, p := range g.Params() {
				if p.Type().Rank() > 1 { // the paper's weights are too small for so few channels
					v := make([]float64, p.Type().Len())
					nn.HeNormal{}.Fill(v, p.Type(), r)
					set(t, store, p, func(i int) float32 { return float32(v[i]) })
				}
			}
			m, err := p.NewMachine(store)
			require.NoError(t, err)

			const batch, steps = 6, 40
			images := make([]float32, batch*3*smallSide*smallSide)
			for i := range images {
				image, channel := i/(3*smallSide*smallSide), i/(smallSide*smallSide)%3
				images[i] = float32(r.NormFloat64())
				if channel == image%3 {
					images[i]++
				}
			}
			var losses []float64
			for range steps {
				outs, err := m.Run(t.Context(), tensor.New(tensor.WithShape(batch, 3, smallSide, smallSide), tensor.WithBacking(images)),
					tensor.New(tensor.WithShape(batch), tensor.WithBacking([]int32{0, 1, 2, 0, 1, 2})))
				require.NoError(t, err)
				l, err := vm.Number(outs[0])
				require.NoError(t, err)
				losses = append(losses, l)
			}
			t.Log(losses)
			require.Less(t, losses[steps-1], .1*math.Log(3))
		})
	}
}

// run computes outs for one batch in float64, and labels if there are any.
func run(t *testing.T, store *vm.Store, outs []*graph.Node, images []float64, s shape.Shape, labels ...int32) (results [][]float64) {
	t.Helper()
	p, err := vm.Compile(ref.Engine{}, outs)
	require.NoError(t, err)
	m, err := p.NewMachine(store)
	require.NoError(t, err)
	feed := []*tensor.Dense{tensor.New(tensor.WithShape(s.Ints()...), tensor.WithBacking(images))}
	if len(labels) > 0 {
		feed = append(feed, tensor.New(tensor.WithShape(len(labels)), tensor.WithBacking(labels)))
	}
	values, err := m.Run(t.Context(), feed...)
	require.NoError(t, err)
	for _, v := range values {
		if v.IsScalar() {
			n, err := vm.Number(v)
			require.NoError(t, err)
			results = append(results, []float64{n})
			continue
		}
		results = append(results, slices.Clone(v.Data().([]float64)))
	}
	return results
}

// set gives a parameter values.
func set[T float32 | float64](t *testing.T, store *vm.Store, p *graph.Node, value func(i int) T) {
	t.Helper()
	v := make([]T, p.Type().Len())
	for i := range v {
		v[i] = value(i)
	}
	require.NoError(t, store.Set(p.Name(), tensor.New(tensor.WithShape(p.Type().Ints()...), tensor.WithBacking(v))))
}
