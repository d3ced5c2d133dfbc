package inspect_test

import (
	"context"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/inspect"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/models/mobilenet"
	"github.com/plexaura/plexaura/models/resnet"
	"github.com/plexaura/plexaura/models/squeezenet"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// network applies a model to images of a shape, with initial weights.
func network(t *testing.T, model nn.Layer, input ...shape.Dim) *inspect.Network {
	t.Helper()
	g := graph.New()
	y := model.Apply(nn.Root(g), g.Input("x", shape.F32(append([]shape.Dim{shape.N}, input...)...)))
	var loss *graph.Node
	if y.Type().Rank() == 2 {
		loss = ops.CrossEntropy(y, g.Input("target", shape.I32(shape.N)))
	}
	require.NoError(t, g.Err())
	s := vm.NewStore(7)
	require.NoError(t, s.Init(g.Leaves()...))
	n, err := inspect.New(ref.Engine{}, s, y, loss)
	require.NoError(t, err)
	return n
}

func small(activation nn.Layer, pool nn.Layer) nn.Sequential {
	return nn.Sequential{
		nn.Conv2D{Name: "conv1", Out: 4, Kernel: 3, Pad: 1}, activation, pool,
		nn.Conv2D{Name: "conv2", Out: 5, Kernel: 3}, activation,
		nn.Flatten{}, nn.Linear{Name: "fc", Out: 3},
	}
}

func noise(seed uint64, n int) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

func TestIntegratedGradientsAddUpToTheDifference(t *testing.T) {
	for name, model := range map[string]nn.Layer{
		"tanh": small(nn.Tanh{}, nn.AvgPool2D{Kernel: 2}),
		"relu": small(nn.ReLU{}, nn.MaxPool2D{Kernel: 2}),
	} {
		n := network(t, model, 2, 8, 8)
		x, baseline := noise(1, 2*2*64), noise(2, 2*64)
		classes := []int{2, 0}
		y, err := n.IntegratedGradients(t.Context(), x, baseline, classes, 300)
		require.NoError(t, err)
		at, err := n.Outputs(t.Context(), x)
		require.NoError(t, err)
		from, err := n.Outputs(t.Context(), baseline)
		require.NoError(t, err)
		tolerance := map[string]float64{"tanh": 1e-5, "relu": 3e-3}[name] // a ReLU has kinks on the way
		for i, c := range classes {
			sum := 0.
			for _, v := range y[i*128 : (i+1)*128] {
				sum += float64(v)
			}
			require.InDelta(t, float64(at[i*3+c]-from[c]), sum, tolerance, name)
			require.Greater(t, math.Abs(sum), 10*tolerance, "there is something to add up")
		}
	}
}

func TestADeconvnetEqualsTheGradientWhereThereIsNoReLU(t *testing.T) {
	for name, differs := range map[string]bool{"tanh": false, "relu": true} {
		activation := map[string]nn.Layer{"tanh": nn.Tanh{}, "relu": nn.ReLU{}}[name]
		n := network(t, small(activation, nn.MaxPool2D{Kernel: 2}), 1, 8, 8)
		c := n.Convolutions()[1]
		ds := dataset(t, 4)
		peaks := [][]inspect.Peak{{{Example: 1, Y: 1, X: 0}}, {{Example: 3, Y: 0, X: 1}}}
		patches, err := n.Patches(t.Context(), ds, c, peaks)
		require.NoError(t, err)
		for channel, p := range peaks {
			x := make([]float32, 64)
			_, err := inspect.Example(ds, p[0].Example, x)
			require.NoError(t, err)
			want := slopes(t, n, c, x, channel, p[0])
			got := patches[channel][0].Reconstruction
			require.Len(t, got, patches[channel][0].Field.Dx()*patches[channel][0].Field.Dy())
			want = window(want, 8, patches[channel][0].Field)
			require.Equal(t, differs, !near(want, got, 1e-3), name)
		}
	}
}

// slopes is the derivative of an activation by the image, by differences.
func slopes(t *testing.T, n *inspect.Network, c inspect.Convolution, x []float32, channel int, p inspect.Peak) []float32 {
	at := func(x []float32) float64 {
		m, err := n.Maps(t.Context(), []inspect.Layer{c.Layer}, x)
		require.NoError(t, err)
		return float64(m[0].Channel(channel)[p.Y*m[0].W+p.X])
	}
	d := make([]float32, len(x))
	const h = 1e-2
	for i := range x {
		up, down := slices.Clone(x), slices.Clone(x)
		up[i] += h
		down[i] -= h
		d[i] = float32((at(up) - at(down)) / (2 * h))
	}
	return d
}

func window(v []float32, w int, r image.Rectangle) (part []float32) {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		part = append(part, v[y*w+r.Min.X:y*w+r.Max.X]...)
	}
	return part
}

