package nn_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// answers are those of a model to the images in x, with the same initial weights.
func answers(t *testing.T, model nn.Layer, x []float32) ([]float32, []string) {
	t.Helper()
	g := graph.New()
	y := graph.Inference(model.Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, 1, 4, 5))))
	require.NoError(t, g.Err())
	p, err := vm.Compile(ref.Engine{}, y)
	require.NoError(t, err)
	s := vm.NewStore(1)
	m, err := p.NewMachine(s)
	require.NoError(t, err)
	out, err := m.Run(t.Context(), tensor.New(tensor.WithShape(len(x)/20, 1, 4, 5), tensor.WithBacking(x)))
	require.NoError(t, err)
	return append([]float32(nil), out[0].Float32s()...), s.Names()
}

func TestViewsAreAveraged(t *testing.T) {
	model := nn.Sequential{nn.Conv2D{Name: "conv", Out: 3, Kernel: 3}, nn.ReLU{}, nn.Flatten{}, nn.Linear{Name: "fc", Out: 2}}
	image := make([]float32, 20)
	for i := range image {
		image[i] = float32(math.Sin(float64(i * i)))
	}
	// moved is the image seen dy and dx pixels further, with its edge repeated.
	moved := func(dy, dx int, flip bool) []float32 {
		y := make([]float32, 20)
		for i := range y {
			r, c := i/5, i%5
			if flip {
				c = 4 - c
			}
			y[i] = image[min(max(r+dy, 0), 3)*5+min(max(c+dx, 0), 4)]
		}
		return y
	}
	var views []float32
	for _, flip := range []bool{false, true} {
		for _, d := range [][2]int{{0, 0}, {-1, 0}, {1, 0}, {0, -1}, {0, 1}} {
			views = append(views, moved(d[0], d[1], flip)...)
		}
	}
	each, names := answers(t, model, views)
	mean, probability := [2]float64{}, 0.
	for i := range 10 {
		a, b := float64(each[2*i]), float64(each[2*i+1])
		mean[0], mean[1] = mean[0]+a/10, mean[1]+b/10
		probability += 1 / (1 + math.Exp(b-a)) / 10
	}
	got, same := answers(t, nn.Views{Layer: model, Flip: true, Shift: 1}, image)
	require.Equal(t, names, same)
	require.InDeltaSlice(t, mean[:], got, 1e-6)
	got, _ = answers(t, nn.Views{Layer: model, Flip: true, Shift: 1, Probabilities: true}, image)
	require.InDeltaSlice(t, []float64{math.Log(probability), math.Log(1 - probability)}, got, 1e-6)
	flat, _ := answers(t, nn.Views{Layer: model}, image)
	require.Equal(t, each[:2], flat)
}

func firstOf(_ nn.Scope, xs []*graph.Node) *graph.Node { return xs[0] }

func TestViewsAndInputsSayWhatIsWrong(t *testing.T) {
	for want, f := range map[string]func(g *graph.Graph) *graph.Node{
		"the layer is nil": func(g *graph.Graph) *graph.Node {
			return nn.Views{}.Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, 1, 4, 4)))
		},
		"want images (N,C,H,W)": func(g *graph.Graph) *graph.Node {
			return nn.Views{Layer: nn.ReLU{}}.Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, 4)))
		},
		"shifts of 4 pixels": func(g *graph.Graph) *graph.Node {
			return nn.Views{Layer: nn.ReLU{}, Shift: 4}.Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, 1, 4, 4)))
		},
		"Inputs: the Layer is nil": func(g *graph.Graph) *graph.Node {
			return nn.Inputs{}.Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, 4)))
		},
		"Cut: the input is float32(N,4); the parts have 5 numbers together": func(g *graph.Graph) *graph.Node {
			return nn.Inputs{Shapes: []shape.Shape{shape.Of(2, 2), shape.Of()}, Layer: firstOf}.Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, 4)))
		},
		"Cut: the input is float32(N,1,4); want numbers (N,n)": func(g *graph.Graph) *graph.Node {
			return nn.Cut(g.Input("x", shape.F32(shape.N, 1, 4)), shape.Of(4))[0]
		},
		"Cut: a part of shape (N)": func(g *graph.Graph) *graph.Node {
			return nn.Cut(g.Input("x", shape.F32(shape.N, 4)), shape.Of(shape.N), shape.Of(1))[1]
		},
	} {
		g := graph.New()
		f(g)
		require.ErrorContains(t, g.Err(), want)
	}
}
