package onnx_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/mnist"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/vm"
)

// normalised is a file with a network of digits that has batch normalisation and a head of 7 classes.
func normalised(t *testing.T) *ir.Model {
	t.Helper()
	g := graph.New()
	layer := nn.Sequential{
		nn.Conv2D{Name: "conv", Out: 8, Kernel: 3, Stride: 2, Pad: 1, NoBias: true}, nn.BatchNorm{Name: "bn"}, nn.ReLU{},
		nn.MaxPool2D{Kernel: 2}, nn.Flatten{}, nn.Linear{Name: "head", Out: 7},
	}
	y := layer.Apply(nn.Root(g), g.Input("image", shape.F32(shape.N, 1, 28, 28)))
	m, err := onnx.Export([]*graph.Node{y}, vm.NewStore(3), onnx.ExportOptions{})
	require.NoError(t, err)
	return m
}

// An import whose head is replaced trains further, and is exported again.
func TestAnImportFineTunes(t *testing.T) {
	file := normalised(t)
	last := file.Graph.Nodes[len(file.Graph.Nodes)-1]
	require.Equal(t, "Gemm", last.Op)
	m, err := onnx.New(file, onnx.Options{Outputs: []string{last.Inputs[0]}})
	require.NoError(t, err)
	net := nn.Sequential{nn.Named("body", nn.Frozen{Layer: m.Layer()}), nn.Linear{Name: "head", Out: 10}}

	digits, err := mnist.Train()
	require.NoError(t, err)
	result, err := train.Fit(t.Context(), train.Config{
		Model: net, Train: data.Limit(digits, 512), Epochs: 4, Batch: 64, Seed: 1, Engine: cpu.New(), Optimizer: optim.SGD{LR: .1, Momentum: .9},
	})
	require.NoError(t, err)
	losses := []float64{}
	for _, e := range result.Epochs {
		losses = append(losses, e.Train.Loss())
	}
	require.Less(t, losses[3], losses[0]/2)

	store := result.Checkpoint.Store
	for _, i := range file.Graph.Initializers {
		if slices.Contains([]string{"head.weight", "head.bias"}, i.Name) || len(i.Dims) == 0 || i.Type != ir.Float {
			require.NotContains(t, store.Names(), "body."+i.Name)
			continue
		}
		was, err := onnx.FromProto(i)
		require.NoError(t, err)
		is, err := store.Value("body." + i.Name)
		require.NoError(t, err, i.Name)
		if slices.Contains([]string{"bn.running_mean", "bn.running_var"}, i.Name) {
			require.NotEqual(t, was.Data, is.Data(), i.Name) // the statistics follow
		} else {
			require.Equal(t, was.Data, is.Data(), i.Name) // the parameters are frozen
		}
	}

	n := network{"tuned", net, 1, 28, 3, false}
	tuned := exportStored(t, n, store, filepath.Join(t.TempDir(), "0"), onnx.ExportOptions{})
	require.NoError(t, tuned.importing)
	requireClose(t, "imported again", tuned.want, tuned.again, 1e-5)
	runtime(t, []exported{tuned})
	got, err := tuned.result()
	require.NoError(t, err)
	requireClose(t, "ONNX Runtime", tuned.want, got, 1e-5)
}

func TestACutModelHasWhatItsOutputsNeed(t *testing.T) {
	file := normalised(t)
	nodes := len(file.Graph.Nodes)
	last := file.Graph.Nodes[nodes-1]
	m, err := onnx.New(file, onnx.Options{Outputs: []string{last.Inputs[0], "image"}})
	require.NoError(t, err)
	require.Len(t, file.Graph.Nodes, nodes, "the file's messages are as they were")
	require.Len(t, m.Outputs(), 2)
	require.Equal(t, "image float(N,1,28,28)", m.Outputs()[1].String())
	g := graph.New()
	outs, err := m.Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, 1, 28, 28)))
	require.NoError(t, err)
	require.Equal(t, shape.F32(shape.N, 8*7*7), outs[0].Type())
	require.Nil(t, g.Leaf("head.weight"))
	for want, outputs := range map[string][]string{
		"no names are given":              {},
		`"nothing" is the name`:           {"nothing"},
		`"image" is the name of no`:       {"image", "image"},
		`"conv.weight" is the name of no`: {"conv.weight"},
	} {
		_, err := onnx.New(file, onnx.Options{Outputs: outputs})
		require.ErrorContains(t, err, want)
	}

	// An If reads values of the graph around it.
	m = read(t, model([]*ir.Node{
		node("Relu", in("x"), "a"), node("Foo", in("x"), "unused"),
		{Op: "If", Inputs: in("c"), Outputs: in("y"), Attributes: []ir.Attribute{
			{Name: "then_branch", Type: ir.AttributeGraph, Graph: &ir.Graph{Nodes: []*ir.Node{node("Neg", in("a"), "t")}, Outputs: out("t")}},
			{Name: "else_branch", Type: ir.AttributeGraph, Graph: &ir.Graph{Outputs: out("a")}},
		}},
		node("Bar", in("y"), "z"),
	}, inputs(info("x", ir.Float, 2), info("c", ir.Bool)), out("z", "unused")), onnx.Options{Outputs: []string{"y"}})
	require.Empty(t, m.Missing())
	s, err := m.NewSession(cpu.New(), nil)
	require.NoError(t, err)
	for c, want := range map[bool][]float32{true: {-1, 0}, false: {1, 0}} {
		outs, err := s.Run(t.Context(), map[string]*onnx.Tensor{"x": floats([]int{2}, 1, -1), "c": {Type: ir.Bool, Data: []bool{c}}})
		require.NoError(t, err)
		require.InDeltaSlice(t, want, outs["y"].Data, 0)
	}
}

// A layer tells what is wrong once, as errors of its graph.
func TestAMistakeInALayerIsToldOnce(t *testing.T) {
	for want, m := range map[string]*onnx.Model{
		"the operator is not supported": read(t, model([]*ir.Node{node("Foo", in("x"), "y")}, inputs(info("x", ir.Float, "N", 2)), out("y"))),
		"is given float32(N,3)":         read(t, model([]*ir.Node{node("Relu", in("x"), "y")}, inputs(info("x", ir.Float, "N", 2)), out("y"))),
		"there is no model":             nil,
		"has no outputs":                read(t, model(nil, inputs(info("x", ir.Float, "N", 3)), nil)),
	} {
		g := graph.New()
		width := shape.Dim(3)
		if want == "the operator is not supported" {
			width = 2
		}
		y := nn.Sequential{m.Layer(), nn.Linear{Out: 2}}.Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, width)))
		require.False(t, y.Valid())
		var list graph.ErrorList
		require.ErrorAs(t, g.Err(), &list)
		require.Len(t, list, 1, want)
		require.ErrorContains(t, list, want)
	}
}

// Frozen by name, normalisation of an import keeps its statistics.
func TestNormalisationOfAnImportIsFrozenByName(t *testing.T) {
	m, err := onnx.New(normalised(t), onnx.Options{})
	require.NoError(t, err)
	for _, freezes := range []bool{false, true} {
		g := graph.New()
		scope := nn.Root(g).FreezeWhere(func(name string) bool { return freezes && strings.HasPrefix(name, "bn.") })
		m.Layer().Apply(scope, g.Input("image", shape.F32(shape.N, 1, 28, 28)))
		require.NoError(t, g.Err())
		if freezes {
			require.Empty(t, g.Updates())
			require.True(t, g.Leaf("bn.weight").Frozen())
		} else {
			require.Len(t, g.Updates(), 2)
		}
	}
}
