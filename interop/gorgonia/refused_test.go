package gorgonia_test

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/gorgonia"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// impostor has the name of an op of the catalogue.
type impostor struct{}

func (impostor) Name() string                              { return "Neg" }
func (impostor) Infer(in []shape.Type) (shape.Type, error) { return in[0], nil }

func TestWhatGorgoniaCannotDoIsAnErrorOfTheNode(t *testing.T) {
	for _, c := range []struct {
		name, op, want string
		typ            shape.Type
		build          func(g *graph.Graph, x *graph.Node) *graph.Node
	}{
		{"computed generator", "Random", "must be a State", shape.F32(2), func(g *graph.Graph, x *graph.Node) *graph.Node {
			rng := g.Const(shape.I64(2), []float64{1, 2})
			noise := ops.Random(x, shape.Of(2), engine.Uniform)
			return graph.Apply(noise.Op(), rng)
		}},
		{"to storage", "Cast", "bfloat16(5), which gorgonia cannot hold", shape.F32(5), func(_ *graph.Graph, x *graph.Node) *graph.Node {
			return ops.Cast(ops.Cast(x, shape.BFloat16), shape.Float32)
		}},
		{"from storage", "Input", "int8(5), which gorgonia cannot hold", shape.I8(5), func(_ *graph.Graph, x *graph.Node) *graph.Node {
			return ops.Cast(x, shape.Float32)
		}},
		{"two types", "Cast", "one floating-point type", shape.F32(5), func(_ *graph.Graph, x *graph.Node) *graph.Node {
			return ops.Exp(ops.Cast(x, shape.Float64))
		}},
		{"emptiness", "Input", "without elements", shape.F32(0, 3), func(_ *graph.Graph, x *graph.Node) *graph.Node { return ops.Sum(x) }},
		{"big integers", "Const", "rounded", shape.F32(1), func(g *graph.Graph, x *graph.Node) *graph.Node {
			return ops.Add(x, ops.Cast(g.Const(shape.I32(1), []float64{1<<24 + 1}), shape.Float32))
		}},
		{"others' ops", "Neg", "has no method Bind", shape.F32(5), func(_ *graph.Graph, x *graph.Node) *graph.Node { return graph.Apply(impostor{}, x) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := graph.New()
			x := g.Input("x", c.typ)
			var y *graph.Node
			g.Within("layer", func() { y = c.build(g, ops.StopGradient(x)) })
			require.NoError(t, g.Err())
			_, err := gorgonia.Lower([]*graph.Node{y}, 2)
			var list graph.ErrorList
			require.ErrorAs(t, err, &list)
			require.Len(t, list, 1)
			require.Equal(t, c.op, list[0].Op)
			require.ErrorContains(t, list[0].Err, c.want)
			require.Equal(t, "refused_test.go", filepath.Base(list[0].Pos.File))
			if list[0].Op != "Input" {
				require.Equal(t, "layer", list[0].Layer)
			}
		})
	}
}

func TestEveryRefusedOpIsReportedAtOnce(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(3))
	y := ops.Add(ops.Exp(graph.Apply(impostor{}, x)), ops.Neg(graph.Apply(impostor{}, ops.Exp(x))))
	_, err := gorgonia.Lower([]*graph.Node{y}, 1)
	var list graph.ErrorList
	require.ErrorAs(t, err, &list)
	require.Len(t, list, 2)
}

func TestRequestsThatMakeNoSense(t *testing.T) {
	g, other := graph.New(), graph.New()
	x, ids := g.Input("x", shape.F32(3)), g.Input("ids", shape.I32(3))
	loss, vector := ops.Sum(x), ops.Exp(x)
	one := func(n *graph.Node) []*graph.Node { return []*graph.Node{n} }
	for _, c := range []struct {
		want string
		outs []*graph.Node
		n    int
		wrt  []*graph.Node
	}{
		{"a batch of 0", one(loss), 0, nil},
		{"no outputs", nil, 1, nil},
		{"no outputs", []*graph.Node{nil}, 1, nil},
		{"output 1 is nil or of another graph", []*graph.Node{loss, other.Input("x", shape.F32(3))}, 1, nil},
		{"not a scalar", one(vector), 1, one(x)},
		{"want a Param, State or Input", one(loss), 1, one(vector)},
		{"want a Param, State or Input", one(loss), 1, one(ids)},
		{"node 0 to differentiate by is nil or of another graph", one(loss), 1, one(nil)},
	} {
		_, err := gorgonia.Lower(c.outs, c.n, c.wrt...)
		require.ErrorContains(t, err, c.want)
	}
	ops.Add(x, ids)
	_, err := gorgonia.Lower(one(loss), 1)
	require.Equal(t, g.Err(), err)
}

