package inspect_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/inspect"
	"github.com/plexaura/plexaura/internal/parity"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"

	"gorgonia.org/tensor"
)

// Errors are relative to the greatest element of captum's, which is computed in float64. In float32
// one of AlexNet's many units that is next to zero may be on the other side of it, and the gradient
// another.
func TestAttributionsEqualCaptum(t *testing.T) {
	all, err := parity.Attributions()
	require.NoError(t, err)
	require.Len(t, all, 2)
	for _, a := range all {
		t.Run(a.Name, func(t *testing.T) {
			if a.Name == "lenet" {
				compareWithCaptum(t, a, ref.Engine{}, shape.Float64, 1e-5)
				compareWithCaptum(t, a, cpu.New(), shape.Float32, 1e-4)
				return
			}
			if testing.Short() {
				t.Skip("takes a gigabyte")
			}
			compareWithCaptum(t, a, cpu.New(), shape.Float64, 1e-5)
		})
	}
}

func compareWithCaptum(t *testing.T, a parity.Attribution, e engine.Engine, d shape.DType, bound float64) {
	logits, store, err := a.Network(d)
	require.NoError(t, err)
	n, err := inspect.New(e, store, logits, nil)
	require.NoError(t, err)
	x, baseline := a.Image()
	classes := []int{a.Target}
	check := func(name string, v []float32, err error) {
		require.NoError(t, err, name)
		far, err := a.Error(name, v)
		require.NoError(t, err, name)
		require.LessOrEqual(t, far, bound, name)
	}
	y, err := n.Outputs(t.Context(), x)
	check("logit", y[a.Target:a.Target+1], err)
	y, err = n.Saliency(t.Context(), x, classes)
	check("saliency", y, err)
	y, err = n.GradCAM(t.Context(), layer(t, n, a.Layer).Node, x, classes)
	check("gradcam", y, err)
	y, err = n.IntegratedGradients(t.Context(), x, baseline, classes, a.Steps)
	check("integrated", y, err)
	check("deconvnet", deconvnet(t, e, store, logits, x, a.Target), nil)
	if a.Window > 0 {
		y, err = n.Occlusion(t.Context(), x, classes, inspect.Window{Size: a.Window, Stride: a.Stride})
		check("occlusion", y, err)
	}
}

// layer finds a layer by its name; that of a rectifier alone has none in LeNet but its number.
func layer(t *testing.T, n *inspect.Network, name string) inspect.Layer {
	if name == "relu2" {
		name = "4"
	}
	for _, l := range n.Layers() {
		if l.Name == name {
			return l
		}
	}
	t.Fatalf("no layer %s", name)
	return inspect.Layer{}
}

// deconvnet is the reconstruction of an output, by a graph of one's own.
func deconvnet(t *testing.T, e engine.Engine, s *vm.Store, logits *graph.Node, x []float32, class int) []float32 {
	y := inspect.Deconvnet(graph.Inference(logits)...)[0]
	g := y.Graph()
	input := g.Inputs()[0]
	score := inspect.Score(y, g.Input("class", shape.I32(shape.N)))
	p, err := vm.Compile(e, autodiff.Grad(score, input))
	require.NoError(t, err)
	m, err := p.NewMachine(s)
	require.NoError(t, err)
	v := make([]float64, len(x))
	for i := range x {
		v[i] = float64(x[i])
	}
	out, err := m.Run(t.Context(), parity.Dense(input.Type().At(1), v), tensor.New(tensor.WithShape(1), tensor.WithBacking([]int32{int32(class)})))
	require.NoError(t, err)
	var made []float32
	for _, f := range parity.Floats(out[0]) {
		made = append(made, float32(f))
	}
	return made
}
