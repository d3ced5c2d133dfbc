package nn_test

import (
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// net is a graph with one input and what a layer makes of it.
type net struct {
	g    *graph.Graph
	x, y *graph.Node
}

func apply(l nn.Layer, x shape.Type) net {
	g := graph.New()
	in := g.Input("x", x)
	return net{g, in, l.Apply(nn.Root(g), in)}
}

// leaves are the types of parameters and states by name.
func (n net) leaves() map[string]string {
	m := map[string]string{}
	for _, l := range n.g.Leaves() {
		m[l.Name()] = l.Type().String()
	}
	return m
}

// errs returns the errors of the graph, which must have some.
func (n net) errs(t *testing.T) graph.ErrorList {
	t.Helper()
	var list graph.ErrorList
	require.ErrorAs(t, n.g.Err(), &list)
	return list
}

// run runs the graph of out on x, with values set, and returns out.
func run(t *testing.T, out *graph.Node, s *vm.Store, x []float64, dims ...int) []float64 {
	t.Helper()
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{out}, vm.Checked)
	require.NoError(t, err)
	m, err := p.NewMachine(s)
	require.NoError(t, err)
	outs, err := m.Run(t.Context(), dense(x, dims...))
	require.NoError(t, err)
	return slices.Clone(outs[0].Data().([]float64))
}

func dense(v []float64, dims ...int) *tensor.Dense {
	return tensor.New(tensor.WithShape(dims...), tensor.WithBacking(slices.Clone(v)))
}

// store returns a store of the leaves of g with some of them set.
func store(t *testing.T, g *graph.Graph, set map[string]*tensor.Dense) *vm.Store {
	t.Helper()
	s := vm.NewStore(1)
	require.NoError(t, s.Init(g.Leaves()...))
	for name, v := range set {
		require.NoError(t, s.Set(name, v))
	}
	return s
}