func near(a, b []float32, tolerance float64) bool {
	for i := range a {
		if math.Abs(float64(a[i]-b[i])) > tolerance {
			return false
		}
	}
	return len(a) == len(b)
}

// dataset has random images (1,8,8) of three classes.
func dataset(t *testing.T, n int) data.Dataset {
	labels := make([]int, n)
	for i := range labels {
		labels[i] = i % 3
	}
	ds, err := data.New(noise(5, n*64), labels, data.Info{Input: shape.F32(1, 8, 8), Classes: []string{"a", "b", "c"}})
	require.NoError(t, err)
	return ds
}

// A unit passes back what is positive, whatever it let pass: Zeiler and Fergus, 2013.
func TestADeconvnetRectifiesWhatGoesBack(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F64(shape.N, 3))
	y := inspect.Deconvnet(x, ops.ReLU(x), ops.Clip(x, 0, 6), ops.Tanh(x))
	dy := y[0].Graph().Input("dy", shape.F64(shape.N, 3))
	var outs []*graph.Node
	for _, v := range y[1:] {
		outs = append(outs, vjp(v, dy, y[0]))
	}
	got := compute(t, outs, []float64{-1, 2, -3}, []float64{5, -7, 0.5})
	require.Equal(t, []float64{5, 0, .5}, got[0], "the first is let pass though x is negative, the second is not")
	require.Equal(t, []float64{5, 0, .5}, got[1])
	for i, x := range []float64{-1, 2, -3} {
		require.InDelta(t, []float64{5, -7, .5}[i]*(1-math.Pow(math.Tanh(x), 2)), got[2][i], 1e-12)
	}
}

func names(layers []inspect.Layer) (all []string) {
	for _, l := range layers {
		all = append(all, l.Name+" "+l.Op)
	}
	return all
}

func convolutions(n *inspect.Network) (all []string) {
	for _, c := range n.Convolutions() {
		all = append(all, c.Name)
	}
	return all
}

// scale is a layer of a user's own.
type scale struct{}

func (scale) Apply(s nn.Scope, x *graph.Node) *graph.Node {
	return ops.Mul(x, s.Param("scale", x.Type().Of(shape.Of(x.Type().Dim(1), 1, 1)), nn.Constant(1)))
}

func TestPartsAreFoundInTheGraph(t *testing.T) {
	n := network(t, lenet.Model, 1, 28, 28)
	require.Equal(t, []string{
		"conv1 Conv2D", "1 ReLU", "2 MaxPool2D", "conv2 Conv2D", "4 ReLU", "5 MaxPool2D", "fc1 MatMul", "8 ReLU", "fc2 MatMul", "10 ReLU", "fc3 MatMul",
	}, names(n.Layers()))
	require.Equal(t, []string{"conv1", "conv2"}, convolutions(n))
	require.Equal(t, shape.F32(shape.N, 16, 10, 10), n.Convolutions()[1].Node.Type())
	require.Equal(t, "Add", n.Convolutions()[1].Node.Op().Name(), "with its bias")
	require.Equal(t, []string{"1 ReLU", "4 ReLU", "8 ReLU", "10 ReLU"}, names(n.Rectifiers()))
	require.Equal(t, shape.F32(shape.N, 84), n.Hidden().Node.Type())
	last, err := n.LastMaps()
	require.NoError(t, err)
	require.Equal(t, "4", last.Name)

	n = network(t, nn.Sequential{nn.Conv2D{Out: 2, Kernel: 3}, scale{}, nn.Clip{Hi: 6}, nn.GlobalAvgPool2D{}, nn.Flatten{}, nn.Linear{Out: 2}}, 1, 8, 8)
	require.Equal(t, []string{"0 Conv2D", "1 Mul", "2 Clip", "3 AvgPool2D", "5 MatMul"}, names(n.Layers()))
	require.Equal(t, []string{"2 Clip"}, names(n.Rectifiers()), "ReLU6 is one")

	n = network(t, nn.Func(func(x *graph.Node) *graph.Node { // without layers
		g := x.Graph()
		w := g.Param("w", shape.F32(2, 1, 3, 3), nn.Constant(1))
		y := ops.AddBias(ops.Conv2D(x, w, ops.Conv2DOp{}), g.Param("b", shape.F32(2), nil))
		return ops.MatMul(ops.Flatten(ops.ReLU(y)), g.Param("v", shape.F32(72, 2), nn.Constant(1)))
	}), 1, 8, 8)
	require.Len(t, n.Layers(), 3)
	require.Equal(t, "Conv2D", n.Layers()[0].Op)
	require.Equal(t, "Add", n.Layers()[0].Node.Op().Name())
	require.Equal(t, shape.F32(shape.N, 72), n.Hidden().Node.Type())
}

