package ops_test

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// feed is an Input with its value.
type feed struct {
	node *graph.Node
	v    []float64
}

// newFeed adds a float64 Input.
func newFeed(g *graph.Graph, name string, s shape.Shape, v []float64) feed {
	return feed{g.Input(name, shape.Type{DType: shape.Float64, Shape: s}), v}
}

// computed runs outs, all float64, on the reference engine.
func computed(t testing.TB, outs []*graph.Node, feeds ...feed) [][]float64 {
	t.Helper()
	return computedBy(t, nil, outs, feeds...)
}

func computedBy(t testing.TB, opts []vm.Option, outs []*graph.Node, feeds ...feed) [][]float64 {
	t.Helper()
	p, err := vm.Compile(ref.Engine{}, outs, append(opts, vm.Checked)...)
	require.NoError(t, err)
	m, err := p.NewMachine(vm.NewStore(1))
	require.NoError(t, err)
	var in []*tensor.Dense
	for _, x := range p.Inputs() {
		f := feeds[slices.IndexFunc(feeds, func(f feed) bool { return f.node.Name() == x.Name() })]
		in = append(in, tensor.New(tensor.WithShape(f.node.Type().Ints()...), tensor.WithBacking(slices.Clone(f.v))))
	}
	got, err := m.Run(t.Context(), in...)
	require.NoError(t, err)
	values := make([][]float64, len(got))
	for i, d := range got {
		values[i] = slices.Clone(d.Float64s())
	}
	return values
}

// torchCase is a case of testdata/conv_pool.json; testdata/conv_pool.py says what it holds.
type torchCase struct {
	Name, Op string
	Attrs    json.RawMessage
	Shapes   [][]int
	Ties     bool
	Y        struct {
		Shape []int
		V     []float64
	}
	Grads [][]float64
}

// counter is the script's function of that name.
func counter(p, n int, ties bool) []float64 {
	v := make([]float64, n)
	for i := range v {
		c := (7919*i + 131*p) % 1009
		if v[i] = float64(c)/504.5 - 1; ties {
			v[i] = float64(c % 3)
		}
	}
	return v
}