func TestLayersNameAndShape(t *testing.T) {
	image, volume := shape.F32(shape.N, 4, 10, 12), shape.F32(shape.N, 4, 3, 5, 4)
	for _, tt := range []struct {
		layer  nn.Layer
		x      shape.Type
		want   shape.Type
		leaves map[string]string
	}{
		{
			nn.Conv2D{Name: "c", Out: 6, Kernel: 3}, image, shape.F32(shape.N, 6, 8, 10),
			map[string]string{"c.weight": "float32(6,4,3,3)", "c.bias": "float32(6)"},
		},
		{
			nn.Conv2D{Out: 6, Kernel: nn.Rect(3, 5), Stride: nn.Rect(2, 1), Pad: nn.Rect(0, 2), Dilation: nn.Rect(2, 1), Groups: 2, NoBias: true},
			image, shape.F32(shape.N, 6, 3, 12),
			map[string]string{"weight": "float32(6,2,3,5)"},
		},
		{
			nn.Conv2D{Out: 1, Kernel: 2, Pad: nn.Sides(0, 1, 2, 3)}, image, shape.F32(shape.N, 1, 10, 16),
			map[string]string{"weight": "float32(1,4,2,2)", "bias": "float32(1)"},
		},
		{
			nn.Conv1D{Name: "c", Out: 6, Kernel: 3, Stride: 2, Pad: 1, Dilation: 2, Groups: 2}, shape.F64(shape.N, 4, 10), shape.F64(shape.N, 6, 4),
			map[string]string{"c.weight": "float64(6,2,3)", "c.bias": "float64(6)"},
		},
		{
			nn.Linear{Name: "fc", Out: 3}, shape.F64(shape.N, 5), shape.F64(shape.N, 3),
			map[string]string{"fc.weight": "float64(3,5)", "fc.bias": "float64(3)"},
		},
		{
			nn.Linear{Out: 3, NoBias: true}, shape.F32(shape.N, 7, 5), shape.F32(shape.N, 7, 3),
			map[string]string{"weight": "float32(3,5)"},
		},
		{
			nn.BatchNorm{Name: "bn"}, image, image,
			map[string]string{"bn.weight": "float32(4)", "bn.bias": "float32(4)", "bn.running_mean": "float32(4)", "bn.running_var": "float32(4)"},
		},
		{nn.MaxPool2D{Kernel: 2}, image, shape.F32(shape.N, 4, 5, 6), map[string]string{}},
		{nn.MaxPool2D{Kernel: 3, Stride: 2, Pad: 1, Ceil: true}, image, shape.F32(shape.N, 4, 6, 7), map[string]string{}},
		{nn.AvgPool2D{Kernel: nn.Rect(2, 3)}, image, shape.F32(shape.N, 4, 5, 4), map[string]string{}},
		{nn.GlobalAvgPool2D{}, image, shape.F32(shape.N, 4, 1, 1), map[string]string{}},
		{nn.Flatten{}, image, shape.F32(shape.N, 480), map[string]string{}},
		{nn.ReLU{}, image, image, map[string]string{}},
		{nn.LeakyReLU{Alpha: 0.1}, image, image, map[string]string{}},
		{nn.Sigmoid{}, image, image, map[string]string{}},
		{nn.Tanh{}, image, image, map[string]string{}},
		{nn.Softmax{}, image, image, map[string]string{}},
		{nn.LogSoftmax{}, image, image, map[string]string{}},
		{nn.LRN{Alpha: 5e-4, K: 2}, image, image, map[string]string{}},
		{
			nn.Conv3D{Name: "c", Out: 6, Kernel: [3]int{2, 3, 1}, Stride: [3]int{1, 2, 1}, Pad: [3][2]int{{1, 0}}, Groups: 2}, volume, shape.F32(shape.N, 6, 3, 2, 4),
			map[string]string{"c.weight": "float32(6,2,2,3,1)", "c.bias": "float32(6)"},
		},
		{
			nn.ConvTranspose2D{Name: "c", Out: 6, Kernel: 3, Stride: 2, Pad: 1, Extra: nn.Rect(1, 0), Groups: 2}, image, shape.F32(shape.N, 6, 20, 23),
			map[string]string{"c.weight": "float32(4,3,3,3)", "c.bias": "float32(6)"},
		},
		{
			nn.ConvTranspose1D{Out: 6, Kernel: 3, Stride: 2, Pad: 1, Extra: 1, Groups: 2, NoBias: true}, shape.F64(shape.N, 4, 10), shape.F64(shape.N, 6, 20),
			map[string]string{"weight": "float64(4,3,3)"},
		},
		{
			nn.ConvTranspose3D{Out: 2, Kernel: [3]int{2, 3, 1}, Stride: [3]int{1, 2, 1}, Extra: [3]int{0, 1, 0}}, volume, shape.F32(shape.N, 2, 4, 12, 4),
			map[string]string{"weight": "float32(4,2,2,3,1)", "bias": "float32(2)"},
		},
		{nn.LayerNorm{Name: "ln"}, image, image, map[string]string{"ln.weight": "float32(12)", "ln.bias": "float32(12)"}},
		{nn.LayerNorm{Axes: 3}, image, image, map[string]string{"weight": "float32(4,10,12)", "bias": "float32(4,10,12)"}},
		{nn.GroupNorm{Name: "gn", Groups: 2}, image, image, map[string]string{"gn.weight": "float32(4)", "gn.bias": "float32(4)"}},
		{nn.InstanceNorm{Name: "in"}, image, image, map[string]string{"in.weight": "float32(4)", "in.bias": "float32(4)"}},
		{nn.Embedding{Name: "e", Count: 9, Dim: 3}, shape.I64(shape.N, 7), shape.F32(shape.N, 7, 3), map[string]string{"e.weight": "float32(9,3)"}},
		{nn.Embedding{Count: 9, Dim: 3, DType: shape.Float64}, shape.U8(shape.N), shape.F64(shape.N, 3), map[string]string{"weight": "float64(9,3)"}},
		{
			nn.LSTM{Name: "l", Hidden: 5}, shape.F64(shape.N, 7, 3), shape.F64(shape.N, 5),
			map[string]string{"l.weight_ih": "float64(20,3)", "l.weight_hh": "float64(20,5)", "l.bias_ih": "float64(20)", "l.bias_hh": "float64(20)"},
		},
		{
			nn.LSTM{Hidden: 5, Whole: true, NoBias: true}, shape.F32(shape.N, 7, 3), shape.F32(shape.N, 7, 5),
			map[string]string{"weight_ih": "float32(20,3)", "weight_hh": "float32(20,5)"},
		},
		{
			nn.GRU{Name: "r", Hidden: 5, Whole: true}, shape.F32(shape.N, 7, 3), shape.F32(shape.N, 7, 5),
			map[string]string{"r.weight_ih": "float32(15,3)", "r.weight_hh": "float32(15,5)", "r.bias_ih": "float32(15)", "r.bias_hh": "float32(15)"},
		},
		{nn.GRU{Hidden: 5, NoBias: true}, shape.F32(shape.N, 7, 3), shape.F32(shape.N, 5), map[string]string{"weight_ih": "float32(15,3)", "weight_hh": "float32(15,5)"}},
		{nn.PReLU{Name: "p"}, image, image, map[string]string{"p.weight": "float32(1)"}},
		{nn.PReLU{PerChannel: true}, image, image, map[string]string{"weight": "float32(4)"}},
		{nn.MaxPool1D{Kernel: 3, Pad: 1}, shape.F32(shape.N, 4, 10), shape.F32(shape.N, 4, 4), map[string]string{}},
		{nn.AvgPool1D{Kernel: 3, Stride: 1}, shape.F32(shape.N, 4, 10), shape.F32(shape.N, 4, 8), map[string]string{}},
		{nn.MaxPool3D{Kernel: [3]int{1, 2, 2}}, volume, shape.F32(shape.N, 4, 3, 2, 2), map[string]string{}},
		{nn.AvgPool3D{Kernel: [3]int{3, 2, 2}, Stride: [3]int{1, 1, 1}}, volume, shape.F32(shape.N, 4, 1, 4, 3), map[string]string{}},
		{nn.GlobalMaxPool2D{}, image, shape.F32(shape.N, 4, 1, 1), map[string]string{}},
		{nn.LpPool2D{P: 2, Kernel: 2}, image, shape.F32(shape.N, 4, 5, 6), map[string]string{}},
		{nn.AdaptiveAvgPool2D{Size: nn.Rect(3, 5)}, image, shape.F32(shape.N, 4, 3, 5), map[string]string{}},
		{nn.AdaptiveMaxPool2D{Size: 6}, image, shape.F32(shape.N, 4, 6, 6), map[string]string{}},
		{nn.Upsample{Scale: 3}, image, shape.F32(shape.N, 4, 30, 36), map[string]string{}},
		{nn.Upsample{Scale: 2, Bilinear: true}, image, shape.F32(shape.N, 4, 20, 24), map[string]string{}},
		{nn.LRNWithinChannel{Size: 3}, image, image, map[string]string{}},
		{nn.ELU{Alpha: 1}, image, image, map[string]string{}},
		{nn.SELU{}, image, image, map[string]string{}},
		{nn.GELU{}, image, image, map[string]string{}},
		{nn.GELU{Tanh: true}, image, image, map[string]string{}},
		{nn.SiLU{}, image, image, map[string]string{}},
		{nn.Mish{}, image, image, map[string]string{}},
		{nn.Softplus{}, image, image, map[string]string{}},
		{nn.Softsign{}, image, image, map[string]string{}},
		{nn.HardSigmoid{}, image, image, map[string]string{}},
		{nn.HardSwish{}, image, image, map[string]string{}},
		{nn.Clip{Lo: 0, Hi: 6}, image, image, map[string]string{}},
		{nn.Func(ops.Exp), image, image, map[string]string{}},
		{nn.Sequential{}, image, image, map[string]string{}},
	} {
		n := apply(tt.layer, tt.x)
		require.NoError(t, n.g.Err(), "%#v", tt.layer)
		require.Equal(t, tt.want, n.y.Type(), "%#v", tt.layer)
		require.Equal(t, tt.leaves, n.leaves(), "%#v", tt.layer)
	}
}