func TestPartsOfPublishedModels(t *testing.T) {
	for _, c := range []struct {
		name          string
		model         nn.Layer
		image         int
		convs, relus  int
		hidden, lasts shape.Shape
	}{
		{"resnet18", resnet.New(resnet.Basic, [4]int{2, 2, 2, 2}, 10), 64, 20, 17, shape.Of(shape.N, 512), shape.Of(shape.N, 512, 2, 2)},
		{"squeezenet", squeezenet.New(10, .5), 64, 26, 18, shape.Of(shape.N, 512, 3, 3), shape.Of(shape.N, 512, 3, 3)},
		{"mobilenetv2", mobilenet.NewV2(10, .2), 64, 52, 35, shape.Of(shape.N, 1280), shape.Of(shape.N, 1280, 2, 2)},
	} {
		n := network(t, c.model, 3, shape.Dim(c.image), shape.Dim(c.image))
		require.Len(t, n.Convolutions(), c.convs, c.name)
		require.Len(t, n.Rectifiers(), c.relus, c.name)
		require.Equal(t, c.hidden, n.Hidden().Node.Type().Shape, c.name)
		last, err := n.LastMaps()
		require.NoError(t, err)
		require.Equal(t, c.lasts, last.Node.Type().Shape, c.name)
		require.True(t, slices.IsSortedFunc(n.Layers(), func(a, b inspect.Layer) int { return a.Node.ID() - b.Node.ID() }))
	}
	n := network(t, lenet.Model1998, 1, 28, 28)
	require.Len(t, n.Convolutions(), 3, "one has a filter that is computed")
	f, err := n.Filters(t.Context(), n.Convolutions()[1])
	require.NoError(t, err)
	require.Len(t, f, 16*6*25)
	require.Empty(t, n.Rectifiers())
}

