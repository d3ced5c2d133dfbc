package gorgonia_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/autodiff/gradcheck"
	"github.com/plexaura/plexaura/autodiff/gradcheck/cases"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/gorgonia"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// orders are how often gorgonia can differentiate at the points of a row, where that is not twice:
// its derivative of a power is 0 times infinity there.
var orders = map[string]int{"Pow/exponent 0": 0, "Pow/base 0": 0, "Pow/exponent 1": 1}

// withoutGradient are rows for ops that the table of gradients has none for.
func withoutGradient() (rows []cases.Case) {
	two := func(f func(a, b *graph.Node) *graph.Node) gradcheck.Func {
		return func(x ...*graph.Node) *graph.Node { return f(x[0], x[1]) }
	}
	of := func(t shape.Type, k int) gradcheck.Input { return gradcheck.Input{Type: t, Values: gradcheck.IDs(k)} }
	for name, f := range map[string]func(a, b *graph.Node) *graph.Node{
		"Equal": ops.Equal, "NotEqual": ops.NotEqual, "Less": ops.Less, "LessEqual": ops.LessEqual, "Greater": ops.Greater, "GreaterEqual": ops.GreaterEqual,
	} {
		rows = append(rows,
			cases.Case{Op: name, Label: "floats", F: two(f), In: []gradcheck.Input{of(shape.F64(shape.N, 4), 2), of(shape.F64(4), 2)}},
			cases.Case{Op: name, Label: "integers", F: two(f), In: []gradcheck.Input{of(shape.I64(shape.N, 4), 2), of(shape.I64(shape.N, 1), 2)}},
		)
	}
	for name, f := range map[string]func(a, b *graph.Node) *graph.Node{"And": ops.And, "Or": ops.Or} {
		rows = append(rows, cases.Case{Op: name, F: two(f), In: []gradcheck.Input{of(shape.Mask(shape.N, 5), 2), of(shape.Mask(5), 2)}})
	}
	for name, f := range map[string]func(a, b *graph.Node) *graph.Node{
		"BitAnd": ops.BitAnd, "BitOr": ops.BitOr, "BitXor": ops.BitXor, "ShiftLeft": ops.ShiftLeft, "ShiftRight": ops.ShiftRight,
	} {
		rows = append(rows, cases.Case{Op: name, F: two(f), In: []gradcheck.Input{of(shape.I32(shape.N, 5), 9), of(shape.I32(5), 4)}})
	}
	rows = append(rows, cases.Case{Op: "Not", F: func(x ...*graph.Node) *graph.Node { return ops.Not(x[0]) }, In: []gradcheck.Input{of(shape.Mask(9), 2)}})
	fused := map[string][]shape.Type{
		"MatMul+Bias+ReLU": {shape.F64(3, 4), shape.F64(4, 5), shape.F64(5)},
		"Conv2D+Bias+ReLU": {shape.F64(2, 3, 5, 5), shape.F64(4, 3, 2, 2), shape.F64(4, 1, 1)},
		"Conv2D+MaxPool2D": {shape.F64(2, 3, 5, 5), shape.F64(4, 3, 2, 2)},
		"LSTM+Slice":       {shape.F64(2, 3, 8), shape.F64(2, 2), shape.F64(2, 2), shape.F64(8, 2), shape.F64(8)},
		"Embed+Add":        {shape.F64(), shape.F64()},
		"QuantMatMul":      {shape.U8(3, 4), shape.F32(4, 5)},
		"QuantConv2D":      {shape.U8(2, 3, 5, 5), shape.F32(4, 3, 2, 2)},
		"QuantMaxPool2D":   {shape.U8(2, 3, 5, 5)},
	}
	for _, op := range ops.All {
		if types := fused[op.Name()]; types != nil {
			row := cases.Case{Op: op.Name(), Label: "fused", F: func(x ...*graph.Node) *graph.Node { return graph.Apply(op, x...) }}
			for _, typ := range types {
				row.In = append(row.In, gradcheck.Input{Type: typ})
			}
			rows = append(rows, row)
		}
	}
	rows = append(rows, cases.Case{Op: "Cube", F: func(x ...*graph.Node) *graph.Node { return graph.Apply(cube{}, x[0]) }, In: []gradcheck.Input{{Type: shape.F64(9)}}})
	for axis := range 3 {
		ties := []gradcheck.Input{of(shape.F64(3, 4, 5), 3)}
		rows = append(rows,
			cases.Case{Op: "TopK", Label: fmt.Sprint("places of ties along ", axis), F: func(x ...*graph.Node) *graph.Node {
				_, places := ops.TopK(x[0], 3, axis)
				return places
			}, In: ties},
			cases.Case{Op: "ArgMax", Label: fmt.Sprint(axis), F: func(x ...*graph.Node) *graph.Node { return ops.ArgMax(x[0], axis) }, In: ties})
	}
	return rows
}

// cube is an elementwise op of a user's own.
type cube struct{}

func (cube) Name() string                              { return "Cube" }
func (cube) Infer(in []shape.Type) (shape.Type, error) { return in[0], nil }

func (cube) Map(_ []shape.Type, out shape.Type) engine.Map {
	x := engine.In(0)
	return engine.Map{Steps: []engine.Step{
		{Fn: engine.Mul, DType: out.DType, Args: [3]engine.Arg{x, x}},
		{Fn: engine.Mul, DType: out.DType, Args: [3]engine.Arg{x, engine.Res(0)}},
	}, Outs: []int{1}}
}

