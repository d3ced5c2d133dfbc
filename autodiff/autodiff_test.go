package autodiff_test

import (
	"context"
	"errors"
	"fmt"
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

// at computes outs, functions of one scalar input, at x.
func at(t testing.TB, x float64, outs ...*graph.Node) []float64 {
	t.Helper()
	p, err := vm.Compile(ref.Engine{}, outs)
	require.NoError(t, err)
	m, err := p.NewMachine(vm.NewStore(1))
	require.NoError(t, err)
	var in []*tensor.Dense
	for range p.Inputs() {
		in = append(in, tensor.New(tensor.FromScalar(x)))
	}
	got, err := m.Run(t.Context(), in...)
	require.NoError(t, err)
	var v []float64
	for _, d := range got {
		v = append(v, d.Float64s()...)
	}
	return v
}

func scalar() *graph.Node { return graph.New().Input("x", shape.F64()) }

// Gorgonia keeps derivatives in nodes: its second Grad on a graph was wrong.
func TestSecondGrad(t *testing.T) {
	x := scalar()
	y := ops.Mul(ops.Mul(x, x), x)
	first, again := autodiff.Grad(y, x)[0], autodiff.Grad(y, x)[0]
	other := autodiff.Grad(ops.Mul(y, x), x)[0]
	second := autodiff.Grad(first, x)[0]
	third := autodiff.Grad(second, x)[0]
	fourth := autodiff.Grad(third, x)[0]
	require.NoError(t, x.Graph().Err())
	require.Equal(t, []float64{27, 27, 108, 18, 6, 0}, at(t, 3, first, again, other, second, third, fourth))
}

func TestGradOfGradOfTanh(t *testing.T) {
	x := scalar()
	dy := autodiff.Grad(ops.Tanh(x), x)[0]
	ddy := autodiff.Grad(dy, x)[0]
	got := at(t, 0.5, dy, ddy)
	require.InDelta(t, 0.7864477329659274, got[0], 1e-15)
	require.InDelta(t, -0.7268619813835874, got[1], 1e-15)
}

func TestGradByAnIntermediateNodeAndByItself(t *testing.T) {
	x := scalar()
	m := ops.Square(x)
	y := ops.Mul(m, ops.AddScalar(m, 1))
	dx := autodiff.Grad(y, m, x, y, m)
	require.Equal(t, []float64{19, 114, 1, 19}, at(t, 3, dx...))
	require.Same(t, dx[0], dx[3])
}

func TestGradOfSomethingNotConnectedIsZeros(t *testing.T) {
	g := graph.New()
	x, other := g.Input("x", shape.F64()), g.Input("other", shape.F64(shape.N, 2))
	y := ops.Exp(x)
	later := ops.Tanh(y)
	dx := autodiff.Grad(y, other, later)
	require.Equal(t, other.Type(), dx[0].Type())
	require.Equal(t, later.Type(), dx[1].Type())
	require.Equal(t, []float64{0}, at(t, 1, dx[1]))
}

func TestVJPIsWeighedByTheCotangent(t *testing.T) {
	x := scalar()
	y := ops.Square(x)
	require.Equal(t, []float64{60}, at(t, 3, autodiff.VJP(y, ops.FullLike(y, 10), x)...))
}

func TestConnectedGradients(t *testing.T) {
	g := graph.New()
	x, w, apart := g.Input("x", shape.F32(2)), g.Param("w", shape.F32(3), nil), g.Param("apart", shape.F32(3), nil)
	loss := ops.Add(ops.Sum(x), ops.Sum(ops.Mul(w, ops.ZerosLike(w))))
	grads := autodiff.Grad(loss, x, w, apart)
	nodes := len(g.Nodes())
	for i, want := range []bool{true, true, false} { // a gradient that is 0 is one
		require.Equal(t, want, autodiff.Connected(grads[i]), "gradient %d", i)
	}
	require.Len(t, g.Nodes(), nodes, "asking adds nothing to the graph")
	require.True(t, autodiff.Connected(x))
	bad := autodiff.Grad(ops.Add(x, w), w)
	require.Error(t, g.Err())
	require.True(t, autodiff.Connected(bad[0]), "its mistake is reported already")
	require.True(t, autodiff.Connected(nil))
}

func TestGradientsStopAtWhatIsNotFloatingPoint(t *testing.T) {
	x := scalar()
	whole := ops.Cast(ops.Cast(x, shape.Int64), shape.Float64)
	y := ops.Mul(ops.Where(ops.Greater(x, ops.Scalar(x, 2)), x, ops.Scalar(x, 0)), whole)
	require.Equal(t, []float64{3}, at(t, 3.5, autodiff.Grad(y, x)...))
}

func TestOnlyWhatIsAskedForIsBuilt(t *testing.T) {
	g := graph.New()
	x, w := g.Input("x", shape.F64(2, 3)), g.Input("w", shape.F64(3, 4))
	deep := x
	for range 50 {
		deep = ops.Tanh(deep)
	}
	y := ops.Sum(ops.MatMul(deep, w))
	before := len(g.Nodes())
	autodiff.Grad(y, w)
	require.Less(t, len(g.Nodes())-before, 20, "the chain below x was differentiated")
}

func TestGradientNodesCarryLineLayerAndOrigin(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F64())
	var y *graph.Node
	g.Within("features.0", func() { y = ops.Tanh(x) })
	before := len(g.Nodes())
	autodiff.Grad(y, x)
	for _, n := range g.Nodes()[before:] {
		require.Equal(t, y.Pos(), n.Pos(), n)
		require.Equal(t, "features.0", n.Layer(), n)
		require.Same(t, y, n.Origin(), n)
	}
}

