package gorgonia_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/gorgonia"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// user is an op of a user's own, with its kernel and its gradient.
type user struct{ *behaviour }

type behaviour struct {
	name   string
	infer  func(in []shape.Type) shape.Type // nil gives the type of the first input
	kernel func(x [][]float64, y []float64) error
	grad   func(n, dy *graph.Node) []*graph.Node
	not    string
}

func (op user) Name() string { return op.name }

func (op user) Infer(in []shape.Type) (shape.Type, error) {
	if op.infer != nil {
		return op.infer(in), nil
	}
	return in[0], nil
}

func (op user) Grad(n, dy *graph.Node) []*graph.Node { return op.grad(n, dy) }

func (op user) NotDifferentiable() string { return op.not }

func (op user) Bind(engine.Engine, []engine.Operand, engine.Operand) (engine.Bound, error) {
	kernel := func(c *engine.Call) error {
		x := make([][]float64, len(c.In))
		for i, b := range c.In {
			x[i] = engine.Floats(b)
		}
		y := make([]float64, c.Out[0].Len())
		err := op.kernel(x, y)
		engine.Load(c.Out[0], y)
		return err
	}
	return engine.Bound{Kernel: kernel, Fails: true, By: "user"}, nil
}

// runningSum sums along the last axis, from its end where reverse is set.
func runningSum(row int, reverse bool) user {
	return user{&behaviour{
		name: "RunningSum",
		kernel: func(x [][]float64, y []float64) error {
			for i := range y {
				at := i
				if reverse {
					at = len(y) - 1 - i
				}
				y[at] = x[0][at]
				if i%row > 0 && reverse {
					y[at] += y[at+1]
				} else if i%row > 0 {
					y[at] += y[at-1]
				}
			}
			return nil
		},
		grad: func(_, dy *graph.Node) []*graph.Node {
			return []*graph.Node{graph.Apply(runningSum(row, !reverse), dy)}
		},
	}}
}

// sum gives a+b, and its rule the same node for both.
var sum = user{&behaviour{
	name: "Sum2",
	kernel: func(x [][]float64, y []float64) error {
		for i := range y {
			y[i] = x[0][i] + x[1][i]
		}
		return nil
	},
	grad: func(_, dy *graph.Node) []*graph.Node { return []*graph.Node{dy, dy} },
}}

// scaled multiplies each row by an integer, of which the gradient makes a number.
var scaled = user{&behaviour{
	name: "Scaled",
	kernel: func(x [][]float64, y []float64) error {
		for i := range y {
			k := x[1][i*len(x[1])/len(y)]
			if k < 0 {
				return fmt.Errorf("row %d is scaled by %v", i, k)
			}
			if k == 13 {
				panic("unlucky")
			}
			y[i] = k * x[0][i]
		}
		return nil
	},
	grad: func(n, dy *graph.Node) []*graph.Node {
		k := ops.Reshape(ops.Cast(n.In(1), dy.Type().DType), append(n.In(1).Type().Dims(), 1)...)
		return []*graph.Node{ops.Mul(dy, k), nil}
	},
}}

// squared has a rule that looks at its result.
var squared = user{&behaviour{
	name: "Squared",
	kernel: func(x [][]float64, y []float64) error {
		for i, v := range x[0] {
			y[i] = v * v
		}
		return nil
	},
	grad: func(n, dy *graph.Node) []*graph.Node {
		return []*graph.Node{ops.MulScalar(ops.Mul(dy, ops.Div(n, n.In(0))), 2)}
	},
}}