// block is a layer of a user's own, which knows nothing of numbers.
type block struct{ out int }

func (b block) Apply(s nn.Scope, x *graph.Node) *graph.Node {
	y := nn.Linear{Name: "a", Out: b.out}.Apply(s, x)
	return ops.Add(y, nn.Linear{Name: "b", Out: b.out}.Apply(s, x))
}

func TestSequentialNumbersWhatHasNoName(t *testing.T) {
	n := apply(nn.Sequential{
		nn.Linear{Out: 2, NoBias: true},
		nn.ReLU{},
		nn.Linear{Name: "fc", Out: 2, NoBias: true},
		nn.Sequential{nn.Tanh{}, nn.Linear{Out: 2, NoBias: true}},
		nn.Named("features", nn.Sequential{nn.Linear{Out: 2, NoBias: true}, nn.Linear{Name: "last", Out: 2, NoBias: true}}),
		block{2},
		block{2},
		nn.Named("head", nn.Linear{Out: 2, NoBias: true}),
		nn.Frozen{Layer: nn.Linear{Out: 2, NoBias: true}},
		nn.Frozen{Layer: nn.Linear{Name: "fixed", Out: 2, NoBias: true}},
	}, shape.F32(shape.N, 2))
	require.NoError(t, n.g.Err())
	w := "float32(2,2)"
	require.Equal(t, map[string]string{
		"0.weight": w, "fc.weight": w, "3.1.weight": w,
		"features.0.weight": w, "features.last.weight": w,
		"5.a.weight": w, "5.b.weight": w, "5.a.bias": "float32(2)", "5.b.bias": "float32(2)",
		"6.a.weight": w, "6.b.weight": w, "6.a.bias": "float32(2)", "6.b.bias": "float32(2)",
		"head.weight": w, "8.weight": w, "fixed.weight": w,
	}, n.leaves())

	layers := map[string]bool{}
	for _, node := range n.g.Nodes() {
		layers[node.Layer()] = true
	}
	for _, want := range []string{"0", "1", "fc", "3.0", "3.1", "features.0", "features.last", "5", "5.a", "6.b", "head", "8", "fixed"} {
		require.Contains(t, layers, want)
	}
	for _, l := range n.g.Leaves() {
		require.Equal(t, l.Name(), graph.Join(l.Layer(), l.Name()[len(l.Layer())+1:]), "a name is the layer's path and more")
	}
}