// torchOps builds each op from its inputs and attributes.
var torchOps = map[string]func(in []*graph.Node, attrs []byte) (*graph.Node, error){
	"Conv2D": with(func(x []*graph.Node, op ops.Conv2DOp) *graph.Node { return ops.Conv2D(x[0], x[1], op) }),
	"Conv1D": with(func(x []*graph.Node, op ops.Conv1DOp) *graph.Node { return ops.Conv1D(x[0], x[1], op) }),
	"ConvTranspose2D": with(func(x []*graph.Node, a struct {
		Op    ops.Conv2DOp
		Extra [2]int
	}) *graph.Node {
		return ops.ConvTranspose2D(x[0], x[1], a.Op, a.Extra)
	}),
	"Conv3D": with(func(x []*graph.Node, op ops.Conv3DOp) *graph.Node { return ops.Conv3D(x[0], x[1], op) }),
	"ConvTranspose3D": with(func(x []*graph.Node, a struct {
		Op    ops.Conv3DOp
		Extra [3]int
	}) *graph.Node {
		return ops.ConvTranspose3D(x[0], x[1], a.Op, a.Extra)
	}),
	"ConvTranspose1D": with(func(x []*graph.Node, a struct {
		Op    ops.Conv1DOp
		Extra int
	}) *graph.Node {
		return ops.ConvTranspose1D(x[0], x[1], a.Op, a.Extra)
	}),
	"MaxPool3D":       with(func(x []*graph.Node, op ops.Pool3DOp) *graph.Node { return ops.MaxPool3D(x[0], op) }),
	"AvgPool3D":       with(func(x []*graph.Node, op ops.AvgPool3DOp) *graph.Node { return ops.AvgPool3D(x[0], op) }),
	"GlobalMaxPool1D": with(func(x []*graph.Node, _ struct{}) *graph.Node { return ops.GlobalMaxPool1D(x[0]) }),
	"GlobalAvgPool1D": with(func(x []*graph.Node, _ struct{}) *graph.Node { return ops.GlobalAvgPool1D(x[0]) }),
	"GlobalMaxPool3D": with(func(x []*graph.Node, _ struct{}) *graph.Node { return ops.GlobalMaxPool3D(x[0]) }),
	"GlobalAvgPool3D": with(func(x []*graph.Node, _ struct{}) *graph.Node { return ops.GlobalAvgPool3D(x[0]) }),
	"AdaptiveMaxPool1D": with(func(x []*graph.Node, a struct{ Size int }) *graph.Node {
		return ops.AdaptiveMaxPool1D(x[0], a.Size)
	}),
	"AdaptiveAvgPool1D": with(func(x []*graph.Node, a struct{ Size int }) *graph.Node {
		return ops.AdaptiveAvgPool1D(x[0], a.Size)
	}),
	"AdaptiveMaxPool2D": with(func(x []*graph.Node, a struct{ Size [2]int }) *graph.Node {
		return ops.AdaptiveMaxPool2D(x[0], a.Size)
	}),
	"AdaptiveAvgPool2D": with(func(x []*graph.Node, a struct{ Size [2]int }) *graph.Node {
		return ops.AdaptiveAvgPool2D(x[0], a.Size)
	}),
	"AdaptiveMaxPool3D": with(func(x []*graph.Node, a struct{ Size [3]int }) *graph.Node {
		return ops.AdaptiveMaxPool3D(x[0], a.Size)
	}),
	"AdaptiveAvgPool3D": with(func(x []*graph.Node, a struct{ Size [3]int }) *graph.Node {
		return ops.AdaptiveAvgPool3D(x[0], a.Size)
	}),
	"LpPool1D": with(func(x []*graph.Node, a struct {
		P  float64
		Op ops.Pool1DOp
	}) *graph.Node {
		return ops.LpPool1D(x[0], a.P, a.Op)
	}),
	"LpPool2D": with(func(x []*graph.Node, a struct {
		P  float64
		Op ops.Pool2DOp
	}) *graph.Node {
		return ops.LpPool2D(x[0], a.P, a.Op)
	}),
	"ResizeNearest":   with(func(x []*graph.Node, a struct{ Size [2]int }) *graph.Node { return ops.ResizeNearest(x[0], a.Size) }),
	"ResizeBilinear":  with(func(x []*graph.Node, a struct{ Size [2]int }) *graph.Node { return ops.ResizeBilinear(x[0], a.Size) }),
	"MaxPool2D":       with(func(x []*graph.Node, op ops.Pool2DOp) *graph.Node { return ops.MaxPool2D(x[0], op) }),
	"MaxPool1D":       with(func(x []*graph.Node, op ops.Pool1DOp) *graph.Node { return ops.MaxPool1D(x[0], op) }),
	"AvgPool2D":       with(func(x []*graph.Node, op ops.AvgPool2DOp) *graph.Node { return ops.AvgPool2D(x[0], op) }),
	"AvgPool1D":       with(func(x []*graph.Node, op ops.AvgPool1DOp) *graph.Node { return ops.AvgPool1D(x[0], op) }),
	"GlobalMaxPool2D": with(func(x []*graph.Node, _ struct{}) *graph.Node { return ops.GlobalMaxPool2D(x[0]) }),
	"GlobalAvgPool2D": with(func(x []*graph.Node, _ struct{}) *graph.Node { return ops.GlobalAvgPool2D(x[0]) }),
	"MatMul":          with(func(x []*graph.Node, op ops.MatMulOp) *graph.Node { return ops.MatMul(x[0], x[1], op) }),
}

func with[A any](build func([]*graph.Node, A) *graph.Node) func([]*graph.Node, []byte) (*graph.Node, error) {
	return func(in []*graph.Node, attrs []byte) (*graph.Node, error) {
		var a A
		d := json.NewDecoder(strings.NewReader(string(attrs)))
		d.DisallowUnknownFields()
		if err := d.Decode(&a); err != nil {
			return nil, err
		}
		return build(in, a), nil
	}
}