func TestRunsThatMakeNoSense(t *testing.T) {
	g := graph.New()
	x, ids := g.Input("x", shape.F32(shape.N, 2)), g.Input("ids", shape.I32(shape.N))
	y := ops.Mul(ops.Sum(ops.Mul(ops.OneHot(ids, 2, x), x)), g.Param("w", shape.F32(), nil))
	p, err := gorgonia.Lower([]*graph.Node{y}, 2)
	require.NoError(t, err)
	store := leaves(t, g)
	f := func(dims ...int) *tensor.Dense {
		return tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(dims...))
	}
	id := func(v ...int32) *tensor.Dense { return tensor.New(tensor.WithShape(len(v)), tensor.WithBacking(v)) }
	run := func(inputs ...*tensor.Dense) error {
		_, err := p.Run(context.Background(), store.Value, inputs...)
		return err
	}
	require.ErrorContains(t, run(f(2, 2)), "has 2 inputs, 1 were given")
	require.ErrorContains(t, run(f(3, 2), id(0, 1)), `Input "x": want float32(2,2), the tensor given is float32(3, 2)`)
	require.ErrorContains(t, run(f(2, 2), f(2)), `Input "ids": want int32(2), the tensor given is float32(2)`)
	require.ErrorContains(t, run(nil, id(0, 1)), "nil")
	var at *graph.Error
	require.ErrorAs(t, run(f(2, 2), id(0, 2)), &at)
	require.Equal(t, "OneHot", at.Op)
	require.EqualError(t, at.Err, "id 2, element 1, is not one of the 2 classes 0..1")
	require.ErrorContains(t, run(f(2, 2), id(-1, 0)), "id -1, element 0")
	require.ErrorContains(t, run(f(2, 2), id(1<<24+1, 0)), "would be rounded")

	_, err = p.Run(context.Background(), nil, f(2, 2), id(0, 1))
	require.ErrorContains(t, err, "no leaves")
	missing := errors.New("missing")
	_, err = p.Run(context.Background(), func(string) (*tensor.Dense, error) { return nil, missing }, f(2, 2), id(0, 1))
	require.ErrorIs(t, err, missing)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = p.Run(ctx, store.Value, f(2, 2), id(0, 1))
	require.ErrorIs(t, err, context.Canceled)

	require.NoError(t, run(f(2, 2), id(0, 1)), "mistakes leave the program as it was")
}

// gorgonia's gradient of such windows would end the process.
func TestWindowsWithoutANumberAreAnErrorOfTheRun(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F64(1, 1, 2, 2))
	var y *graph.Node
	g.Within("pool", func() { y = ops.Sum(ops.MaxPool2D(x, ops.MaxPool2DOp{Kernel: [2]int{2, 2}})) })
	p, err := gorgonia.Lower([]*graph.Node{y}, 1, x)
	require.NoError(t, err)
	for _, v := range []float64{math.NaN(), math.Inf(-1), -math.MaxFloat64} {
		d := tensor.New(tensor.WithShape(1, 1, 2, 2), tensor.WithBacking([]float64{v, v, v, v}))
		_, err := p.Run(context.Background(), nil, d)
		var at *graph.Error
		require.ErrorAs(t, err, &at)
		require.Equal(t, "MaxPool2D", at.Op)
		require.Equal(t, "pool", at.Layer)
	}
	d := tensor.New(tensor.WithShape(1, 1, 2, 2), tensor.WithBacking([]float64{1, 4, 3, 2}))
	res, err := p.Run(context.Background(), nil, d)
	require.NoError(t, err)
	require.Equal(t, 4.0, res[0].Float64s()[0])
	require.Equal(t, []float64{0, 1, 0, 0}, res[1].Float64s())
}
