package autodiff_test

import (
	"context"
	"fmt"
	"math"
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

// wave is an initialiser of numbers without a pattern.
func wave(n int, seed float64) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = math.Sin(seed + 2.3*float64(i))
	}
	return v
}

// input adds an Input and the tensor to feed it with.
func input(g *graph.Graph, name string, dims ...shape.Dim) (*graph.Node, *tensor.Dense) {
	t := shape.F64(dims...)
	v := wave(t.Len(), .1*float64(len(name)+t.Len()))
	return g.Input(name, t), tensor.New(tensor.WithShape(t.Ints()...), tensor.WithBacking(v))
}

// values runs a program of nodes, feeding the tensors by name.
func values(t testing.TB, feeds map[string]*tensor.Dense, nodes ...*graph.Node) [][]float64 {
	t.Helper()
	require.NoError(t, nodes[0].Graph().Err())
	p, err := vm.Compile(ref.Engine{}, nodes, vm.Checked)
	require.NoError(t, err)
	m, err := p.NewMachine(vm.NewStore(1))
	require.NoError(t, err)
	var in []*tensor.Dense
	for _, x := range p.Inputs() {
		in = append(in, feeds[x.Name()])
	}
	got, err := m.Run(t.Context(), in...)
	require.NoError(t, err)
	all := make([][]float64, len(got))
	for i, d := range got {
		all[i] = append([]float64(nil), d.Float64s()...)
	}
	return all
}

// A small network of two parameters, with their vectors.
func network() (loss *graph.Node, params, vs []*graph.Node, feeds map[string]*tensor.Dense) {
	g := graph.New()
	feeds = map[string]*tensor.Dense{}
	add := func(name string, dims ...shape.Dim) (n *graph.Node) {
		n, feeds[name] = input(g, name, dims...)
		return n
	}
	x, w1, w2 := add("x", 4, 3), add("w1", 3, 5), add("w2", 5, 2)
	h := ops.Tanh(ops.MatMul(x, w1))
	loss = ops.Mean(ops.Square(ops.Sigmoid(ops.MatMul(h, w2))))
	return loss, []*graph.Node{w1, w2}, []*graph.Node{add("v1", 3, 5), add("v2", 5, 2)}, feeds
}

func TestHVPIsTheSlopeOfTheGradient(t *testing.T) {
	loss, params, vs, feeds := network()
	grads := autodiff.Grad(loss, params...)
	hv := values(t, feeds, autodiff.HVP(loss, params, vs)...)
	const step = 1e-3
	moved := func(by float64) [][]float64 {
		at := map[string]*tensor.Dense{"x": feeds["x"]}
		for i, p := range params {
			v := append([]float64(nil), feeds[p.Name()].Float64s()...)
			for k, d := range feeds[vs[i].Name()].Float64s() {
				v[k] += by * d
			}
			at[p.Name()] = tensor.New(tensor.WithShape(feeds[p.Name()].Shape()...), tensor.WithBacking(v))
		}
		return values(t, at, grads...)
	}
	far, near, back, farBack := moved(2*step), moved(step), moved(-step), moved(-2*step)
	for i := range hv {
		for k := range hv[i] {
			slope := (8*(near[i][k]-back[i][k]) - (far[i][k] - farBack[i][k])) / (12 * step)
			require.InDelta(t, slope, hv[i][k], 1e-11)
		}
	}
}

// The Hessian is made row by row by differentiating each element of the gradient.
func TestHVPIsTheHessianTimesTheVector(t *testing.T) {
	loss, params, vs, feeds := network()
	var want [][]float64
	for _, d := range autodiff.Grad(loss, params...) {
		flat, row := ops.Reshape(d, ops.Infer), []float64(nil)
		for k := range flat.Type().Len() {
			element := ops.Squeeze(ops.Slice(flat, ops.Range{Start: k, Stop: k + 1}))
			sum := 0.
			for i, h := range values(t, feeds, autodiff.Grad(element, params...)...) {
				for j, v := range feeds[vs[i].Name()].Float64s() {
					sum += h[j] * v
				}
			}
			row = append(row, sum)
		}
		want = append(want, row)
	}
	for i, have := range values(t, feeds, autodiff.HVP(loss, params, vs)...) {
		require.InDeltaSlice(t, want[i], have, 1e-14)
	}
}

