package onnx_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/models/alexnet"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/models/mnistnet"
	"github.com/plexaura/plexaura/models/mobilenet"
	"github.com/plexaura/plexaura/models/resnet"
	"github.com/plexaura/plexaura/models/squeezenet"
	"github.com/plexaura/plexaura/models/vgg"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// network is a layer, the extents of its images, and a batch size.
type network struct {
	name           string
	layer          nn.Layer
	channels, size int
	batch          int
	heavy          bool
}

func networks() []network {
	return []network{
		{"lenet", lenet.Model, 1, 28, 3, false},
		{"lenet1998", lenet.Model1998, 1, 28, 2, false},
		{"mnistnet", mnistnet.New(10, .3), 1, 28, 2, false},
		{"mnistnet-dense", mnistnet.NewDense(10), 1, 28, 2, false},
		{"mnistnet-wide", mnistnet.NewWide(10), 1, 28, 2, false},
		{"squeezenet", squeezenet.New(10, 0), 3, 224, 1, false},
		{"mobilenetv2", mobilenet.NewV2(10, .2), 3, 224, 2, false},
		{"resnet18", resnet.New(resnet.Basic, [4]int{2, 2, 2, 2}, 10), 3, 224, 1, false},
		{"resnet50", resnet.New(resnet.Bottleneck, [4]int{3, 4, 6, 3}, 10), 3, 96, 1, true},
		{"alexnet", alexnet.New(10, .5), 3, 96, 2, true}, // a fifth of the weights that pictures of 224 need
		{"vgg11", vgg.New(vgg.Plan11, 10, .5), 3, 64, 1, true},
	}
}

// exportNetwork exports a network, and computes what it makes of random images.
func exportNetwork(t *testing.T, n network, folder string, opts onnx.ExportOptions) exported {
	t.Helper()
	return exportStored(t, n, vm.NewStore(7), folder, opts)
}

// exportStored is exportNetwork with the values of a store.
func exportStored(t *testing.T, n network, store *vm.Store, folder string, opts onnx.ExportOptions) exported {
	t.Helper()
	require.NoError(t, os.MkdirAll(folder, 0o755))
	g := graph.New()
	x := g.Input("image", shape.F32(shape.N, shape.Dim(n.channels), shape.Dim(n.size), shape.Dim(n.size)))
	y := n.layer.Apply(nn.Root(g), x)
	require.NoError(t, g.Err())
	p, err := vm.Compile(cpu.New(), graph.Inference(y))
	require.NoError(t, err)
	machine, err := p.NewMachine(store)
	require.NoError(t, err)
	image := randomImages(n)
	out, err := machine.Run(context.Background(), image)
	require.NoError(t, err)
	m := exported{name: n.name, folder: folder, want: engine.Floats(engine.BufferOfDense(out[0]))}
	path := filepath.Join(folder, "model.onnx")
	require.NoError(t, onnx.WriteFile(path, []*graph.Node{y}, store, opts), n.name)
	in := &ir.Tensor{Type: ir.Float, Raw: engine.BufferOfDense(image).Bytes(), HasRaw: true}
	for _, d := range image.Shape() {
		in.Dims = append(in.Dims, int64(d))
	}
	require.NoError(t, os.WriteFile(filepath.Join(folder, "input_0.pb"), in.Marshal(), 0o644))
	again, err := onnx.FromProto(in)
	require.NoError(t, err)
	m.again, m.importing = imported(path, map[string]*onnx.Tensor{"image": again}, cpu.New())
	return m
}

func randomImages(n network) *tensor.Dense {
	r := rand.New(rand.NewPCG(3, 4))
	v := make([]float32, n.batch*n.channels*n.size*n.size)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return tensor.New(tensor.WithShape(n.batch, n.channels, n.size, n.size), tensor.WithBacking(v))
}

func TestEveryModelGivesTheSameInONNXRuntime(t *testing.T) {
	root := t.TempDir()
	var all []exported
	for i, n := range networks() {
		if n.heavy && testing.Short() {
			continue
		}
		m := exportNetwork(t, n, filepath.Join(root, fmt.Sprint(i)), onnx.ExportOptions{External: i%2 == 1})
		require.NoError(t, m.importing, n.name)
		requireClose(t, n.name+", imported", m.want, m.again, 1e-5)
		all = append(all, m)
	}
	runtime(t, all)
	for _, m := range all {
		got, err := m.result()
		require.NoError(t, err, m.name)
		requireClose(t, m.name, m.want, got, 1e-5)
	}
}

