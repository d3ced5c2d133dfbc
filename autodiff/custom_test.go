package autodiff_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/autodiff/gradcheck"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// silu is x*sigmoid(x) with a rule that uses the result: y*(1-s) + s.
func silu(x ...*graph.Node) *graph.Node {
	return autodiff.Custom("SiLU", ops.Mul(x[0], ops.Sigmoid(x[0])), x[:1], func(in []*graph.Node, y, dy *graph.Node) []*graph.Node {
		s := ops.Sigmoid(in[0])
		return []*graph.Node{ops.Mul(dy, ops.Add(s, ops.Mul(y, ops.Sub(ops.Scalar(y, 1), s))))}
	})
}

// reversed has y's value and the opposite of its gradient.
func reversed(x *graph.Node) *graph.Node {
	return autodiff.Custom("Reverse", x, []*graph.Node{x}, func(_ []*graph.Node, _, dy *graph.Node) []*graph.Node {
		return []*graph.Node{ops.Neg(dy)}
	})
}

func TestCustomGradientsAgreeWithFiniteDifferences(t *testing.T) {
	gradcheck.Check(t, silu, shape.F64(2, 3))
	gradcheck.Check(t, func(x ...*graph.Node) *graph.Node {
		p := autodiff.Custom("Product", ops.Mul(x[0], x[1]), x, func(in []*graph.Node, _, dy *graph.Node) []*graph.Node {
			return []*graph.Node{ops.Mul(dy, in[1]), ops.Mul(dy, in[0])}
		})
		return ops.Tanh(p)
	}, shape.F64(4), shape.F64(4))
}

func TestAWrongCustomGradientIsFound(t *testing.T) {
	_, err := gradcheck.Run(func(x ...*graph.Node) *graph.Node { return reversed(ops.Exp(x[0])) },
		[]gradcheck.Input{{Type: shape.F64(3)}}, gradcheck.Options{})
	require.ErrorIs(t, err, gradcheck.ErrWrong)
}

func TestTheRuleTakesThePlaceOfAllThatLiesBetween(t *testing.T) {
	x := scalar()
	steps := ops.Floor(ops.MulScalar(x, 10))
	y := autodiff.Custom("StraightThrough", steps, []*graph.Node{x}, func(_ []*graph.Node, _, dy *graph.Node) []*graph.Node {
		return []*graph.Node{dy}
	})
	dx := autodiff.Grad(ops.Square(y), x, steps)
	require.Equal(t, []float64{31, 62, 0}, at(t, 3.14, y, dx[0], dx[1]))
}

func TestAnAdjointOfNilIsZero(t *testing.T) {
	x := scalar()
	y := autodiff.Custom("Half", ops.Mul(x, x), []*graph.Node{x, ops.Exp(x)}, func(in []*graph.Node, _, dy *graph.Node) []*graph.Node {
		return []*graph.Node{ops.Mul(dy, in[0]), nil}
	})
	require.Equal(t, []float64{3}, at(t, 3, autodiff.Grad(y, x)...))
}

func TestForwardModeUsesTheRule(t *testing.T) {
	x := scalar()
	jvp := autodiff.JVP(reversed(ops.Square(x)), []*graph.Node{x}, []*graph.Node{ops.Scalar(x, 10)})
	require.Equal(t, []float64{-60}, at(t, 3, jvp))

	y := ops.Sum(silu(ops.MulScalar(x, 2)))
	second := autodiff.Grad(autodiff.Grad(y, x)[0], x)[0]
	hv := autodiff.HVP(y, []*graph.Node{x}, []*graph.Node{ops.Scalar(x, 1)})[0]
	got := at(t, .3, second, hv)
	require.InDelta(t, got[0], got[1], 1e-15)
	require.NotZero(t, got[0])
}

func TestForwardModeNeedsARuleThatIsLinear(t *testing.T) {
	for name, rule := range map[string]func(dy *graph.Node) *graph.Node{
		"clipped": func(dy *graph.Node) *graph.Node { return ops.Clip(dy, -1, 1) },
		"squared": ops.Square,
	} {
		x := scalar()
		y := autodiff.Custom("Clipped", ops.Exp(x), []*graph.Node{x}, func(_ []*graph.Node, _, dy *graph.Node) []*graph.Node {
			return []*graph.Node{rule(dy)}
		})
		require.True(t, autodiff.Grad(y, x)[0].Valid())
		require.False(t, autodiff.JVP(y, []*graph.Node{x}, []*graph.Node{x}).Valid(), name)
		errs := x.Graph().Err().(graph.ErrorList)
		require.Len(t, errs, 1, name)
		require.ErrorContains(t, errs, "Clipped: its gradient rule, or that of another Custom, is not linear in dy")
		require.ErrorContains(t, errs, "custom_test.go:")
	}
}

func TestClonesKeepTheRule(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32())
	y := reversed(ops.Dropout(ops.Square(x), .5))
	for _, clone := range [][]*graph.Node{
		graph.WithDType(shape.Float64, graph.Inference(y)...),
		graph.Inference(graph.WithDType(shape.Float64, y)...),
	} {
		x := clone[0].Graph().Leaf("x")
		dx := autodiff.Grad(clone[0], x)[0]
		require.NoError(t, dx.Graph().Err())
		require.Equal(t, []float64{-6}, at(t, 3, dx))
	}
}