func TestResidualIsNamedAsItsBody(t *testing.T) {
	conv := nn.Conv2D{Out: 4, Kernel: 3, Pad: 1, NoBias: true}
	project := nn.Conv2D{Out: 4, Kernel: 1, NoBias: true}
	n := apply(nn.Sequential{
		nn.Residual{Body: nn.Sequential{conv, nn.ReLU{}}, Shortcut: project},
		nn.Residual{Name: "block", Body: nn.Sequential{conv, nn.ReLU{}}},
		nn.Residual{Body: nn.Named("body", conv), Shortcut: nn.Named("downsample", project)},
	}, shape.F32(shape.N, 3, 5, 5))
	require.NoError(t, n.g.Err())
	require.Equal(t, map[string]string{
		"0.0.weight": "float32(4,3,3,3)", "0.shortcut.weight": "float32(4,3,1,1)",
		"block.0.weight": "float32(4,4,3,3)",
		"2.body.weight":  "float32(4,4,3,3)", "2.downsample.weight": "float32(4,4,1,1)",
	}, n.leaves())
}

func TestResidualAddsItsInput(t *testing.T) {
	n := apply(nn.Residual{Body: nn.Func(ops.Square)}, shape.F64(shape.N, 2))
	require.Equal(t, []float64{6, 12}, run(t, n.y, vm.NewStore(1), []float64{2, 3}, 1, 2))
}

