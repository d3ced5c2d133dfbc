package models

import (
	"encoding/json"
	"image"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/models/alexnet"
	"github.com/plexaura/plexaura/models/mobilenet"
	"github.com/plexaura/plexaura/models/resnet"
	"github.com/plexaura/plexaura/models/squeezenet"
	"github.com/plexaura/plexaura/models/vgg"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// published is what testdata/published.py writes of a model in PyTorch.
type published struct {
	Tensors    [][]any // name and extents of each parameter and running statistic
	Parameters int
	sketch     // of the logits for an image that a counter makes
	Photo      sketch
}

// sketch is what is kept of the logits for an image.
type sketch struct {
	Norm, Sum float64
	Sample    []float64 // every 50th logit
}

var networks = []struct {
	name  string
	layer nn.Layer
	gmacs float64 // multiply-adds of an image, in 10^9, as torchvision states them
	large bool
}{
	{"alexnet", alexnet.Model, .71, true},
	{"alexnet2012", alexnet.Model2012, .724, true}, // not torchvision's; see models/alexnet
	{"vgg11", vgg.VGG11, 7.61, true},
	{"vgg16", vgg.VGG16, 15.47, true},
	{"resnet18", resnet.ResNet18, 1.81, false},
	{"resnet50", resnet.ResNet50, 4.09, false},
	{"squeezenet", squeezenet.Model, .35, false},
	{"mobilenetv2", mobilenet.V2, .30, false},
}

// With the same weights the models give the logits of torchvision's, so that published weight files
// fit them: for an image made of numbers, and for a photograph in the same pixels.
func TestPublishedNetworks(t *testing.T) {
	text, err := os.ReadFile("testdata/published.json")
	require.NoError(t, err)
	var all map[string]published
	require.NoError(t, json.Unmarshal(text, &all))
	for _, n := range networks {
		t.Run(n.name, func(t *testing.T) {
			want := all[n.name]
			g := graph.New()
			logits := graph.Inference(n.layer.Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, 3, 224, 224))))[0]
			require.NoError(t, g.Err())
			requireTensors(t, want, g)
			macs := 0
			for _, node := range graph.Reachable(logits) {
				macs += nn.MACs(node)
			}
			require.InDelta(t, n.gmacs, float64(macs)/1e9, .0051)
			if n.large && testing.Short() {
				t.Skip("takes half a gigabyte")
			}
			requireLogits(t, want, logits)
		})
	}
}

// requireTensors checks names and shapes of all parameters and states, and the number of
// parameters.
func requireTensors(t *testing.T, want published, g *graph.Graph) {
	have := map[string][]int{}
	parameters := 0
	for _, n := range g.Nodes() {
		if leaf := n.Kind() == graph.Param || n.Kind() == graph.State; leaf && n.Type().IsFloat() {
			have[n.Name()] = n.Type().Ints()
		}
	}
	for _, p := range g.Params() {
		parameters += p.Type().Len()
	}
	require.Equal(t, want.Parameters, parameters)
	require.Equal(t, len(want.Tensors), len(have))
	for i := range want.Tensors {
		name, dims := want.tensor(i)
		require.Equal(t, dims, have[name], name)
	}
}

func (p published) tensor(i int) (name string, dims []int) {
	for _, d := range p.Tensors[i][1:] {
		dims = append(dims, int(d.(float64)))
	}
	return p.Tensors[i][0].(string), dims
}

func requireLogits(t *testing.T, want published, logits *graph.Node) {
	s := vm.NewStore(0)
	for i := range want.Tensors {
		name, dims := want.tensor(i)
		require.NoError(t, s.Set(name, value(i, name, dims)))
	}
	p, err := vm.Compile(cpu.New(), []*graph.Node{logits})
	require.NoError(t, err)
	m, err := p.NewMachine(s)
	require.NoError(t, err)
	const size = 3 * 224 * 224
	images := append(counter(1000, size, func(v float64) float64 { return v }), photo(t)...)
	out, err := m.Run(t.Context(), tensor.New(tensor.WithShape(2, 3, 224, 224), tensor.WithBacking(images)))
	require.NoError(t, err)
	y := out[0].Float32s()
	want.require(t, y[:1000])
	want.Photo.require(t, y[1000:])
}

// photo is testdata/cat.png, normalised.
func photo(t *testing.T) (x []float32) {
	f, err := os.Open("testdata/cat.png")
	require.NoError(t, err)
	defer f.Close()
	img, err := png.Decode(f)
	require.NoError(t, err)
	pixels := img.(*image.RGBA)
	require.Equal(t, image.Rect(0, 0, 224, 224), pixels.Rect)
	mean, std := []float32{.485, .456, .406}, []float32{.229, .224, .225}
	for c := range mean {
		for i := c; i < len(pixels.Pix); i += 4 {
			x = append(x, (float32(pixels.Pix[i])/255-mean[c])/std[c])
		}
	}
	return x
}

func (want sketch) require(t *testing.T, logits []float32) {
	norm, sum, largest := 0.0, 0.0, 0.0
	for _, v := range logits {
		norm, sum, largest = norm+float64(v)*float64(v), sum+float64(v), max(largest, math.Abs(float64(v)))
	}
	require.InEpsilon(t, want.Norm, math.Sqrt(norm), 1e-5)
	require.InDelta(t, want.Sum, sum, 1e-5*largest*float64(len(logits)))
	for i, v := range want.Sample {
		require.InDelta(t, v, logits[50*i], 1e-5*largest, "logit %d", 50*i)
	}
}

// value is tensor p by the formula of testdata/published.py.
func value(p int, name string, dims []int) *tensor.Dense {
	fanIn := 1
	for _, d := range dims[1:] {
		fanIn *= d
	}
	v := counter(p, fanIn*dims[0], func(v float64) float64 {
		switch {
		case len(dims) > 1:
			return v / math.Sqrt(float64(fanIn))
		case strings.HasSuffix(name, "running_var"), strings.HasSuffix(name, "weight"):
			return 1 + .1*v
		}
		return .1 * v
	})
	return tensor.New(tensor.WithShape(dims...), tensor.WithBacking(v))
}

func counter(p, n int, of func(float64) float64) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(of(float64((7919*i+131*p)%1009)/504.5 - 1))
	}
	return v
}

// In torchvision every bias of these networks begins at 0.
func TestBiasesBeginAtZero(t *testing.T) {
	for name, layer := range map[string]nn.Layer{"vgg11": vgg.VGG11, "squeezenet": squeezenet.Model} {
		g := graph.New()
		layer.Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, 3, 224, 224)))
		require.NoError(t, g.Err())
		biases := 0
		for _, p := range g.Params() {
			if !strings.HasSuffix(p.Name(), ".bias") {
				continue
			}
			biases++
			v := []float64{1}
			p.Init().Fill(v, p.Type(), rand.New(rand.NewPCG(1, 2)))
			require.Zero(t, v[0], "%s: %s", name, p.Name())
		}
		require.Greater(t, biases, 7)
	}
}