func TestCustomCostsNothing(t *testing.T) {
	build := func(custom bool) int {
		x := scalar()
		y := ops.Exp(x)
		if custom {
			y = autodiff.Custom("Exp", y, []*graph.Node{x}, func(_ []*graph.Node, y, dy *graph.Node) []*graph.Node {
				return []*graph.Node{ops.Mul(dy, y)}
			})
		}
		list, err := vm.MustCompile(ref.Engine{}, autodiff.Grad(ops.Square(y), x)).Describe(1)
		require.NoError(t, err)
		return len(list)
	}
	require.Equal(t, build(false), build(true))
}

func TestCustomRunsWithoutSimplify(t *testing.T) {
	x := scalar()
	dx := autodiff.Grad(reversed(ops.Exp(x)), x)
	p, err := vm.Compile(ref.Engine{}, dx, vm.Checked, vm.Without("simplify"))
	require.NoError(t, err)
	m, err := p.NewMachine(vm.NewStore(1))
	require.NoError(t, err)
	out, err := m.Run(t.Context(), tensor.New(tensor.FromScalar(0.)))
	require.NoError(t, err)
	require.Equal(t, []float64{-1}, out[0].Float64s())
}

func TestMistakesOfCustomAreOneErrorEach(t *testing.T) {
	one := func(_ []*graph.Node, _, dy *graph.Node) []*graph.Node { return []*graph.Node{dy} }
	for _, c := range []struct {
		name  string
		build func(x, w *graph.Node) *graph.Node
		want  string
	}{
		{"no name", func(x, _ *graph.Node) *graph.Node { return autodiff.Custom("", x, []*graph.Node{x}, one) }, "the gradient has no name"},
		{"no rule", func(x, _ *graph.Node) *graph.Node { return autodiff.Custom("F", x, []*graph.Node{x}, nil) }, "the rule of F is nil"},
		{"no result", func(x, _ *graph.Node) *graph.Node { return autodiff.Custom("F", nil, []*graph.Node{x}, one) }, "the result of F is nil"},
		{"a nil input", func(x, _ *graph.Node) *graph.Node { return autodiff.Custom("F", x, []*graph.Node{nil}, one) }, "input 1 is nil"},
		{"an integer", func(x, _ *graph.Node) *graph.Node {
			return autodiff.Custom("F", ops.Cast(x, shape.Int32), []*graph.Node{x}, one)
		}, "only floating point has gradients"},
		{"a Param past the inputs", func(x, w *graph.Node) *graph.Node {
			return autodiff.Custom("F", ops.Mul(x, w), []*graph.Node{x}, one)
		}, "is computed from w, which is not among the inputs of F"},
		{"wrong number", func(x, w *graph.Node) *graph.Node {
			return autodiff.Grad(ops.Sum(autodiff.Custom("F", ops.Mul(x, w), []*graph.Node{x, w}, one)), x)[0]
		}, "F: its gradient rule returns 1 adjoints for 2 inputs"},
		{"wrong type", func(x, w *graph.Node) *graph.Node {
			return autodiff.Grad(autodiff.Custom("F", ops.Sum(x), []*graph.Node{x}, one), x)[0]
		}, "F: its gradient rule returns float64() for input 1, which is float64(2)"},
		{"a node of the graph that was cloned", func(x, w *graph.Node) *graph.Node {
			y := autodiff.Custom("F", ops.Sum(x), []*graph.Node{x}, func(_ []*graph.Node, _, dy *graph.Node) []*graph.Node {
				return []*graph.Node{x}
			})
			y = graph.WithDType(shape.Float64, y)[0]
			return autodiff.Grad(y, y.Graph().Leaf("x"))[0]
		}, "F: its gradient rule returns a node of another graph for input 1"},
	} {
		g := graph.New()
		n := c.build(g.Input("x", shape.F64(2)), g.Param("w", shape.F64(2), nil))
		require.False(t, n.Valid(), c.name)
		var errs graph.ErrorList
		require.ErrorAs(t, n.Graph().Err(), &errs, c.name)
		require.Len(t, errs, 1, c.name)
		require.ErrorContains(t, errs, c.want, c.name)
	}
}

func ExampleCustom() {
	g := graph.New()
	x := g.Input("x", shape.F64())
	straight := func(_ []*graph.Node, _, dy *graph.Node) []*graph.Node { return []*graph.Node{dy} }
	y := autodiff.Custom("StraightThrough", ops.Sign(x), []*graph.Node{x}, straight)

	m, err := vm.MustCompile(ref.Engine{}, append(autodiff.Grad(y, x), y)).NewMachine(vm.NewStore(1))
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := m.Run(context.Background(), tensor.New(tensor.FromScalar(-3.0)))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(out[0].Float64s(), out[1].Float64s())
	// Output: [1] [-1]
}