// What changes with a pixel is in the field, and all of the field changes something: filters are
// positive.
func TestFieldsAreWhatAnActivationIsComputedFrom(t *testing.T) {
	positive := nn.Uniform{Lo: .5, Hi: 1}
	conv := func(kernel, stride, pad nn.HW, dilation nn.HW) nn.Conv2D {
		return nn.Conv2D{Out: 2, Kernel: kernel, Stride: stride, Pad: pad, Dilation: dilation, Init: positive}
	}
	for i, model := range []nn.Sequential{
		{conv(3, 1, 0, 1)},
		{conv(3, 2, 1, 1), conv(nn.Rect(2, 3), nn.Rect(1, 2), nn.Sides(1, 0, 2, 1), 1)},
		{conv(3, 1, 0, 2), nn.AvgPool2D{Kernel: 2}, conv(3, 1, 1, 1)},
		{nn.AvgPool2D{Kernel: 3, Stride: 2, Pad: 1}, nn.Residual{Body: conv(3, 1, 1, 1)}},
		{nn.Func(func(x *graph.Node) *graph.Node {
			return ops.Pad(x, ops.PadOp{Before: [shape.MaxRank]int{2: 2, 3: 1}, After: [shape.MaxRank]int{2: 1}})
		}), conv(3, 2, 0, 1), nn.ReLU{}},
		{conv(3, 1, 1, 1), nn.GlobalAvgPool2D{}},
		{conv(3, 1, 1, 1), nn.AdaptiveAvgPool2D{Size: nn.Rect(4, 2)}},
	} {
		for k := range model { // biases add nothing to a difference, but a name to the layer
			if c, ok := model[k].(nn.Conv2D); ok {
				c.Name = fmt.Sprint("c", k)
				model[k] = c
			}
		}
		if i == 3 {
			model[1] = nn.Residual{Body: nn.Conv2D{Out: 1, Kernel: 3, Pad: 1, Init: positive}}
		}
		n := network(t, append(slices.Clone(model), nn.Flatten{}), 1, 11, 9)
		layers := n.Layers()
		last := layers[len(layers)-1]
		maps := last.Node.Type()
		require.Equal(t, 4, maps.Rank())
		for _, at := range [][2]int{{0, 0}, {maps.Int(2) - 1, maps.Int(3) - 1}, {maps.Int(2) / 2, maps.Int(3) / 2}} {
			want := image.Rectangle{}
			for y := range 11 {
				for x := range 9 {
					if reaches(t, n, last, y*9+x, at) {
						want = want.Union(image.Rect(x, y, x+1, y+1))
					}
				}
			}
			got, err := n.Field(last.Node, at[0], at[1])
			require.NoError(t, err)
			require.Equal(t, want, got, "model %d at %v", i, at)
		}
	}
}

func reaches(t *testing.T, n *inspect.Network, l inspect.Layer, pixel int, at [2]int) bool {
	value := func(v float32) float32 {
		x := slices.Repeat([]float32{1}, 99)
		x[pixel] = v
		m, err := n.Maps(t.Context(), []inspect.Layer{l}, x)
		require.NoError(t, err)
		return m[0].V[at[0]*m[0].W+at[1]]
	}
	return value(1) != value(64)
}

func TestASurveyIsWhatEachExampleGives(t *testing.T) {
	n := network(t, small(nn.ReLU{}, nn.MaxPool2D{Kernel: 2}), 1, 8, 8)
	ds := dataset(t, 70) // two batches and a rest
	convs, rects := n.Convolutions(), n.Rectifiers()
	calls := 0
	s, err := n.Survey(t.Context(), ds, inspect.SurveyOptions{
		Convolutions: convs, Channels: 3, Peaks: 4, Hidden: 40, Progress: func(done, of int) { calls++ },
	})
	require.NoError(t, err)
	require.Equal(t, 3, calls)
	require.Equal(t, 70, s.Examples)
	require.Equal(t, 20, s.Width)
	require.Len(t, s.Hidden, 40*20)
	layers := []inspect.Layer{convs[0].Layer, convs[1].Layer, rects[0], rects[1]}
	type best struct{ peaks []inspect.Peak }
	want := [2][3]best{}
	positive := [2]map[int]int{{}, {}}
	x := make([]float32, 64)
	for i := range 70 {
		class, err := inspect.Example(ds, i, x)
		require.NoError(t, err)
		require.Equal(t, class, s.Classes[i])
		y, err := n.Outputs(t.Context(), x)
		require.NoError(t, err)
		require.Equal(t, slices.Index(y, slices.Max(y)), s.Predicted[i])
		maps, err := n.Maps(t.Context(), layers, x)
		require.NoError(t, err)
		for k := range want {
			for c := range want[k] {
				v := maps[k].Channel(c)
				at := slices.Index(v, slices.Max(v))
				want[k][c].peaks = append(want[k][c].peaks, inspect.Peak{Example: i, Y: at / maps[k].W, X: at % maps[k].W, Value: v[at]})
			}
			for c := range maps[2+k].C {
				for _, v := range maps[2+k].Channel(c) {
					if v > 0 {
						positive[k][c]++
					}
				}
			}
		}
	}
	for k := range want {
		require.Len(t, s.Peaks[k], 3)
		for c := range want[k] {
			all := want[k][c].peaks
			slices.SortStableFunc(all, func(a, b inspect.Peak) int {
				if a.Value > b.Value {
					return -1
				}
				return 1
			})
			require.Equal(t, all[:4], s.Peaks[k][c])
		}
		for c, share := range s.Units[k].Active {
			values := 70 * rects[k].Node.Type().At(1).Len() / s.Units[k].Count
			require.InDelta(t, float64(positive[k][c])/float64(values), share, 1e-12)
		}
	}
}