// One mistake is one error, at the user's line and with the layer's path.
func TestMistakes(t *testing.T) {
	image := shape.F32(shape.N, 4, 8, 8)
	for _, tt := range []struct {
		layer nn.Layer
		x     shape.Type
		path  string
		want  string
	}{
		{nn.Conv2D{Name: "c", Out: 6, Kernel: 9}, image, "c", "Conv2D: "},
		{nn.Conv2D{Name: "c", Out: 6}, image, "c", "want a positive Kernel, have 0"},
		{nn.Conv2D{Name: "c", Kernel: 3}, image, "c", "want a positive Out, the channels of the result; have 0"},
		{nn.Conv2D{Name: "c", Out: 6, Kernel: -1}, image, "c", "Kernel is out of range; its numbers go from 0 to 32767"},
		{nn.Conv2D{Name: "c", Out: 6, Kernel: nn.Rect(3, 40000)}, image, "c", "Kernel is out of range"},
		{nn.Conv2D{Name: "c", Out: 6, Kernel: nn.Sides(1, 2, 3, 4)}, image, "c", "Kernel is 1,2,3,4; only a padding can differ"},
		{nn.Conv2D{Name: "c", Out: 6, Kernel: 3, Stride: nn.Sides(1, 2, 1, 1)}, image, "c", "Stride is 1,2,1,1"},
		{nn.Conv2D{Name: "c", Out: 6, Kernel: 3, Dilation: -1}, image, "c", "Dilation is out of range"},
		{nn.Conv2D{Name: "c", Out: 6, Kernel: 3, Pad: 1 << 40}, image, "c", "Pad is out of range"},
		{nn.Conv2D{Name: "c", Out: 6, Kernel: 3, Groups: 3}, image, "c", "4 channels cannot be split into 3 groups"},
		{nn.Conv2D{Name: "c", Out: 6, Kernel: 3, Groups: -1}, image, "c", "Conv2D: "},
		{nn.Conv2D{Name: "c", Out: 6, Kernel: 3}, shape.F32(shape.N, 4), "c", "want a batch of rank 4, have float32(N,4)"},
		{nn.Conv2D{Name: "c", Out: 6, Kernel: 3}, shape.F32(1, shape.N, 8, 8), "c", "channels must not depend on the batch size"},
		{nn.Conv2D{Name: "c", Out: 6, Kernel: 3}, shape.U8(shape.N, 4, 8, 8), "c", "there are no parameters of type uint8, which the input has; cast it to float32 first"},
		{nn.Linear{Name: "fc", Out: 6}, shape.I32(shape.N, 4), "fc", "no parameters of type int32"},
		{nn.BatchNorm{Name: "bn"}, shape.Mask(shape.N, 4), "bn", "no parameters of type bool"},
		{nn.BatchNorm{Name: "bn"}, shape.F32(1, shape.N), "bn", "channels must not depend on the batch size"},
		{nn.Func(nil), image, "0", "the Func is nil"},
		{nn.Conv1D{Name: "c", Out: 6, Kernel: 3}, image, "c", "want a batch of rank 3"},
		{nn.Conv1D{Name: "c", Out: 6, Kernel: 30}, shape.F32(shape.N, 4, 8), "c", "Conv1D: "},
		{nn.Linear{Name: "fc", Out: 6}, shape.F32(shape.N), "fc", "want a batch (N,features), have float32(N)"},
		{nn.Linear{Name: "fc"}, shape.F32(shape.N, 3), "fc", "want a positive Out, the features of the result; have 0"},
		{nn.Linear{Name: "fc", Out: 6}, shape.F32(3, shape.N), "fc", "features must not depend on the batch size"},
		{nn.BatchNorm{Name: "bn"}, shape.F32(shape.N), "bn", "want a batch (N,C,...)"},
		{nn.BatchNorm{Name: "bn", Eps: -1}, image, "bn", "Eps is -1"},
		{nn.MaxPool2D{}, image, "0", "MaxPool2D: "},
		{nn.MaxPool2D{Kernel: -1}, image, "0", "Kernel is out of range"},
		{nn.AvgPool2D{Kernel: 2, Pad: -1}, image, "0", "Pad is out of range"},
		{nn.Dropout{P: 2}, image, "0", "Dropout: "},
		{nn.ConvTranspose2D{Name: "c", Out: 5, Kernel: 3, Groups: 2}, image, "c", "Out is 5, which cannot be split evenly into 2 groups"},
		{nn.ConvTranspose2D{Name: "c", Out: 4, Kernel: 3, Extra: 1}, image, "c", "ConvTranspose2D: height: extra is 1, want 0 to below the stride 1"},
		{nn.LayerNorm{Name: "ln", Axes: 4}, image, "ln", "want a batch and 4 axes behind it to normalise, have float32(N,4,8,8)"},
		{nn.GroupNorm{Name: "gn", Groups: 3}, image, "gn", "4 channels cannot be split into 3 groups"},
		{nn.Embedding{Name: "e", Count: 3}, shape.I32(shape.N), "e", "want a positive Count and Dim, have 3 and 0"},
		{nn.LSTM{Name: "l"}, shape.F32(shape.N, 4, 8), "l", "want a positive Hidden"},
		{nn.SelfAttention{Name: "a"}, shape.F32(shape.N, 4, 8), "a", "Heads is 0; want a number that divides 8"},
		{nn.SelfAttention{Name: "a", Heads: 3}, shape.F32(shape.N, 4, 8), "a", "Heads is 3; want a number that divides 8"},
		{nn.SelfAttention{Name: "a", Heads: 2}, shape.F32(2, shape.N, 8), "a", "want sequences (N,L,D) of floating point, with numbers of L and D"},
		{nn.SelfAttention{Name: "a", Heads: 2, Cache: &nn.KVCache{Length: 9}}, shape.F32(shape.N, 4, 8), "a", "with a Cache N must be a number"},
		{nn.SelfAttention{Name: "a", Heads: 2, Cache: &nn.KVCache{Length: 3}}, shape.F32(2, 4, 8), "a", "Cache.Length is 3; want room for the 4 positions"},
		{nn.SelfAttention{Name: "a", Heads: 2, Cache: &nn.KVCache{Length: 9}}, shape.F32(2, 4, 8), "a", "Cache.At is nil"},
		{nn.Upsample{}, image, "0", "want a Scale of at least 1"},
		{nn.AdaptiveAvgPool2D{}, image, "0", "size is [0 0]; want at least 1"},
		{nil, image, "0", "the layer is nil"},
		{nn.Named("n", nil), image, "n", "the layer is nil"},
		{nn.Frozen{}, image, "0", "the layer is nil"},
		{nn.Residual{Name: "r", Body: nn.Conv2D{Out: 2, Kernel: 1}}, image, "r", "the body and x or its shortcut differ in type"},
	} {
		n := apply(nn.Sequential{
			nn.Named("before", nn.Sequential{tt.layer}), // everything after it is silent:
			nn.Conv2D{Out: 3, Kernel: 3}, nn.MaxPool2D{Kernel: 2}, nn.BatchNorm{}, nn.ReLU{}, nn.Dropout{P: 0.5},
			nn.Residual{Body: nn.Tanh{}, Shortcut: nn.Sigmoid{}}, nn.Func(ops.Exp), nn.Flatten{}, nn.Linear{Out: 2},
		}, tt.x)
		list := n.errs(t)
		require.Len(t, list, 1, "%#v", tt.layer)
		require.ErrorContains(t, list[0], tt.want)
		require.Equal(t, "before."+tt.path, list[0].Layer, tt.want)
		require.Contains(t, list[0].Pos.File, "nn_test.go")
		require.False(t, n.y.Valid(), tt.want)
	}
}