// The stack of a recursive sweep would be deep here, and a map by node slow.
func TestDeepGraph(t *testing.T) {
	const depth = 100_000
	x := scalar()
	y := x
	for range depth {
		y = ops.Add(y, x)
	}
	dx := autodiff.Grad(y, x)[0]
	require.NoError(t, x.Graph().Err())
	require.True(t, dx.Valid())
	require.Less(t, len(x.Graph().Nodes()), 10*depth)
}

func TestOneMistakeIsOneError(t *testing.T) {
	for _, c := range []struct {
		name  string
		build func(g *graph.Graph) []*graph.Node
		want  string
		is    error
	}{
		{"y is no scalar", func(g *graph.Graph) []*graph.Node {
			x := g.Input("x", shape.F64(2, 3))
			return autodiff.Grad(ops.Exp(x), x)
		}, "Grad: gradient of float64(2,3): not a scalar; take its Sum or Mean, or use VJP", graph.ErrNotScalar},
		{"y is an integer", func(g *graph.Graph) []*graph.Node {
			x := g.Input("x", shape.I64())
			return autodiff.Grad(x, x)
		}, "x is int64; only floating point has gradients", nil},
		{"by an integer", func(g *graph.Graph) []*graph.Node {
			x, ids := g.Input("x", shape.F64()), g.Input("ids", shape.I64(3))
			return autodiff.Grad(x, ids)
		}, "ids is int64; only floating point has gradients", nil},
		{"y is nil", func(g *graph.Graph) []*graph.Node {
			return autodiff.Grad(nil, g.Input("x", shape.F64()))
		}, "the node to differentiate is nil", nil},
		{"by nil", func(g *graph.Graph) []*graph.Node {
			return autodiff.Grad(g.Input("x", shape.F64()), nil)
		}, "node 0 to differentiate by is nil", nil},
		{"another graph", func(g *graph.Graph) []*graph.Node {
			return autodiff.Grad(g.Input("x", shape.F64()), graph.New().Input("stranger", shape.F64()))
		}, "stranger, belongs to another graph", nil},
		{"cotangent of another type", func(g *graph.Graph) []*graph.Node {
			x := g.Input("x", shape.F64(2))
			return autodiff.VJP(x, g.Input("dy", shape.F64(3)), x)
		}, "the adjoint of float64(2) must have its type, not float64(3)", nil},
		{"op without a rule", func(g *graph.Graph) []*graph.Node {
			return through(g, plain{"Mystery"})
		}, "Mystery: not differentiable: op type autodiff_test.plain has no method Grad(n, dy *graph.Node) []*graph.Node", autodiff.ErrNotDifferentiable},
		{"op that says why not", func(g *graph.Graph) []*graph.Node {
			return through(g, stubborn{plain{"Sort"}})
		}, "Sort: not differentiable: the order jumps", autodiff.ErrNotDifferentiable},
		{"rule with the wrong type", func(g *graph.Graph) []*graph.Node {
			return through(g, ruled{plain{"Bad"}, 0})
		}, "Bad: its gradient rule returns float64() for input 0, which is float64(2)", nil},
		{"rule with the wrong number", func(g *graph.Graph) []*graph.Node {
			return through(g, ruled{plain{"Bad"}, 1})
		}, "Bad: its gradient rule returns 2 adjoints for 1 inputs", nil},
		{"rule in another graph", func(g *graph.Graph) []*graph.Node {
			return through(g, ruled{plain{"Bad"}, 2})
		}, "Bad: its gradient rule returns a node of another graph for input 0", nil},
		{"rule with a mistake in it", func(g *graph.Graph) []*graph.Node {
			return through(g, ruled{plain{"Bad"}, 3})
		}, "Reshape: (2) has 2 elements, (5) has 5", nil},
	} {
		g := graph.New()
		dx := c.build(g)
		var list graph.ErrorList
		require.True(t, errors.As(g.Err(), &list), c.name)
		require.Len(t, list, 1, c.name)
		require.ErrorContains(t, list, c.want, c.name)
		if c.is != nil {
			require.ErrorIs(t, list, c.is, c.name)
		}
		for _, n := range dx {
			require.False(t, n.Valid(), c.name)
			require.False(t, ops.Exp(n).Valid(), "silently invalid from here on")
		}
		require.Len(t, g.Err(), 1, c.name)
	}
}

