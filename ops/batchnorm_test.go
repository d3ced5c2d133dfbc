package ops_test

import (
	"encoding/json"
	"fmt"
	"os"
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

// batchNormCase is a case of testdata/batchnorm.json; testdata/batchnorm.py says what it holds.
type batchNormCase struct {
	Shape                    []int
	Eps, Momentum            float64
	Y, Mean, Variance, Infer []float64
	Grads                    [][]float64
}

// batchNormed is a graph with a batch normalisation whose leaves hold the fixtures' numbers.
type batchNormed struct {
	x, gamma, beta, mean, variance, y *graph.Node
	c                                 int
}

func newBatchNormed(x shape.Type, opts ops.BatchNormOptions) batchNormed {
	g := graph.New()
	c := x.Of(shape.Of(x.Dim(1)))
	b := batchNormed{
		x:        g.Input("x", x),
		gamma:    g.Param("gamma", c, nil),
		beta:     g.Param("beta", c, nil),
		mean:     g.State("mean", c, nil),
		variance: g.State("variance", c, nil),
		c:        c.Int(0),
	}
	b.y = ops.BatchNorm(b.x, b.gamma, b.beta, b.mean, b.variance, opts)
	return b
}

// store holds the leaves' first values.
func (b batchNormed) store(t *testing.T) *vm.Store {
	t.Helper()
	s := vm.NewStore(1)
	variance := counter(4, b.c)
	for i := range variance {
		variance[i] += 2
	}
	for name, v := range map[string][]float64{
		"gamma": counter(1, b.c), "beta": counter(2, b.c), "mean": counter(3, b.c), "variance": variance,
	} {
		require.NoError(t, s.Set(name, tensor.New(tensor.WithShape(b.c), tensor.WithBacking(v))))
	}
	return s
}

// run runs outs n times and returns the last values.
func run(t *testing.T, s *vm.Store, n int, outs []*graph.Node, opts []vm.Option, in ...*tensor.Dense) [][]float64 {
	t.Helper()
	p, err := vm.Compile(ref.Engine{}, outs, append(opts, vm.Checked)...)
	require.NoError(t, err)
	m, err := p.NewMachine(s)
	require.NoError(t, err)
	var got []*tensor.Dense
	for range n {
		got, err = m.Run(t.Context(), in...)
		require.NoError(t, err)
	}
	v := make([][]float64, len(got))
	for i, d := range got {
		v[i] = append([]float64(nil), d.Float64s()...)
	}
	return v
}

func stored(t *testing.T, s *vm.Store, name string) []float64 {
	t.Helper()
	v, err := s.Value(name)
	require.NoError(t, err)
	return v.Float64s()
}

func TestBatchNormStats(t *testing.T) {
	data, err := os.ReadFile("testdata/batchnorm.json")
	require.NoError(t, err)
	var cs []batchNormCase
	require.NoError(t, json.Unmarshal(data, &cs))
	for _, c := range cs {
		for _, symbolic := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v symbolic %v", c.Shape, symbolic), func(t *testing.T) {
				typ := shape.Type{DType: shape.Float64, Shape: shape.OfInts(c.Shape...)}
				x := tensor.New(tensor.WithShape(c.Shape...), tensor.WithBacking(counter(0, typ.Len())))
				dyValue := tensor.New(tensor.WithShape(c.Shape...), tensor.WithBacking(counter(7, typ.Len())))
				if symbolic {
					typ = typ.Of(typ.With(0, shape.N))
				}
				b := newBatchNormed(typ, ops.BatchNormOptions{Eps: c.Eps, Momentum: c.Momentum})
				dy := b.x.Graph().Input("dy", typ)
				grads := autodiff.VJP(b.y, dy, b.x, b.gamma, b.beta)
				s := b.store(t)
				got := run(t, s, 2, append([]*graph.Node{b.y}, grads...), []vm.Option{vm.Train}, x, dyValue)
				require.InDeltaSlice(t, c.Y, got[0], 1e-11)
				for i := range grads {
					require.InDeltaSlice(t, c.Grads[i], got[1+i], 1e-10, "gradient %d", i)
				}
				require.InDeltaSlice(t, c.Mean, stored(t, s, "mean"), 1e-12)
				require.InDeltaSlice(t, c.Variance, stored(t, s, "variance"), 1e-12)

				infer := graph.Inference(b.y)
				require.InDeltaSlice(t, c.Infer, run(t, s, 1, infer, nil, x)[0], 1e-11)
				require.Empty(t, infer[0].Graph().Updates())
				for _, n := range infer[0].Graph().Nodes() {
					require.NotContains(t, []string{"Count", "ByMode"}, n.Op().Name(), "the training form is still there")
				}
			})
		}
	}
}

func TestBatchNormOfOneValueAChannelIsBeta(t *testing.T) {
	b := newBatchNormed(shape.F64(shape.N, 2), ops.BatchNormOptions{})
	s := b.store(t)
	x := tensor.New(tensor.WithShape(1, 2), tensor.WithBacking([]float64{3, -5}))
	y := run(t, s, 1, []*graph.Node{b.y}, []vm.Option{vm.Train}, x)
	require.Equal(t, counter(2, 2), y[0])
	variance := counter(4, 2)
	for i, v := range stored(t, s, "variance") {
		require.InDelta(t, 0.9*(2+variance[i]), v, 1e-12)
	}
}

func TestBatchNormRefusesWhatDoesNotFit(t *testing.T) {
	g := graph.New()
	x, c := g.Input("x", shape.F32(shape.N, 3, 4, 4)), g.Param("c", shape.F32(3), nil)
	wide, ids := g.Param("wide", shape.F32(4), nil), g.Input("ids", shape.I32(shape.N, 3))
	double, flat := g.Param("double", shape.F64(3), nil), g.Input("flat", shape.F32(3))
	m, v := g.State("m", shape.F32(3), nil), g.State("v", shape.F32(3), nil)
	for want, in := range map[string][]*graph.Node{
		"running mean is float32(4); for input float32(N,3,4,4) it must be float32(3)": {x, c, c, wide, v},
		"gamma is float64(3); for input float32(N,3,4,4) it must be float32(3)":        {x, double, c, m, v},
		"input is int32(N,3); want float32 or float64":                                 {ids, c, c, m, v},
		"input float32(3) has 1 axes; want 2 to 5: (N,C,...)":                          {flat, c, c, m, v},
		"input 2 is nil": {x, c, nil, m, v},
	} {
		before := errorsOf(g)
		y := ops.BatchNorm(in[0], in[1], in[2], in[3], in[4], ops.BatchNormOptions{})
		require.False(t, y.Valid())
		require.Len(t, errorsOf(g), len(before)+1, want)
		require.ErrorContains(t, g.Err(), "BatchNorm: "+want)
	}
	for want, opts := range map[string]ops.BatchNormOptions{
		"Eps is -1; want a positive number":                   {Eps: -1},
		"Momentum is 2; want a number above 0 and up to 1":    {Momentum: 2},
		"Momentum is -0.1; want a number above 0 and up to 1": {Momentum: -0.1},
	} {
		require.False(t, ops.BatchNorm(x, c, c, m, v, opts).Valid())
		require.ErrorContains(t, g.Err(), want)
	}
	require.Empty(t, g.Updates(), "a refused layer leaves no updates")
	require.True(t, ops.BatchNorm(x, c, c, m, v, ops.BatchNormOptions{}).Valid())
	require.Len(t, g.Updates(), 2)
}

func errorsOf(g *graph.Graph) graph.ErrorList {
	l, _ := g.Err().(graph.ErrorList)
	return l
}
