package numeric_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/autodiff/numeric"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

func dense(v []float64, dims ...int) *tensor.Dense {
	return tensor.New(tensor.WithShape(dims...), tensor.WithBacking(v))
}

func wave(n int, seed float64) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = math.Sin(seed + 2.3*float64(i))
	}
	return v
}

var directions = []numeric.Direction{numeric.Reverse, numeric.Forward}

// The Jacobian of Ax is A; of softmax, diag(s) - s s'.
func TestJacobiansOfClosedForm(t *testing.T) {
	for _, d := range directions {
		g := graph.New()
		a := g.Const(shape.F64(2, 3), []float64{1, 2, 3, 4, 5, 6})
		x := g.Input("x", shape.F64(3))
		y := ops.Reshape(ops.MatMul(a, ops.Reshape(x, 3, 1)), 2)
		s := ops.Softmax(x, 0)
		m, err := numeric.Jacobian(ref.Engine{}, vm.NewStore(1), []*graph.Node{y, s}, []*graph.Node{x}, numeric.Options{Direction: d})
		require.NoError(t, err)
		require.Equal(t, d, m.Direction)
		j, err := m.Run(t.Context(), dense([]float64{.1, -.4, .9}, 3))
		require.NoError(t, err)
		require.Equal(t, tensor.Shape{2, 3}, j[0][0].Shape())
		require.Equal(t, []float64{1, 2, 3, 4, 5, 6}, j[0][0].Float64s())
		e := []float64{math.Exp(.1), math.Exp(-.4), math.Exp(.9)}
		sum := e[0] + e[1] + e[2]
		for i := range 3 {
			for k := range 3 {
				want := -e[i] * e[k] / sum / sum
				if i == k {
					want += e[i] / sum
				}
				require.InDelta(t, want, j[1][0].Float64s()[3*i+k], 1e-15)
			}
		}
	}
}

// network is a model of two Params over a batch, its values in a store.
func network(t *testing.T) (y *graph.Node, s *vm.Store, x *tensor.Dense) {
	g := graph.New()
	in := g.Input("x", shape.F64(shape.N, 3))
	w, b := g.Param("w", shape.F64(3, 2), nil), g.Param("b", shape.F64(2), nil)
	s = vm.NewStore(1)
	require.NoError(t, s.Init(w, b))
	require.NoError(t, s.Set("w", dense(wave(6, 1), 3, 2)))
	require.NoError(t, s.Set("b", dense(wave(2, 2), 2)))
	return ops.Tanh(ops.Add(ops.MatMul(in, w), b)), s, dense(wave(12, 3), 4, 3)
}

// slopes differentiates the values of nodes by every element of a leaf of the store.
func slopes(t *testing.T, s *vm.Store, x *tensor.Dense, name string, ys ...*graph.Node) [][]float64 {
	p, err := vm.Compile(ref.Engine{}, ys)
	require.NoError(t, err)
	m, err := p.NewMachine(s)
	require.NoError(t, err)
	at, err := s.Value(name)
	require.NoError(t, err)
	v := append([]float64(nil), at.Float64s()...)
	n := len(v)
	all := make([][]float64, len(ys))
	const step = 1e-3
	for e := range n {
		for _, by := range [...][2]float64{{-2, 1}, {-1, -8}, {1, 8}, {2, -1}} {
			moved := append([]float64(nil), v...)
			moved[e] += by[0] * step
			require.NoError(t, s.Set(name, dense(moved, at.Shape()...)))
			outs, err := m.Run(t.Context(), x)
			require.NoError(t, err)
			for i, o := range outs {
				if all[i] == nil {
					all[i] = make([]float64, len(o.Float64s())*n)
				}
				for k, y := range o.Float64s() {
					all[i][k*n+e] += by[1] * y / (12 * step)
				}
			}
		}
	}
	require.NoError(t, s.Set(name, dense(v, at.Shape()...)))
	return all
}

func TestJacobiansAgreeWithFiniteDifferences(t *testing.T) {
	for _, d := range directions {
		y, s, x := network(t)
		m, err := numeric.Jacobian(ref.Engine{}, s, []*graph.Node{y}, y.Graph().Params(), numeric.Options{Direction: d})
		require.NoError(t, err)
		j, err := m.Run(t.Context(), x)
		require.NoError(t, err)
		require.Equal(t, tensor.Shape{4, 2, 3, 2}, j[0][0].Shape())
		require.InDeltaSlice(t, slopes(t, s, x, "w", y)[0], j[0][0].Float64s(), 1e-11)
		require.InDeltaSlice(t, slopes(t, s, x, "b", y)[0], j[0][1].Float64s(), 1e-11)
	}
}