func TestAUsersOpHasOurResultAndGradient(t *testing.T) {
	for _, d := range []shape.DType{shape.Float32, shape.Float64} {
		for _, c := range []struct {
			name  string
			types []shape.Type
			build func(x, y *graph.Node) *graph.Node
		}{
			{"running sum", nil, func(x, _ *graph.Node) *graph.Node { return graph.Apply(runningSum(4, false), x) }},
			{"two of a kind", nil, func(x, _ *graph.Node) *graph.Node {
				return ops.Mul(graph.Apply(runningSum(4, false), x), graph.Apply(runningSum(4, true), ops.Tanh(x)))
			}},
			{"one adjoint for two", nil, func(x, y *graph.Node) *graph.Node {
				return ops.Mul(graph.Apply(sum, ops.Exp(x), ops.Exp(y)), graph.Apply(sum, x, x))
			}},
			{"integers", nil, func(x, _ *graph.Node) *graph.Node {
				return graph.Apply(scaled, x, ops.ArgMax(ops.Sin(ops.MulScalar(x, 9)), 1))
			}},
			{"the result in the rule", nil, func(x, _ *graph.Node) *graph.Node { return graph.Apply(squared, x) }},
			{"in the middle", nil, func(x, y *graph.Node) *graph.Node {
				return ops.Tanh(graph.Apply(runningSum(4, false), ops.Mul(ops.Sin(x), y)))
			}},
			{"Custom", nil, func(x, y *graph.Node) *graph.Node {
				return autodiff.Custom("StraightThrough", ops.Floor(ops.Mul(x, y)), []*graph.Node{x}, func(_ []*graph.Node, _, dy *graph.Node) []*graph.Node {
					return []*graph.Node{ops.MulScalar(dy, 3)}
				})
			}},
			{"axes of 1", []shape.Type{shape.F64(shape.N, 1, 4, 1)}, func(x, _ *graph.Node) *graph.Node {
				return ops.Reshape(graph.Apply(runningSum(4, false), x), shape.N, 4)
			}},
		} {
			t.Run(c.name+"/"+d.String(), func(t *testing.T) {
				typ := shape.F64(shape.N, 4)
				if c.types != nil {
					typ = c.types[0]
				}
				typ.DType = d
				g := graph.New()
				x, y := g.Input("x", typ), g.Input("y", typ)
				result := c.build(x, y)
				require.NoError(t, g.Err())
				loss := ops.Sum(ops.Mul(result, ops.AddScalar(ops.CumSum(ops.OnesLike(result), -1), .5)))
				value := func(scale float64) *tensor.Dense {
					v := tensor.New(tensor.Of(engine.DenseDType(d)), tensor.WithShape(typ.At(3).Ints()...))
					numbers := make([]float64, 12)
					for i := range numbers {
						numbers[i] = scale * float64(1+i*7%12)
					}
					engine.Load(engine.BufferOfDense(v), numbers)
					return v
				}
				outs, wrt, store := []*graph.Node{loss, result}, []*graph.Node{x, y}, leaves(t, g)
				if !slices.Contains(graph.Reachable(loss), y) {
					wrt = wrt[:1]
				}
				p, err := gorgonia.Lower(outs, 3, wrt...)
				require.NoError(t, err)
				defer p.Close()
				inputs := []*tensor.Dense{value(.1), value(.3)}[:len(p.Inputs())]
				for range 2 { // the second run starts from memory that the first has used
					have, err := p.Run(context.Background(), store.Value, inputs...)
					require.NoError(t, err)
					requireClose(t, ours(t, store, outs, wrt, inputs...), have, 1e-6, c.name)
				}
			})
		}
	}
}

func TestIntegersAreComputedAsIntegers(t *testing.T) {
	g := graph.New()
	x, k := g.Input("x", shape.F32(5)), g.Input("k", shape.I32(5))
	b := g.Input("b", shape.U8(5))
	outs := []*graph.Node{
		ops.Sum(x), ops.Cast(x, shape.Int32), ops.Mul(k, k), ops.Sum(k), ops.Cast(k, shape.Uint8), ops.Add(b, b), ops.Cast(ops.Mul(k, k), shape.Float32),
	}
	require.NoError(t, g.Err())
	inputs := []*tensor.Dense{
		tensor.New(tensor.WithBacking([]float32{-1.5, 2.7, 0, 1e6, 3})),
		tensor.New(tensor.WithBacking([]int32{-3, 300, 7, 0, 255})),
		tensor.New(tensor.WithBacking([]uint8{200, 100, 3, 0, 255})),
	}
	requireClose(t, ours(t, leaves(t, g), outs, nil, inputs...), theirs(t, leaves(t, g), outs, 1, nil, inputs...), 0)

	inputs[1].Int32s()[0] = 5001
	p, err := gorgonia.Lower(outs, 1)
	require.NoError(t, err)
	_, err = p.Run(context.Background(), nil, inputs...)
	var at *graph.Error
	require.ErrorAs(t, err, &at)
	require.Equal(t, "Mul", at.Op)
	require.EqualError(t, at.Err, "element 0 is 25010001, which is carried as float32 and would be rounded")
}