func TestAnInvalidInputIsReturnedInSilence(t *testing.T) {
	g := graph.New()
	bad := ops.Add(g.Input("a", shape.F32(2)), g.Input("b", shape.F32(3)))
	all := []nn.Layer{
		nn.Residual{Body: nn.ReLU{}}, nn.Func(ops.Exp), nn.Sequential{nn.ReLU{}}, nn.Named("n", nn.ReLU{}), nn.Frozen{Layer: nn.ReLU{}},
	}
	for _, l := range layers {
		all = append(all, l.layer)
	}
	for _, l := range all {
		require.Same(t, bad, l.Apply(nn.Root(g), bad), "%#v", l)
	}
	var list graph.ErrorList
	require.ErrorAs(t, g.Err(), &list)
	require.Len(t, list, 1)
}

func TestInputsThatAreNone(t *testing.T) {
	g := graph.New()
	nn.Linear{Name: "fc", Out: 1}.Apply(nn.Root(g), nil)
	require.ErrorContains(t, g.Err(), "layer fc: Layer: the input is nil")

	g = graph.New()
	nn.Linear{Name: "fc", Out: 1}.Apply(nn.Root(g), graph.New().Input("x", shape.F32(1, 1)))
	require.ErrorContains(t, g.Err(), "belongs to another graph")
}

// forgetful is a layer of a user's that forgets its result.
type forgetful struct{}

func (forgetful) Label() string                               { return "mine" }
func (forgetful) Apply(nn.Scope, *graph.Node) (y *graph.Node) { return y }

func TestALayerThatGivesNilIsOneError(t *testing.T) {
	none := nn.Func(func(*graph.Node) *graph.Node { return nil })
	for _, tt := range []struct {
		layer nn.Layer
		path  string
	}{
		{none, "0"},
		{nn.Named("n", none), "n"},
		{nn.Residual{Name: "r", Body: none}, "r"},
		{nn.Residual{Name: "r", Body: nn.ReLU{}, Shortcut: none}, "r.shortcut"},
		{forgetful{}, "mine"},
		{nn.Residual{Name: "r", Body: forgetful{}}, "r.mine"},
	} {
		n := apply(nn.Sequential{tt.layer, nn.Linear{Out: 2}}, shape.F32(shape.N, 3))
		list := n.errs(t)
		require.Len(t, list, 1, "%#v", tt.layer)
		require.ErrorContains(t, list[0], "layer "+tt.path+": Layer: the layer returns nil")
	}
}

// A method that the compiler inlines must not pass for the user's own.
func TestNodesOfALayerHaveTheLineThatAppliesIt(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 4, 8, 8))
	nn.Conv2D{Name: "c", Out: 2, Kernel: 3}.Apply(nn.Root(g), x)
	nn.BatchNorm{Name: "bn"}.Apply(nn.Root(g), x)
	nn.Linear{Name: "fc", Out: 2}.Apply(nn.Root(g), nn.Flatten{}.Apply(nn.Root(g), x))
	for _, n := range g.Nodes() {
		require.Equal(t, "nn_test.go", filepath.Base(n.Pos().File), "%v", n)
	}
}

