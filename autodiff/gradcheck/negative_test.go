package gradcheck_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/autodiff/gradcheck"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// control is a rule that is wrong on purpose, and a function that uses it.
type control struct {
	name string
	// right builds the node whose rule is replaced.
	right func(x ...*graph.Node) *graph.Node
	// wrong is the rule; n applies the op as it is.
	wrong func(n, dy *graph.Node) []*graph.Node
	in    []gradcheck.Input
	order int // the order that shows the fault
}

// controls holds at least one wrong rule for every family of ops.
var controls = []control{
	{"elementwise: Tanh without the square",
		func(x ...*graph.Node) *graph.Node { return ops.Tanh(x[0]) },
		func(n, dy *graph.Node) []*graph.Node { return adjoints(ops.Mul(dy, ops.Sub(ops.Scalar(n, 1), n))) },
		normal(shape.Of(2, 3)), 1},
	{"elementwise: ReLU lets everything pass",
		func(x ...*graph.Node) *graph.Node { return ops.ReLU(x[0]) },
		func(_, dy *graph.Node) []*graph.Node { return adjoints(dy) },
		values(gradcheck.NonZero, shape.Of(2, 3)), 1},
	{"elementwise: Tanh whose derivative is a constant to the next",
		func(x ...*graph.Node) *graph.Node { return ops.Tanh(x[0]) },
		func(n, dy *graph.Node) []*graph.Node {
			return adjoints(ops.Mul(dy, ops.StopGradient(ops.Sub(ops.Scalar(n, 1), ops.Square(n)))))
		},
		normal(shape.Of(2, 3)), 2},
	{"binary: Sub without the sign",
		func(x ...*graph.Node) *graph.Node { return ops.Sub(x[0], x[1]) },
		func(_, dy *graph.Node) []*graph.Node { return adjoints(dy, dy) },
		normal(shape.Of(2, 3), shape.Of(2, 3)), 1},
	{"broadcast: Mul takes the mean over the repeated axis",
		func(x ...*graph.Node) *graph.Node { return ops.Mul(x[0], x[1]) },
		func(n, dy *graph.Node) []*graph.Node {
			dx := rule(n, dy)
			return adjoints(dx[0], ops.MulScalar(dx[1], 0.5))
		},
		normal(shape.Of(2, 3), shape.Of(3)), 1},
	{"reduce: Sum goes back along another axis",
		func(x ...*graph.Node) *graph.Node { return ops.Sum(x[0], 1) },
		func(n, dy *graph.Node) []*graph.Node {
			return adjoints(ops.BroadcastTo(ops.Unsqueeze(dy, 0), n.In(0).Type().Shape))
		},
		normal(shape.Of(3, 3)), 1},
	{"reduce: Max gives to all",
		func(x ...*graph.Node) *graph.Node { return ops.Max(x[0], 1) },
		func(n, dy *graph.Node) []*graph.Node {
			return adjoints(ops.BroadcastTo(ops.Unsqueeze(dy, 1), n.In(0).Type().Shape))
		},
		values(gradcheck.Spread, shape.Of(2, 3)), 1},
	{"softmax: without the sum",
		func(x ...*graph.Node) *graph.Node { return ops.Softmax(x[0], 1) },
		func(n, dy *graph.Node) []*graph.Node { return adjoints(ops.Mul(n, dy)) },
		normal(shape.Of(2, 3)), 1},
	{"lrn: windows to the wrong side",
		func(x ...*graph.Node) *graph.Node { return windowSum(ops.LRN(x[0], ops.LRNOptions{Size: 2})) },
		func(n, dy *graph.Node) []*graph.Node { return adjoints(graph.Apply(n.Op(), dy)) },
		normal(shape.Of(1, 4)), 1},
	{"scatter: what is replaced keeps its adjoint",
		func(x ...*graph.Node) *graph.Node {
			ids := x[0].Graph().Const(shape.I32(2), []float64{2, 0})
			return ops.ScatterAlong(x[0], 0, ids, x[1], ops.ScatterReplace)
		},
		func(n, dy *graph.Node) []*graph.Node { return adjoints(dy, nil, rule(n, dy)[2]) },
		normal(shape.Of(4), shape.Of(2)), 1},
	{"scan: LinearScan forgets what follows",
		func(x ...*graph.Node) *graph.Node { return ops.LinearScan(x[0], x[1], 0) },
		func(n, dy *graph.Node) []*graph.Node { return adjoints(rule(n, dy)[0], dy) },
		normal(shape.Of(4), shape.Of(4)), 1},
	{"resample: goes back to the nearest element alone",
		func(x ...*graph.Node) *graph.Node {
			return ops.Resize(x[0], []int{0}, []int{6}, ops.ResizeOptions{Mode: ops.ResizeLinear})
		},
		func(n, dy *graph.Node) []*graph.Node {
			return adjoints(ops.Resize(dy, []int{0}, []int{3}, ops.ResizeOptions{}), nil, nil, nil)
		},
		normal(shape.Of(3)), 1},
	{"matmul: an operand not transposed",
		func(x ...*graph.Node) *graph.Node { return ops.MatMul(x[0], x[1]) },
		func(n, dy *graph.Node) []*graph.Node {
			return adjoints(rule(n, dy)[0], ops.MatMul(n.In(0), dy))
		},
		normal(shape.Of(2, 2), shape.Of(2, 2)), 1},
	{"conv: input gradient by the filter upside down",
		func(x ...*graph.Node) *graph.Node { return ops.Conv2D(x[0], x[1], ops.Conv2DOp{}) },
		func(n, dy *graph.Node) []*graph.Node {
			turned := graph.Apply(n.Op(), n.In(0), upsideDown(n.In(1)))
			return adjoints(rule(turned, dy)[0], rule(n, dy)[1])
		},
		normal(shape.Of(1, 2, 3, 3), shape.Of(2, 2, 2, 2)), 1},
	{"conv: filter gradient by the image upside down",
		func(x ...*graph.Node) *graph.Node { return ops.Conv2D(x[0], x[1], ops.Conv2DOp{}) },
		func(n, dy *graph.Node) []*graph.Node {
			turned := graph.Apply(n.Op(), upsideDown(n.In(0)), n.In(1))
			return adjoints(rule(n, dy)[0], rule(turned, dy)[1])
		},
		normal(shape.Of(1, 2, 3, 3), shape.Of(2, 2, 2, 2)), 1},
	{"pool: max pooling goes back as average pooling",
		func(x ...*graph.Node) *graph.Node { return ops.MaxPool2D(x[0], ops.MaxPool2DOp{Kernel: [2]int{2, 2}}) },
		func(n, dy *graph.Node) []*graph.Node {
			return rule(ops.AvgPool2D(n.In(0), ops.AvgPool2DOp{Kernel: [2]int{2, 2}}), dy)
		},
		values(gradcheck.Spread, shape.Of(1, 1, 4, 4)), 1},
	{"move: transposed by the permutation, not its inverse",
		func(x ...*graph.Node) *graph.Node { return ops.Transpose(x[0], 1, 2, 0) },
		func(_, dy *graph.Node) []*graph.Node { return adjoints(ops.Transpose(dy, 1, 2, 0)) },
		normal(shape.Of(2, 2, 2)), 1},
	{"move: concatenation gives the parts to the wrong inputs",
		func(x ...*graph.Node) *graph.Node { return ops.Concat(0, x...) },
		func(n, dy *graph.Node) []*graph.Node {
			dx := rule(n, dy)
			return adjoints(dx[1], dx[0])
		},
		normal(shape.Of(2), shape.Of(2)), 1},
	{"move: slice puts back one place too early",
		func(x ...*graph.Node) *graph.Node { return ops.Slice(x[0], ops.Range{Start: 1, Stop: 3}) },
		func(n, dy *graph.Node) []*graph.Node {
			return rule(ops.Slice(n.In(0), ops.Range{Start: 0, Stop: 2}), dy)
		},
		normal(shape.Of(4)), 1},
	{"index: of elements taken twice the last alone counts",
		func(x ...*graph.Node) *graph.Node { return ops.Gather(x[0], 0, x[1]) },
		func(n, dy *graph.Node) []*graph.Node {
			return adjoints(ops.Slice(dy, ops.Range{Start: 1, Stop: 4}), nil)
		},
		append(normal(shape.Of(3)), gradcheck.Input{Type: shape.I32(4), Values: gradcheck.Fixed(0, 0, 1, 2)}), 1},
	{"scan: a running sum goes back as it came",
		func(x ...*graph.Node) *graph.Node { return ops.CumSum(x[0], 0) },
		func(_, dy *graph.Node) []*graph.Node { return adjoints(ops.CumSum(dy, 0)) },
		normal(shape.Of(3)), 1},
	{"pad: reflections are cut off, not added",
		func(x ...*graph.Node) *graph.Node {
			return ops.Pad(x[0], ops.PadOp{Mode: ops.PadReflect, Before: [shape.MaxRank]int{2}})
		},
		func(_, dy *graph.Node) []*graph.Node {
			return adjoints(ops.Slice(dy, ops.Range{Start: 2, Stop: ops.End}))
		},
		normal(shape.Of(4)), 1},
	{"where: branches exchanged",
		func(x ...*graph.Node) *graph.Node { return ops.Where(x[0], x[1], x[2]) },
		func(n, dy *graph.Node) []*graph.Node {
			dx := rule(n, dy)
			return adjoints(nil, dx[2], dx[1])
		},
		append([]gradcheck.Input{{Type: shape.Mask(2, 3)}}, normal(shape.Of(2, 3), shape.Of(2, 3))...), 1},
	{"activations: GELU takes the distribution function as given",
		func(x ...*graph.Node) *graph.Node { return ops.GELU(x[0]) },
		func(n, dy *graph.Node) []*graph.Node { return adjoints(rule(n, dy)[0], nil) },
		normal(shape.Of(2, 3)), 1},
	{"lrn within channels: the neighbours are given",
		func(x ...*graph.Node) *graph.Node {
			return ops.LRNWithinChannel(x[0], ops.LRNOptions{Size: 3, Alpha: 2})
		},
		func(n, dy *graph.Node) []*graph.Node { return adjoints(rule(n, dy)[0], nil) },
		normal(shape.Of(1, 1, 2, 3)), 1},
	{"einsum: a diagonal goes back to the first row",
		func(x ...*graph.Node) *graph.Node { return ops.Einsum("ii->i", x[0]) },
		func(n, dy *graph.Node) []*graph.Node { return rule(ops.Slice(n.In(0), ops.Range{Stop: 3}), dy) },
		normal(shape.Of(3, 3)), 1},
	{"attention: the weights are given",
		func(x ...*graph.Node) *graph.Node {
			return ops.Attention(x[0], x[0], x[0], ops.AttentionOptions{Causal: true})
		},
		func(n, dy *graph.Node) []*graph.Node { return adjoints(nil, nil, rule(n, dy)[2]) },
		normal(shape.Of(3, 2)), 1},
	{"recurrent: the weights of the state are given",
		func(x ...*graph.Node) *graph.Node {
			h, _ := ops.LSTMCell(x[0], x[0], x[0], ops.Recurrence{WeightIH: x[1], WeightHH: x[1], BiasIH: x[2], BiasHH: x[2]})
			return h.In(0).In(0) // what the state is a slice of
		},
		func(n, dy *graph.Node) []*graph.Node { return given(rule(n, dy), 3) },
		normal(shape.Of(1, 2), shape.Of(8, 2), shape.Of(8)), 1},
	{"recurrent: the new state of a GRU does not depend on the old",
		func(x ...*graph.Node) *graph.Node {
			h := ops.GRUCell(x[0], x[0], ops.Recurrence{WeightIH: x[1], WeightHH: x[1], BiasIH: x[2], BiasHH: x[2]})
			return h.In(0).In(0)
		},
		func(n, dy *graph.Node) []*graph.Node { return given(rule(n, dy), 1) },
		normal(shape.Of(1, 2), shape.Of(6, 2), shape.Of(6)), 1},
	{"recurrent: the gradient does not depend on the state before it",
		func(x ...*graph.Node) *graph.Node {
			_, c := ops.LSTMCell(x[0], x[0], x[0], ops.Recurrence{WeightIH: x[1], WeightHH: x[1], BiasIH: x[2], BiasHH: x[2]})
			planes := c.In(0).In(0)
			return rule(planes, ops.Sin(planes))[0].In(0) // what the adjoints of the gates are a slice of
		},
		func(n, dy *graph.Node) []*graph.Node { return given(rule(n, dy), 4) },
		normal(shape.Of(1, 2), shape.Of(8, 2), shape.Of(8)), 1},
	{"dropout: scaled by the wrong probability",
		func(x ...*graph.Node) *graph.Node { return ops.Dropout(x[0], 0.25) },
		func(_, dy *graph.Node) []*graph.Node { return adjoints(ops.MulScalar(dy, 0.75/0.25), nil) },
		normal(shape.Of(4, 5)), 1},
	{"any: no adjoint at all",
		func(x ...*graph.Node) *graph.Node { return ops.Exp(x[0]) },
		func(_, _ *graph.Node) []*graph.Node { return adjoints(nil) },
		normal(shape.Of(3)), 1},
	{"any: not a number",
		func(x ...*graph.Node) *graph.Node { return ops.Exp(x[0]) },
		func(_, dy *graph.Node) []*graph.Node { return adjoints(ops.Log(ops.Neg(ops.Square(dy)))) },
		normal(shape.Of(3)), 1},
}