func TestDeadUnitsAreThoseThatNeverFire(t *testing.T) {
	g := graph.New()
	y := small(nn.ReLU{}, nn.MaxPool2D{Kernel: 2}).Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, 1, 8, 8)))
	s := vm.NewStore(7)
	require.NoError(t, s.Init(g.Leaves()...))
	bias, err := s.Value("conv1.bias")
	require.NoError(t, err)
	bias.Float32s()[2] = -1000
	require.NoError(t, s.Set("conv1.bias", bias))
	n, err := inspect.New(cpu.New(), s, y, nil)
	require.NoError(t, err)
	survey, err := n.Survey(t.Context(), dataset(t, 20), inspect.SurveyOptions{})
	require.NoError(t, err)
	require.Equal(t, []int{2}, survey.Units[0].Dead)
	require.Equal(t, "1", survey.Units[0].Name)
	require.Zero(t, survey.Units[0].Active[2])
	for _, u := range survey.Units {
		for k, share := range u.Active {
			require.Equal(t, share == 0, slices.Contains(u.Dead, k), "%s, unit %d", u.Name, k)
		}
	}
}

func TestMistakesAndConfusion(t *testing.T) {
	s := &inspect.Survey{Classes: []int{0, 1, 1, 0, 2}, Predicted: []int{0, 0, 1, 2, 1}, Probability: []float32{1, .6, .9, .8, .6}}
	require.Equal(t, []int{3, 1, 4}, s.Mistakes(9))
	require.Equal(t, []int{3}, s.Mistakes(1))
	require.Equal(t, [][]int{{1, 0, 1}, {1, 1, 0}, {0, 1, 0}}, s.Confusion(3))
	require.InDelta(t, .4, s.Accuracy(), 1e-12)
}

// The gradient is that of the mean loss over all examples, whatever the batches.
func TestParametersHaveTheGradientOfTheMeanLoss(t *testing.T) {
	n := network(t, small(nn.Tanh{}, nn.AvgPool2D{Kernel: 2}), 1, 8, 8)
	one, err := n.Parameters(t.Context(), dataset(t, 32))
	require.NoError(t, err)
	require.Equal(t, []string{"conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias", "fc.weight", "fc.bias"}, []string{
		one[0].Name, one[1].Name, one[2].Name, one[3].Name, one[4].Name, one[5].Name,
	})
	// The bias of the last layer has as its gradient the mean of softmax minus target.
	all, err := n.Parameters(t.Context(), dataset(t, 70))
	require.NoError(t, err)
	x, sums := make([]float32, 64), make([]float64, 3)
	for i := range 70 {
		class, err := inspect.Example(dataset(t, 70), i, x)
		require.NoError(t, err)
		y, err := n.Outputs(t.Context(), x)
		require.NoError(t, err)
		total := 0.
		for _, v := range y {
			total += math.Exp(float64(v))
		}
		for k, v := range y {
			sums[k] += math.Exp(float64(v)) / total / 70
		}
		sums[class] -= 1. / 70
	}
	last := all[5].Gradient
	require.InDelta(t, slices.Min(sums), last.Lo, 1e-6)
	require.InDelta(t, slices.Max(sums), last.Hi, 1e-6)
	require.Equal(t, 1, last.Counts[0])
}

func TestHistogramsCountEveryNumber(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	h := inspect.NewHistogram([]float32{0, 1, 2, nan, -2, inf, 0})
	require.Equal(t, 2, h.NotFinite)
	require.Equal(t, 2, h.Zeros)
	require.Equal(t, [2]float64{-2, 2}, [2]float64{h.Lo, h.Hi})
	require.InDelta(t, .2, h.Mean, 1e-12)
	sum := 0
	for _, c := range h.Counts {
		sum += c
	}
	require.Equal(t, 5, sum)
	require.Equal(t, 1, h.Counts[inspect.Bins-1])
	require.Equal(t, 3, inspect.NewHistogram([]float32{5, 5, 5}).Counts[inspect.Bins/2])
	require.Zero(t, inspect.NewHistogram([]float32{nan}).Hi)
}

