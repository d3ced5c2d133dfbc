package ops_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/parity"
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
	return computedOn(t, ref.Engine{}, opts, outs, feeds...)
}

func computedOn(t testing.TB, e engine.Engine, opts []vm.Option, outs []*graph.Node, feeds ...feed) [][]float64 {
	t.Helper()
	p, err := vm.Compile(e, outs, append(opts, vm.Checked)...)
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

// counter returns numbers from -1 to 1 in an order that depends on p.
func counter(p, n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = float64((7919*i+131*p)%1009)/504.5 - 1
	}
	return v
}

// positive returns numbers from 0.25 to 1.25.
func positive(p, n int) []float64 {
	v := counter(p, n)
	for i := range v {
		v[i] = math.Abs(v[i]) + .25
	}
	return v
}

// regression runs the comparisons with PyTorch that have this label, of which there must be n.
func regression(t *testing.T, label string, n int) {
	cases, err := parity.Cases()
	require.NoError(t, err)
	for _, c := range cases {
		if c.Label != label {
			continue
		}
		n--
		errs, err := c.Run(t.Context(), ref.Engine{}, shape.Float64)
		require.NoError(t, err)
		require.LessOrEqual(t, max(errs.Value, errs.Grad), parity.Bound(shape.Float64), c)
	}
	require.Zero(t, n, "cases of that label")
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
	}, ops.MaxPool2DOp{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}}, []float64{3, 4})
	require.Equal(t, []float64{0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0}, dx)
}

// TestMaxTies: of equal maxima the first in row-major order wins, and has the gradient alone
// (CrypTen#90).
func TestMaxTies(t *testing.T) {
	regression(t, "MaxTies", 1)
	dx := maxPoolGrad(t, shape.Of(1, 1, 2, 4), []float64{
		1, 5, 7, 7,
		5, 5, 7, 7,
	}, ops.MaxPool2DOp{Kernel: [2]int{2, 2}}, []float64{10, 20})
	require.Equal(t, []float64{0, 10, 20, 0, 0, 0, 0, 0}, dx)
}

func maxPoolGrad(t *testing.T, s shape.Shape, x []float64, op ops.MaxPool2DOp, dy []float64) []float64 {
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