// windowSum is the sum of squares that y, an LRN, is made of.
func windowSum(y *graph.Node) *graph.Node {
	for _, n := range graph.Reachable(y) {
		if n.Kind() == graph.Computed && n.Op().Name() == "WindowSum" {
			return n
		}
	}
	return nil
}

// given returns adjoints of which that of input i is taken for zero.
func given(dxs []*graph.Node, i int) []*graph.Node {
	dxs[i] = nil
	return dxs
}

func adjoints(dx ...*graph.Node) []*graph.Node { return dx }

// rule is the rule that n's op has.
func rule(n, dy *graph.Node) []*graph.Node { return n.Op().(autodiff.Differentiable).Grad(n, dy) }

func upsideDown(x *graph.Node) *graph.Node {
	return ops.Slice(x, ops.Whole(), ops.Whole(), ops.Range{Start: -1, Stop: ops.End, Step: -1})
}

func values(v gradcheck.Values, shapes ...shape.Shape) []gradcheck.Input {
	in := make([]gradcheck.Input, len(shapes))
	for i, s := range shapes {
		in[i] = gradcheck.Input{Type: shape.Type{DType: shape.Float64, Shape: s}, Values: v}
	}
	return in
}

func normal(shapes ...shape.Shape) []gradcheck.Input { return values(nil, shapes...) }