func TestHessiansAgreeWithFiniteDifferencesOfTheGradient(t *testing.T) {
	for _, d := range directions {
		y, s, x := network(t)
		loss := ops.Mean(ops.Square(y))
		params := y.Graph().Params()
		before := len(y.Graph().Nodes())
		m, err := numeric.Hessian(ref.Engine{}, s, loss, params, numeric.Options{Direction: d})
		require.NoError(t, err)
		require.Len(t, y.Graph().Nodes(), before, "the graph stays as it is")
		h, err := m.Run(t.Context(), x)
		require.NoError(t, err)
		for k, w := range params {
			want := slopes(t, s, x, w.Name(), autodiff.Grad(loss, params...)...)
			for i := range params {
				require.InDeltaSlice(t, want[i], h[i][k].Float64s(), 1e-11)
			}
		}
		require.Equal(t, tensor.Shape{3, 2, 2}, h[0][1].Shape())
	}
}

func TestTheSmallerSideIsSeeded(t *testing.T) {
	y, s, _ := network(t) // N*2 elements by 8
	for batch, want := range map[int]numeric.Direction{0: numeric.Reverse, 4: numeric.Reverse, 5: numeric.Forward} {
		m, err := numeric.Jacobian(ref.Engine{}, s, []*graph.Node{y}, y.Graph().Params(), numeric.Options{Batch: batch})
		require.NoError(t, err)
		require.Equal(t, want, m.Direction)
	}
}

// An input may be of no importance to the derivatives, or have the name that a seed would.
func TestInputsAreThoseOfTheValue(t *testing.T) {
	for _, d := range directions {
		g := graph.New()
		x, c := g.Input("seed0", shape.F32(2)), g.Input("c", shape.F32(shape.N))
		y := ops.Add(ops.MulScalar(ops.Sum(x), 3), c)
		m, err := numeric.Jacobian(ref.Engine{}, vm.NewStore(1), []*graph.Node{y}, []*graph.Node{x}, numeric.Options{Direction: d})
		require.NoError(t, err)
		require.Equal(t, "c", m.Inputs()[1].Name())
		j, err := m.Run(t.Context(), tensor.New(tensor.WithBacking([]float32{1, 2})), tensor.New(tensor.WithBacking([]float32{1, 2, 3})))
		require.NoError(t, err)
		require.Equal(t, []float32{3, 3, 3, 3, 3, 3}, j[0][0].Float32s())
	}
}

func TestMistakesOfJacobian(t *testing.T) {
	y, s, x := network(t)
	list := func(ns ...*graph.Node) []*graph.Node { return ns }
	for want, pair := range map[string][2][]*graph.Node{
		"want at least one node to differentiate": {nil, list(y)},
		"to differentiate by":                     {list(y), nil},
		"a node is nil":                           {list(nil), list(y)},
		"belongs to another graph":                {list(y), list(graph.New().Input("z", shape.F64()))},
		"only floating point":                     {list(ops.Less(y, y)), list(y)},
	} {
		_, err := numeric.Jacobian(ref.Engine{}, s, pair[0], pair[1], numeric.Options{})
		require.ErrorContains(t, err, want)
	}
	_, err := numeric.Hessian(ref.Engine{}, s, y, y.Graph().Params(), numeric.Options{})
	require.ErrorIs(t, err, graph.ErrNotScalar)
	require.NoError(t, y.Graph().Err())

	m, err := numeric.Jacobian(ref.Engine{}, s, list(y), y.Graph().Params(), numeric.Options{})
	require.NoError(t, err)
	_, err = m.Run(t.Context())
	require.ErrorContains(t, err, "there are 1 inputs, 0 were given")
	_, err = m.Run(t.Context(), dense(wave(4, 1), 2, 2))
	require.ErrorContains(t, err, `input "x" is float64(N,3); the tensor given has shape (2, 2)`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = m.Run(ctx, x)
	require.ErrorIs(t, err, context.Canceled)
	ops.Reshape(y, 5)
	_, err = numeric.Jacobian(ref.Engine{}, s, list(y), list(y), numeric.Options{})
	require.ErrorContains(t, err, "Reshape")
}

// The Hessian of a*a*b is [[2b, 2a], [2a, 0]].
func ExampleHessian() {
	g := graph.New()
	a, b := g.Input("a", shape.F64()), g.Input("b", shape.F64())
	loss := ops.Mul(ops.Square(a), b)
	m, err := numeric.Hessian(ref.Engine{}, vm.NewStore(1), loss, []*graph.Node{a, b}, numeric.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	h, err := m.Run(context.Background(), tensor.New(tensor.FromScalar(3.0)), tensor.New(tensor.FromScalar(5.0)))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, row := range h {
		fmt.Println(row[0], row[1])
	}
	// Output:
	// 10 6
	// 6 0
}