func TestMistakesOfACallerAreOneError(t *testing.T) {
	ctx := context.Background()
	n := network(t, small(nn.ReLU{}, nn.MaxPool2D{Kernel: 2}), 1, 8, 8)
	other := network(t, small(nn.ReLU{}, nn.MaxPool2D{Kernel: 2}), 1, 8, 8)
	x := noise(1, 64)
	for want, f := range map[string]func() error{
		"63 numbers are not a multiple of 64": func() error { _, err := n.Saliency(ctx, x[1:], []int{0}); return err },
		"class 3; the output has 3":           func() error { _, err := n.Saliency(ctx, x, []int{3}); return err },
		"2 classes for 1 examples": func() error {
			_, err := n.Occlusion(ctx, x, []int{0, 0}, inspect.Window{Size: 1, Stride: 1})
			return err
		},
		"a stride not above":      func() error { _, err := n.Occlusion(ctx, x, []int{0}, inspect.Window{Size: 1, Stride: 2}); return err },
		"a baseline of 3 numbers": func() error { _, err := n.IntegratedGradients(ctx, x, x[:3], []int{0}, 0); return err },
		"-1 steps":                func() error { _, err := n.IntegratedGradients(ctx, x, nil, []int{0}, -1); return err },
		"not of this network":     func() error { _, err := n.GradCAM(ctx, other.Layers()[0].Node, x, []int{0}); return err },
		"want activation maps (N,C,H,W)": func() error {
			_, err := n.GradCAM(ctx, n.Hidden().Node, x, []int{0})
			return err
		},
		"channel 4 has no place (9,0)": func() error {
			peaks := [][]inspect.Peak{4: {{Y: 9}}}
			_, err := n.Patches(ctx, dataset(t, 1), n.Convolutions()[0], peaks)
			return err
		},
		"the function see is nil": func() error { return n.EachPatch(ctx, dataset(t, 1), n.Convolutions()[0], nil, nil) },
		"the output of example 2 is not finite": func() error {
			x := noise(1, 4*64)
			x[2*64+5] = float32(math.NaN())
			ds, err := data.New(x, []int{0, 1, 2, 0}, data.Info{Input: shape.F32(1, 8, 8), Classes: []string{"a", "b", "c"}})
			require.NoError(t, err)
			_, err = n.Survey(ctx, ds, inspect.SurveyOptions{})
			return err
		},
		"the network's input is float32(1,8,8)": func() error {
			ds, err := data.New(noise(1, 9), []int{0}, data.Info{Input: shape.F32(1, 3, 3), Classes: []string{"a"}})
			require.NoError(t, err)
			_, err = n.Survey(ctx, ds, inspect.SurveyOptions{})
			return err
		},
		"the examples are float32(1,3,3), the network's input is": func() error {
			ds, err := data.New(noise(1, 9), []int{0}, data.Info{Input: shape.F32(1, 3, 3), Classes: []string{"a"}})
			require.NoError(t, err)
			_, err = n.Parameters(ctx, ds)
			return err
		},
		"the store lacks values of the network: conv1.weight": func() error {
			g := graph.New()
			y := small(nn.ReLU{}, nn.MaxPool2D{Kernel: 2}).Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, 1, 8, 8)))
			_, err := inspect.New(ref.Engine{}, vm.NewStore(1), y, nil)
			return err
		},
		"computed from 2 inputs": func() error {
			g := graph.New()
			y := ops.Add(g.Input("a", shape.F32(shape.N, 2)), g.Input("b", shape.F32(shape.N, 2)))
			_, err := inspect.New(ref.Engine{}, vm.NewStore(1), y, nil)
			return err
		},
		"1 points to embed": func() error { _, err := inspect.PCA(make([]float32, 5001), 1); return err },
	} {
		if want == "1 points to embed" {
			want = "5001 points to embed"
		}
		require.ErrorContains(t, f(), want)
	}
}