// broken computes what Op does and differentiates by a control.
type broken struct {
	graph.Op
	control int
}

func (b broken) Grad(n, dy *graph.Node) []*graph.Node {
	return controls[b.control].wrong(graph.Apply(b.Op, n.Ins()...), dy)
}

// brokenMap is broken for an elementwise op.
type brokenMap struct{ broken }

func (b brokenMap) Map(in []shape.Type, out shape.Type) engine.Map {
	return b.Op.(engine.ElementwiseOp).Map(in, out)
}

// brokenKernel is broken for an op with a kernel.
type brokenKernel struct{ broken }

func (b brokenKernel) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return b.Op.(vm.Bindable).Bind(e, in, out)
}

// broke returns n with its rule replaced.
func broke(n *graph.Node, control int) *graph.Node {
	b := broken{n.Op(), control}
	if _, ok := n.Op().(engine.ElementwiseOp); ok {
		return graph.Apply(brokenMap{b}, n.Ins()...)
	}
	return graph.Apply(brokenKernel{b}, n.Ins()...)
}

func TestOneWrongRuleAFamilyIsNoticed(t *testing.T) {
	for i, c := range controls {
		t.Run(c.name, func(t *testing.T) {
			_, err := gradcheck.Run(c.right, c.in, gradcheck.Options{Tolerance: 1e-8})
			require.NoError(t, err, "the function itself must pass")
			wrong := func(x ...*graph.Node) *graph.Node { return broke(c.right(x...), i) }
			for order := 1; order < c.order; order++ {
				_, err = gradcheck.Run(wrong, c.in, gradcheck.Options{Order: order})
				require.NoError(t, err)
			}
			r, err := gradcheck.Run(wrong, c.in, gradcheck.Options{Order: c.order})
			require.ErrorIs(t, err, gradcheck.ErrWrong)
			require.Greater(t, r.Worst.Error, 0.01)
			require.Equal(t, c.order, r.Worst.Order)
		})
	}
}

// Batch normalisation is a composition; its fault would be to treat the statistics of the
// batch as given.
func TestBatchNormWithConstantStatisticsIsNoticed(t *testing.T) {
	norm := func(keep func(*graph.Node) *graph.Node) gradcheck.Func {
		return func(x ...*graph.Node) *graph.Node {
			centred := ops.Sub(x[0], keep(ops.Mean(x[0], 0)))
			deviation := ops.Sqrt(ops.AddScalar(keep(ops.Mean(ops.Square(centred), 0)), 1e-5))
			return ops.Mul(ops.Div(centred, deviation), x[1])
		}
	}
	in := normal(shape.Of(shape.N, 2), shape.Of(2))
	_, err := gradcheck.Run(norm(func(n *graph.Node) *graph.Node { return n }), in, gradcheck.Options{Batch: 5})
	require.NoError(t, err)
	_, err = gradcheck.Run(norm(ops.StopGradient), in, gradcheck.Options{Batch: 5})
	require.ErrorIs(t, err, gradcheck.ErrWrong)
}