func torchCases(t *testing.T) (cases []torchCase) {
	t.Helper()
	data, err := os.ReadFile("testdata/conv_pool.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &cases))
	return cases
}

// equalsTorch checks result and gradients of one case.
func equalsTorch(t *testing.T, c torchCase) {
	t.Helper()
	g := graph.New()
	var feeds []feed
	var in []*graph.Node
	for i, s := range c.Shapes {
		sh := shape.OfInts(s...)
		feeds = append(feeds, newFeed(g, string(rune('a'+i)), sh, counter(i, sh.Len(), c.Ties)))
		in = append(in, feeds[i].node)
	}
	y, err := torchOps[c.Op](in, c.Attrs)
	require.NoError(t, errors.Join(err, g.Err()))
	require.Equal(t, shape.OfInts(c.Y.Shape...), y.Type().Shape)
	dy := newFeed(g, "dy", y.Type().Shape, counter(7, len(c.Y.V), false))
	outs := append([]*graph.Node{y}, autodiff.VJP(y, dy.node, in...)...)
	require.NoError(t, g.Err())
	got := computed(t, outs, append(feeds, dy)...)
	require.InDeltaSlice(t, c.Y.V, got[0], 1e-10)
	for i, want := range c.Grads {
		require.InDeltaSlice(t, want, got[1+i], 1e-10, "gradient of input %d", i)
	}
}

func TestConvPoolMatMulEqualPyTorch(t *testing.T) {
	for _, c := range torchCases(t) {
		t.Run(c.Op+"/"+c.Name+string(c.Attrs), func(t *testing.T) { equalsTorch(t, c) })
	}
}

// regression runs the PyTorch cases whose name begins so, of which there must be n.
func regression(t *testing.T, name string, n int) {
	for _, c := range torchCases(t) {
		if strings.HasPrefix(c.Name, name) {
			n--
			equalsTorch(t, c)
		}
	}
	require.Zero(t, n, "cases of that name")
}

// TestNonSquare: kernel, stride, padding, dilation and image all differ in height and width
// (gorgonia#514).
func TestNonSquare(t *testing.T) { regression(t, "NonSquare", 4) }

// TestOverlappingMaxPool: where 3x3 windows of stride 2 share a maximum, its gradients add
// up (Flux#1197, NNlib#205).
func TestOverlappingMaxPool(t *testing.T) {
	regression(t, "OverlappingMaxPool", 1)
	dx := maxPoolGrad(t, shape.Of(1, 1, 3, 5), []float64{
		0, 0, 0, 0, 0,
		0, 0, 9, 0, 0,
		0, 0, 0, 0, 0,
	}, ops.Pool2DOp{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}}, []float64{3, 4})
	require.Equal(t, []float64{0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0}, dx)
}

// TestMaxTies: of equal maxima the first in row-major order wins, and has the gradient alone
// (CrypTen#90).
func TestMaxTies(t *testing.T) {
	regression(t, "MaxTies", 1)
	dx := maxPoolGrad(t, shape.Of(1, 1, 2, 4), []float64{
		1, 5, 7, 7,
		5, 5, 7, 7,
	}, ops.Pool2DOp{Kernel: [2]int{2, 2}}, []float64{10, 20})
	require.Equal(t, []float64{0, 10, 20, 0, 0, 0, 0, 0}, dx)
}

func maxPoolGrad(t *testing.T, s shape.Shape, x []float64, op ops.Pool2DOp, dy []float64) []float64 {
	t.Helper()
	g := graph.New()
	in := newFeed(g, "x", s, x)
	y := ops.MaxPool2D(in.node, op)
	cotangent := newFeed(g, "dy", y.Type().Shape, dy)
	return computed(t, autodiff.VJP(y, cotangent.node, in.node), in, cotangent)[0]
}

// TestTransposedStrideDilation: a transposed convolution whose stride is not its dilation,
// gradients too (candle#2337).
func TestTransposedStrideDilation(t *testing.T) { regression(t, "TransposedStrideDilation", 1) }