func TestAParameterIsFloatingPoint(t *testing.T) {
	g := graph.New()
	require.False(t, nn.Root(g).In("mine").Param("count", shape.I64(), nil).Valid())
	require.ErrorContains(t, g.Err(), "no parameters of type int64")
	require.True(t, nn.Root(g).In("mine").State("count", shape.I64(), nil).Valid())
}

func TestTheSameNameTwiceIsAnError(t *testing.T) {
	n := apply(nn.Sequential{nn.Linear{Name: "fc", Out: 2, NoBias: true}, nn.Linear{Name: "fc", Out: 2, NoBias: true}}, shape.F32(shape.N, 2))
	list := n.errs(t)
	require.Len(t, list, 1)
	require.ErrorContains(t, list[0], `the name "fc.weight" is taken`)
}

func TestSharedUsesTheSameWeights(t *testing.T) {
	g := graph.New()
	a, b := g.Input("a", shape.F32(shape.N, 2)), g.Input("b", shape.F32(shape.N, 2))
	l := nn.Named("twin", nn.Sequential{nn.Linear{Out: 3}, nn.BatchNorm{}})
	s := nn.Root(g)
	l.Apply(s, a)
	before := len(g.Leaves())
	nn.Linear{Out: 3}.Apply(s.Shared().In("twin").In("0"), b)
	require.NoError(t, g.Err())
	require.Len(t, g.Leaves(), before)

	for _, tt := range []struct {
		layer nn.Layer
		want  string
	}{
		{nn.Linear{Name: "other", Out: 3, NoBias: true}, `no "other.weight" to share`},
		{nn.Named("twin", nn.Named("0", nn.Linear{Out: 4, NoBias: true})), `"twin.0.weight" is float32(3,2); to be shared it must be float32(4,2)`},
	} {
		g := graph.New()
		x := g.Input("a", shape.F32(shape.N, 2))
		l.Apply(nn.Root(g), x)
		tt.layer.Apply(nn.Root(g).Shared(), x)
		require.ErrorContains(t, g.Err(), tt.want)
	}
}

func TestSharingWithALayerThatFailedIsSilent(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 2))
	l := nn.Sequential{nn.MaxPool2D{Kernel: 2}, nn.Linear{Out: 3}}
	l.Apply(nn.Root(g), x)
	l[1:].Apply(nn.Root(g).Shared(), x)
	var list graph.ErrorList
	require.ErrorAs(t, g.Err(), &list)
	require.Len(t, list, 1)
}

func TestFrozenParametersAreNotTrained(t *testing.T) {
	n := apply(nn.Sequential{
		nn.Frozen{Layer: nn.Named("body", nn.Sequential{nn.Linear{Out: 3}, nn.BatchNorm{}})},
		nn.Linear{Name: "head", Out: 2},
	}, shape.F32(shape.N, 2))
	var trained []string
	for _, p := range n.g.Params() {
		trained = append(trained, p.Name())
	}
	require.Equal(t, []string{"head.weight", "head.bias"}, trained)
	require.True(t, n.g.Leaf("body.0.weight").Frozen())
}

func TestScopeAndLayerPathAgree(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 2))
	g.Within("encoder", func() {
		s := nn.Root(g)
		require.Equal(t, "encoder", s.Path())
		y := nn.Linear{Out: 2}.Apply(s.In("a").In("b"), x)
		require.Equal(t, "encoder.a.b", y.Layer())
		require.NotNil(t, g.Leaf("encoder.a.b.weight"))
	})
	require.Equal(t, "", g.Layer())
	require.Same(t, g, nn.Root(g).Graph())
}

func TestLinearIsXTimesWTransposedPlusB(t *testing.T) {
	n := apply(nn.Linear{Out: 2}, shape.F64(shape.N, 3))
	s := store(t, n.g, map[string]*tensor.Dense{
		"weight": dense([]float64{1, 2, 3, 4, 5, 6}, 2, 3), "bias": dense([]float64{10, 20}, 2),
	})
	require.Equal(t, []float64{10 + 1, 20 + 4, 10 + 6, 20 + 15}, run(t, n.y, s, []float64{1, 0, 0, 1, 1, 1}, 2, 3))
}