func (cube) Grad(n, dy *graph.Node) []*graph.Node {
	return []*graph.Node{ops.Mul(dy, ops.MulScalar(ops.Square(n.In(0)), 3))}
}

// row is a row of the table of gradients as a graph: a scalar, with what it is a gradient of.
type row struct {
	outs   []*graph.Node // a scalar made of the op's result, and the result
	wrt    []*graph.Node
	nodes  []*graph.Node // the Inputs, and their values
	inputs []*tensor.Dense
	store  *vm.Store
	batch  int
}

func newRow(t *testing.T, c cases.Case) row {
	g, r := graph.New(), rand.New(rand.NewPCG(8, 9))
	x, batch := make([]*graph.Node, len(c.In)), 1
	for i, in := range c.In {
		x[i] = g.Input(fmt.Sprint("x", i), in.Type)
		if !in.Type.Concrete() {
			batch = 3
		}
	}
	y := c.F(x...)
	require.NoError(t, g.Err())
	loss := y
	if !y.Type().IsFloat() {
		loss = ops.Cast(y, shape.Float64)
	}
	loss = ops.Add(loss, ops.Square(loss)) // so that adjoints depend on it
	if y.Type().Rank() > 0 {               // every element with a weight of its own
		loss = ops.Sum(ops.Mul(loss, ops.Sin(ops.AddScalar(ops.CumSum(ops.OnesLike(loss), -1), .3))))
	}
	row := row{batch: batch, outs: []*graph.Node{loss, y}, store: leaves(t, y.Graph())}
	for i, in := range c.In {
		leaf := y.Graph().Leaf(x[i].Name()) // in inference form y is of another graph
		if leaf == nil {
			continue
		}
		row.nodes, row.inputs = append(row.nodes, leaf), append(row.inputs, fed(in, batch, r))
		if in.Type.IsFloat() {
			row.wrt = append(row.wrt, leaf)
		}
	}
	return row
}

// fed returns the values of an input.
func fed(in gradcheck.Input, batch int, r *rand.Rand) *tensor.Dense {
	typ := in.Type.At(batch)
	v := make([]float64, typ.Len())
	values := in.Values
	switch {
	case values == nil && typ.IsFloat():
		values = gradcheck.Normal
	case values == nil:
		values = gradcheck.IDs(2)
	}
	values(r, v)
	d := tensor.New(tensor.Of(engine.DenseDType(typ.DType)), tensor.WithShape(typ.Ints()...))
	for i, x := range v {
		switch d.Dtype() {
		case tensor.Float64:
			d.Float64s()[i] = x
		case tensor.Int32:
			d.Int32s()[i] = int32(x)
		case tensor.Int64:
			d.Int64s()[i] = int64(x)
		case tensor.Uint8:
			d.Uint8s()[i] = uint8(x)
		case tensor.Bool:
			d.Bools()[i] = x != 0
		}
	}
	return d
}

// check runs outs on both sides and compares.
func (r row) check(t *testing.T, outs, wrt []*graph.Node) {
	p, err := gorgonia.Lower(outs, r.batch, wrt...)
	require.NoError(t, err)
	defer p.Close()
	var inputs []*tensor.Dense
	for _, in := range p.Inputs() {
		inputs = append(inputs, r.inputs[slices.Index(r.nodes, in)])
	}
	have, err := p.Run(context.Background(), r.store.Value, inputs...)
	require.NoError(t, err)
	requireClose(t, ours(t, r.store, outs, wrt, inputs...), have, 1e-10)
}

// Each row of the table of gradients is compared with engine/ref: its values and gorgonia's
// gradients; the nodes of our own gradients, ordinary nodes of a graph; and gorgonia's gradients of
// those.
func TestEveryOpOfTheCatalogueIsLowered(t *testing.T) {
	lowered := map[string]bool{}
	for _, c := range append(cases.All(), withoutGradient()...) {
		name := c.Op + "/" + c.Label
		t.Run(name, func(t *testing.T) {
			r := newRow(t, c)
			outs := r.outs
			order, ok := orders[name]
			switch {
			case c.Label == "fused": // made by a pass of the compiler, after gradients have been taken
				r.check(t, outs, nil)
			case ok && order == 0:
				r.check(t, outs, nil)
			case ok:
				r.check(t, outs, r.wrt)
			default:
				r.check(t, outs, r.wrt)
				second := ops.Scalar(outs[0], 0)
				for _, dx := range autodiff.Grad(outs[0], r.wrt...) {
					outs = append(outs, dx)
					second = ops.Add(second, ops.Sum(ops.Sin(dx)))
				}
				outs[0] = second
				require.NoError(t, second.Graph().Err())
				r.check(t, outs, r.wrt)
				outs = append(outs, autodiff.Grad(second, r.wrt...)...)
				r.check(t, outs, nil)
			}
			for _, n := range graph.Reachable(outs...) {
				lowered[n.Op().Name()] = true
			}
		})
	}
	for _, op := range ops.All {
		require.True(t, lowered[op.Name()], "no row of autodiff/gradcheck/cases and none of withoutGradient has a %s", op.Name())
	}
}