func TestGradOfSomethingInvalidIsSilent(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F64(2))
	bad := ops.Reshape(x, 5)
	for _, dx := range [][]*graph.Node{autodiff.Grad(ops.Sum(bad), x), autodiff.VJP(x, bad, x), autodiff.Grad(ops.Sum(x), bad)} {
		require.False(t, dx[0].Valid())
	}
	require.Len(t, g.Err(), 1)
}

// An op without a gradient is in nobody's way where no gradient passes.
func TestRulesAreAskedForOnNeededPathsAlone(t *testing.T) {
	g := graph.New()
	x, w := g.Input("x", shape.F64(2)), g.Input("w", shape.F64(2))
	y := ops.Sum(ops.Mul(graph.Apply(stubborn{plain{"Sort"}}, x), w))
	dw := autodiff.Grad(y, w)
	require.NoError(t, g.Err())
	require.True(t, dw[0].Valid())
}

func TestAReasonThatIsEmptyIsNone(t *testing.T) {
	g := graph.New()
	autodiff.Grad(ops.Sum(graph.Apply(either{plain{"Either"}}, g.Input("x", shape.F64(2)))), g.Leaf("x"))
	require.NoError(t, g.Err())
}

// through differentiates the sum of op(x) by x (2).
func through(g *graph.Graph, op graph.Op) []*graph.Node {
	x := g.Input("x", shape.F64(2))
	return autodiff.Grad(ops.Sum(ops.Tanh(graph.Apply(op, ops.Exp(x)))), x)
}

// plain is an op without a rule.
type plain struct{ name string }

func (p plain) Name() string                            { return p.name }
func (plain) Infer(in []shape.Type) (shape.Type, error) { return in[0], nil }

// stubborn has no gradient and says so.
type stubborn struct{ plain }

func (stubborn) NotDifferentiable() string { return "the order jumps" }

// either has a rule and an empty reason for having none.
type either struct{ plain }

func (either) NotDifferentiable() string            { return "" }
func (either) Grad(_, dy *graph.Node) []*graph.Node { return []*graph.Node{dy} }

// ruled has one of several broken rules.
type ruled struct {
	plain
	fault int
}

func (r ruled) Grad(n, dy *graph.Node) []*graph.Node {
	switch r.fault {
	case 0:
		return []*graph.Node{ops.Sum(dy)}
	case 1:
		return []*graph.Node{dy, dy}
	case 2:
		return []*graph.Node{graph.New().Input("stray", n.Type())}
	}
	return []*graph.Node{ops.Reshape(dy, 5)}
}

func ExampleGrad() {
	g := graph.New()
	x := g.Input("x", shape.F64())
	y := ops.Sin(x)
	dy := autodiff.Grad(y, x)[0]
	ddy := autodiff.Grad(dy, x)[0]

	p := vm.MustCompile(ref.Engine{}, []*graph.Node{y, dy, ddy})
	m, err := p.NewMachine(vm.NewStore(1))
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := m.Run(context.Background(), tensor.New(tensor.FromScalar(2.0)))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, v := range out {
		fmt.Printf("%.4f\n", v.Float64s()[0])
	}
	// Output:
	// 0.9093
	// -0.4161
	// -0.9093
}