func TestConvolutionsAddTheirBiasToEachChannel(t *testing.T) {
	two := apply(nn.Conv2D{Out: 2, Kernel: nn.Rect(1, 2)}, shape.F64(shape.N, 1, 1, 3))
	one := apply(nn.Conv1D{Out: 2, Kernel: 2}, shape.F64(shape.N, 1, 3))
	bias := dense([]float64{10, 20}, 2)
	want := []float64{10 + 2, 10 + 3, 20 + 2*2 - 3, 20 + 2*3 - 5}
	kernels := []float64{1, 0, 2, -1}
	x := []float64{2, 3, 5}
	require.Equal(t, want, run(t, two.y, store(t, two.g, map[string]*tensor.Dense{"weight": dense(kernels, 2, 1, 1, 2), "bias": bias}), x, 1, 1, 1, 3))
	require.Equal(t, want, run(t, one.y, store(t, one.g, map[string]*tensor.Dense{"weight": dense(kernels, 2, 1, 2), "bias": bias}), x, 1, 1, 3))
}

// BatchNormStats of REGRESSIONS.md (https://github.com/gorgonia/gorgonia/issues/408,
// https://github.com/pytorch/pytorch/issues/19902).
func TestBatchNormStats(t *testing.T) {
	n := apply(nn.BatchNorm{Name: "bn"}, shape.F64(shape.N, 1))
	s := store(t, n.g, nil)
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{n.y}, vm.Train)
	require.NoError(t, err)
	m, err := p.NewMachine(s)
	require.NoError(t, err)
	// Mean 4; biased variance 8/3, unbiased 4.
	outs, err := m.Run(t.Context(), dense([]float64{2, 4, 6}, 3, 1))
	require.NoError(t, err)
	z := 2 / math.Sqrt(8.0/3+1e-5) // gamma is 1, beta 0
	require.InDeltaSlice(t, []float64{-z, 0, z}, outs[0].Data(), 1e-9)
	for name, want := range map[string]float64{"bn.running_mean": 0.1 * 4, "bn.running_var": 0.9*1 + 0.1*4} {
		v, err := s.Value(name)
		require.NoError(t, err)
		require.InDelta(t, want, v.Data().([]float64)[0], 1e-12, name)
	}

	inference := graph.Inference(n.y)[0]
	got := run(t, inference, s, []float64{0.4, 6}, 2, 1)
	require.InDeltaSlice(t, []float64{0, (6 - 0.4) / math.Sqrt(1.3+1e-5)}, got, 1e-12)
}

func TestDropoutIsIdleInInference(t *testing.T) {
	n := apply(nn.Dropout{P: 0.5}, shape.F64(shape.N, 4))
	x := []float64{1, 2, 3, 4}
	require.Equal(t, x, run(t, graph.Inference(n.y)[0], vm.NewStore(1), x, 1, 4))
}

func TestAffineLayersTakeAnyBatch(t *testing.T) {
	n := apply(nn.Sequential{nn.Conv2D{Out: 2, Kernel: 3}, nn.GlobalAvgPool2D{}, nn.Flatten{}, nn.Linear{Out: 3}}, shape.F64(shape.N, 1, 4, 4))
	s := store(t, n.g, nil)
	x := make([]float64, 5*16)
	for i := range x {
		x[i] = float64(i*i%7) - 3
	}
	all := run(t, n.y, s, x, 5, 1, 4, 4)
	require.Len(t, all, 15)
	require.InDeltaSlice(t, all[3:9], run(t, n.y, s, x[16:48], 2, 1, 4, 4), 1e-12)
}

// The count for LeNet-5 is in the tests of models/lenet.
func TestMACs(t *testing.T) {
	for _, tt := range []struct {
		layer nn.Layer
		x     shape.Type
		want  int
	}{
		{nn.Conv2D{Out: 6, Kernel: nn.Rect(3, 5), Groups: 2}, shape.F32(shape.N, 4, 10, 12), 6 * 8 * 8 * (2 * 3 * 5)},
		{nn.Conv1D{Out: 6, Kernel: 3}, shape.F32(shape.N, 4, 10), 6 * 8 * (4 * 3)},
		{nn.Linear{Out: 7}, shape.F32(shape.N, 5), 35},
		{nn.Linear{Out: 7}, shape.F32(shape.N, 2, 5), 70},
		{nn.ReLU{}, shape.F32(shape.N, 5), 0},
		{nn.Func(func(x *graph.Node) *graph.Node { return ops.MatMul(x, x, ops.MatMulOp{TransA: true}) }), shape.F32(3, 5), 5 * 3 * 5},
		{nn.Conv2D{}, shape.F32(shape.N, 4, 10, 12), 0}, // invalid
	} {
		n, macs := apply(tt.layer, tt.x), 0
		for _, node := range n.g.Nodes() {
			macs += nn.MACs(node)
		}
		require.Equal(t, tt.want, macs, "%#v", tt.layer)
	}
}