// What is exported is what a reader of the file expects: parameters by name, operators of the networks.
func TestAnExportedNetworkHasItsOperatorsAndNames(t *testing.T) {
	count := func(m *ir.Model) map[string]int {
		ops := map[string]int{}
		for _, n := range m.Graph.Nodes {
			ops[n.Op]++
		}
		return ops
	}
	build := func(l nn.Layer, c, size int) *ir.Model {
		g := graph.New()
		y := l.Apply(nn.Root(g), g.Input("image", shape.F32(shape.N, shape.Dim(c), shape.Dim(size), shape.Dim(size))))
		m, err := onnx.Export([]*graph.Node{y}, vm.NewStore(1), onnx.ExportOptions{Metadata: map[string]string{"b": "2", "a": "1"}})
		require.NoError(t, err)
		return m
	}
	m := build(lenet.Model, 1, 28)
	require.Equal(t, map[string]int{"Conv": 2, "Relu": 4, "MaxPool": 2, "Reshape": 1, "Gemm": 3}, count(m))
	require.Equal(t, []ir.Entry{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}}, m.Metadata)
	require.Equal(t, "N", m.Graph.Inputs[0].Type.Shape.Dims[0].Param)
	require.Equal(t, "output", m.Graph.Outputs[0].Name)
	var names []string
	for _, i := range m.Graph.Initializers {
		if len(i.Name) > 4 && i.Name[:4] == "conv" {
			names = append(names, i.Name)
		}
	}
	require.Equal(t, []string{"conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias"}, names)

	ops := count(build(resnet.New(resnet.Basic, [4]int{2, 2, 2, 2}, 10), 3, 224))
	require.Equal(t, 20, ops["Conv"])
	require.Equal(t, 20, ops["BatchNormalization"])
	require.Equal(t, 8, ops["Add"])
	require.Equal(t, 1, ops["Gemm"])
}

// cube is an op of a user.
type cube struct{}

func (cube) Name() string                              { return "Cube" }
func (cube) Infer(in []shape.Type) (shape.Type, error) { return in[0], nil }
func (cube) Bind(engine.Engine, []engine.Operand, engine.Operand) (engine.Bound, error) {
	return engine.Bound{Kernel: func(*engine.Call) error { return nil }}, nil
}

func TestWhatHasNoFormIsListedAndNothingIsWritten(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 3))
	a, b := graph.Apply(cube{}, x), ops.Random(x, shape.Of(3), engine.Normal)
	path := filepath.Join(t.TempDir(), "x.onnx")
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o644))
	err := onnx.WriteFile(path, []*graph.Node{ops.Exp(a), ops.Exp(b)}, vm.NewStore(1), onnx.ExportOptions{})
	require.ErrorContains(t, err, "Cube")
	require.ErrorContains(t, err, "Random")
	require.ErrorContains(t, err, "compute it by other ops")
	old, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "old", string(old))
}

func TestMistakesOfAnExport(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 3))
	y := ops.Exp(x)
	bad := graph.New()
	broken := ops.Add(bad.Input("a", shape.F32(2)), bad.Input("b", shape.F32(3)))
	for want, f := range map[string]func() error{
		"no outputs": func() error { _, err := onnx.Export(nil, vm.NewStore(1), onnx.ExportOptions{}); return err },
		"no store":   func() error { _, err := onnx.Export([]*graph.Node{y}, nil, onnx.ExportOptions{}); return err },
		"output 0 is nil": func() error {
			_, err := onnx.Export([]*graph.Node{nil}, vm.NewStore(1), onnx.ExportOptions{})
			return err
		},
		"2 names for 1 outputs": func() error {
			_, err := onnx.Export([]*graph.Node{y}, vm.NewStore(1), onnx.ExportOptions{Outputs: []string{"a", "b"}})
			return err
		},
		"want names, each once": func() error {
			_, err := onnx.Export([]*graph.Node{y, y}, vm.NewStore(1), onnx.ExportOptions{Outputs: []string{"a", "a"}})
			return err
		},
		`an output is called "x"`: func() error {
			_, err := onnx.Export([]*graph.Node{y}, vm.NewStore(1), onnx.ExportOptions{Outputs: []string{"x"}})
			return err
		},
		"the graph has errors": func() error {
			_, err := onnx.Export([]*graph.Node{broken}, vm.NewStore(1), onnx.ExportOptions{})
			return err
		},
		"no such file or directory": func() error {
			return onnx.WriteFile(filepath.Join(t.TempDir(), "no", "x.onnx"), []*graph.Node{y}, vm.NewStore(1), onnx.ExportOptions{})
		},
	} {
		require.ErrorContains(t, f(), want)
	}
}

// A parameter whose value is only known once a machine is made has the value that the machine gives it.
func TestParametersAreThoseThatAMachineWouldHave(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 3))
	y := nn.Linear{Out: 2}.Apply(nn.Root(g), x)
	store := vm.NewStore(5)
	m, err := onnx.Export([]*graph.Node{y}, store, onnx.ExportOptions{})
	require.NoError(t, err)
	require.Empty(t, store.Names(), "the store is as it was")
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{y})
	require.NoError(t, err)
	_, err = p.NewMachine(store)
	require.NoError(t, err)
	v, err := store.Value("weight")
	require.NoError(t, err)
	for _, i := range m.Graph.Initializers {
		if i.Name == "weight" {
			require.Equal(t, engine.BufferOfDense(v).Bytes(), i.Raw)
			return
		}
	}
	t.Fatal("no weight")
}