// A gradient with a stop in it is no gradient of anything: its Jacobian is not symmetric, and the
// product is with that Jacobian, not with its transpose.
func TestHVPMovesTheGradientAsItIs(t *testing.T) {
	x := scalar()
	a, b := ops.MulScalar(x, 1), ops.AddScalar(x, 2)
	loss := ops.Mul(ops.StopGradient(ops.Square(a)), b) // gradients 0 and a*a
	hv := autodiff.HVP(loss, []*graph.Node{a, b}, []*graph.Node{ops.Scalar(x, 1), ops.Scalar(x, 10)})
	require.Equal(t, []float64{0, 0}, at(t, 3, hv...), "of the stopped part")
	y := ops.Mul(ops.Mul(a, ops.StopGradient(b)), b) // gradients b*b (b stopped once) and a*b
	hv = autodiff.HVP(y, []*graph.Node{a, b}, []*graph.Node{ops.Scalar(x, 1), ops.Scalar(x, 10)})
	require.Equal(t, []float64{10 * 5, 5 * 1}, at(t, 3, hv...))
}

// Sweeping once for all parameters, its size does not grow with their number times the depth.
func TestHVPSweepsOnceForAllParameters(t *testing.T) {
	size := func(depth int) int {
		g := graph.New()
		x := g.Input("x", shape.F64())
		var ws, vs []*graph.Node
		for i := range depth {
			ws = append(ws, g.Param(fmt.Sprint("w", i), shape.F64(), nil))
			vs = append(vs, ops.OnesLike(x))
			x = ops.Tanh(ops.Mul(x, ws[i]))
		}
		autodiff.HVP(x, ws, vs)
		return len(g.Nodes())
	}
	require.Less(t, size(40), 5*size(10))
}

func TestMistakesOfHVPAreOneErrorEach(t *testing.T) {
	g := graph.New()
	x, wide := g.Input("x", shape.F64()), g.Input("wide", shape.F64(2))
	list := func(ns ...*graph.Node) []*graph.Node { return ns }
	for i, c := range []struct {
		y      *graph.Node
		wrt, v []*graph.Node
		want   string
	}{
		{ops.Exp(x), list(x), nil, "HVP: 0 tangents for 1 nodes; want one for each"},
		{ops.Exp(x), list(x), list(wide), "HVP: tangent 0 is float64(2); want float64()"},
		{ops.Exp(wide), list(x), list(x), "not a scalar"},
		{ops.Exp(x), list(x), list(nil), "HVP: tangent 0 is nil"},
	} {
		for _, n := range autodiff.HVP(c.y, c.wrt, c.v) {
			require.False(t, n.Valid())
		}
		errs := g.Err().(graph.ErrorList)
		require.Len(t, errs, i+1, c.want)
		require.ErrorContains(t, errs[i], c.want)
	}
	require.Empty(t, autodiff.HVP(ops.Exp(x), nil, nil))
}

// The second derivative of x^3 is 6x.
func ExampleHVP() {
	g := graph.New()
	x := g.Input("x", shape.F64())
	loss := ops.Mul(x, ops.Square(x))
	hv := autodiff.HVP(loss, []*graph.Node{x}, []*graph.Node{ops.Scalar(x, 10)})

	m, err := vm.MustCompile(ref.Engine{}, hv).NewMachine(vm.NewStore(1))
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := m.Run(context.Background(), tensor.New(tensor.FromScalar(2.0)))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(vm.Number(out[0]))
	// Output: 120 <nil>
}