func TestAUsersKernelThatFailsIsAnErrorOfItsNode(t *testing.T) {
	g := graph.New()
	x, k := g.Input("x", shape.F32(2, 2)), g.Input("k", shape.I64(2))
	var y *graph.Node
	g.Within("layer", func() { y = ops.Sum(graph.Apply(scaled, x, k)) })
	p, err := gorgonia.Lower([]*graph.Node{y}, 1, x)
	require.NoError(t, err)
	run := func(ids ...int64) error {
		_, err := p.Run(context.Background(), nil, tensor.New(tensor.WithShape(2, 2), tensor.Of(tensor.Float32)), tensor.New(tensor.WithBacking(ids)))
		return err
	}
	for want, id := range map[string]int64{"row 2 is scaled by -1": -1, "panic: unlucky": 13} {
		var at *graph.Error
		require.ErrorAs(t, run(1, id), &at)
		require.Equal(t, "Scaled", at.Op)
		require.Equal(t, "layer", at.Layer)
		require.EqualError(t, at.Err, want)
	}
	require.NoError(t, run(1, 2))
}

func TestAGradientThatMustPassWhereThereIsNoneIsAnErrorOfTheNode(t *testing.T) {
	kernel := func(x [][]float64, y []float64) error { copy(y, x[0]); return nil }
	for want, op := range map[string]user{
		"not differentiable: it jumps":                      {&behaviour{name: "Jump", kernel: kernel, not: "it jumps"}},
		"its gradient rule returns 2 adjoints for 1 inputs": {&behaviour{name: "Jump", kernel: kernel, grad: func(_, dy *graph.Node) []*graph.Node { return []*graph.Node{dy, dy} }}},
		"its gradient rule fails: panic: no":                {&behaviour{name: "Jump", kernel: kernel, grad: func(_, _ *graph.Node) []*graph.Node { panic("no") }}},
		"has no method Bind, Map, Uniform or Aliases": {&behaviour{name: "Jump", kernel: kernel, grad: func(_, dy *graph.Node) []*graph.Node {
			return []*graph.Node{graph.Apply(impostor{}, dy)}
		}}},
	} {
		g := graph.New()
		x, w := g.Input("x", shape.F64(3)), g.Input("w", shape.F64(3))
		var y *graph.Node
		g.Within("layer", func() { y = graph.Apply(op, x) })
		loss := ops.Sum(ops.Mul(y, w))
		_, err := gorgonia.Lower([]*graph.Node{loss}, 1, w)
		require.NoError(t, err, "the gradient by w does not pass it")
		_, err = gorgonia.Lower([]*graph.Node{loss}, 1, w, x)
		var list graph.ErrorList
		require.True(t, errors.As(err, &list), "%v", err)
		require.Len(t, list, 1)
		require.ErrorContains(t, list[0].Err, want)
		require.Equal(t, "layer", list[0].Layer)
		require.Equal(t, y.Pos(), list[0].Pos)
	}
}

// What depends on no input is a constant to gorgonia.
func TestAUsersOpWithoutInputs(t *testing.T) {
	g := graph.New()
	places := g.Apply(user{&behaviour{
		name:  "Places",
		infer: func([]shape.Type) shape.Type { return shape.F32(4) },
		kernel: func(_ [][]float64, y []float64) error {
			for i := range y {
				y[i] = float64(i)
			}
			return nil
		},
	}})
	x := g.Input("x", shape.F32(4))
	outs := []*graph.Node{ops.Sum(ops.Mul(places, x)), places}
	in := tensor.New(tensor.WithBacking([]float32{1, 2, 3, 4}))
	requireClose(t, ours(t, leaves(t, g), outs, []*graph.Node{x}, in), theirs(t, leaves(t, g), outs, 1, []*graph.Node{x}, in), 0)
}
