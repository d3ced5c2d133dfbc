package vm_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/enginetest"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// interleaving is ref that takes images interleaved by n, and prefers them so for convolutions.
func interleaving(n int) enginetest.Laid {
	return enginetest.Laid{Layout: engine.Interleaved(n), Wins: true}
}

// otherLayouts are such that the tests' batches of 4 can have.
var otherLayouts = []engine.Layout{engine.Interleaved(2), {Axis: 1, Block: engine.All}, {Axis: 2, Block: 1}, {Axis: 0, Block: engine.All}}

// layoutModel has what prefers another layout, what lies between, and what cannot have it; it is
// trained.
func layoutModel() []*graph.Node {
	g := graph.New()
	x := g.Input("x", shape.F64(shape.N, 2, 8, 8))
	w1, w2 := g.Param("w1", shape.F64(3, 2, 3, 3), spread(1)), g.Param("w2", shape.F64(4, 3, 3, 3), spread(2))
	b1, b2 := g.Param("b1", shape.F64(3), spread(3)), g.Param("b2", shape.F64(4, 1, 1), spread(4))
	h := ops.MaxPool2D(ops.ReLU(ops.AddBias(ops.Conv2D(x, w1, ops.Conv2DOp{Pad: ops.SamePad(3)}), b1)), ops.MaxPool2DOp{Kernel: [2]int{2, 2}})
	perImage := ops.MeanKeep(h, 1, 2, 3)
	y := ops.Add(ops.Tanh(ops.Conv2D(ops.Sub(h, perImage), w2, ops.Conv2DOp{})), b2)
	logits := ops.Flatten(ops.AvgPool2D(y, ops.AvgPool2DOp{Kernel: [2]int{2, 2}}))
	loss := ops.Mean(ops.Square(logits))
	params := g.Params()
	for i, dw := range autodiff.Grad(loss, params...) {
		g.Update(params[i], ops.Sub(params[i], ops.MulScalar(dw, .1)))
	}
	return []*graph.Node{loss, h, logits}
}

// In any layout a model computes the same, and its convolutions, and what lies between them, do
// have it.
func TestLayoutsComputeTheSame(t *testing.T) {
	const n = 4
	run := func(e engine.Engine, opts ...vm.Option) (all []float64, laid map[string]int) {
		p, err := vm.Compile(e, layoutModel(), append(opts, vm.Train, vm.Checked)...)
		require.NoError(t, err)
		s := vm.NewStore(1)
		m, err := p.NewMachine(s)
		require.NoError(t, err)
		for range 3 {
			out, err := m.Run(ctx, feedOf(shape.F64(n, 2, 8, 8), 1))
			require.NoError(t, err)
			for _, d := range out {
				all = append(all, numbers(d)...)
			}
		}
		for _, name := range s.Names() {
			v, err := s.Value(name)
			require.NoError(t, err)
			all = append(all, numbers(v)...)
		}
		list, err := p.Describe(n)
		require.NoError(t, err)
		laid = map[string]int{}
		for _, in := range list {
			if in.Out[0].Layout != engine.Rows {
				laid[in.Name]++
			}
		}
		return all, laid
	}
	want, none := run(interleaving(2), vm.Without("layout"))
	require.Empty(t, none)
	for _, l := range otherLayouts {
		got, laid := run(enginetest.Laid{Layout: l, Wins: true})
		near(t, want, got, l.String())
		require.Equal(t, 1, laid["Conv2D+Bias+ReLU"])
		require.Equal(t, 1, laid["Conv2D"])
		require.Equal(t, 1, laid["Conv2DInputGrad"])
		require.Equal(t, 1, laid["MaxPool2DScatter+ReLUGrad"])
	}
	got, laid := run(interleaving(3)) // which 4 is no multiple of
	require.Empty(t, laid)
	require.Equal(t, want, got)
	got, laid = run(enginetest.Laid{Layout: engine.Interleaved(2)}) // in which nothing wins
	require.Empty(t, laid)
	require.Equal(t, want, got)
}

// What Trace shows is in row-major order.
func TestTraceShowsLayoutsAsRows(t *testing.T) {
	trace := func(e engine.Engine) map[string][]float64 {
		p, err := vm.Compile(e, layoutModel())
		require.NoError(t, err)
		m, err := p.NewMachine(vm.NewStore(1))
		require.NoError(t, err)
		seen := map[string][]float64{}
		_, err = m.Trace(ctx, func(in vm.Instruction, out []*tensor.Dense) {
			if strings.HasPrefix(in.Name, "Conv2D") {
				seen[in.Name] = numbers(out[0])
				require.Equal(t, 4, out[0].Dims())
			}
		}, feedOf(shape.F64(4, 2, 8, 8), 1))
		require.NoError(t, err)
		return seen
	}
	want := trace(ref.Engine{})
	require.Len(t, want, 2)
	for _, l := range otherLayouts {
		require.Equal(t, want, trace(enginetest.Laid{Layout: l, Wins: true}))
	}
}

// A convolution that has taken in its pooling has other layouts as one without does.
func TestConvolutionsThatPoolHaveOtherLayouts(t *testing.T) {
	run := func(e engine.Engine, opts ...vm.Option) ([]float64, vm.Instruction) {
		g := graph.New()
		x, w, b := g.Input("x", shape.F64(shape.N, 2, 6, 6)), g.Param("w", shape.F64(3, 2, 3, 3), spread(1)), g.Param("b", shape.F64(3), spread(2))
		y := ops.MaxPool2D(ops.ReLU(ops.AddBias(ops.Conv2D(x, w, ops.Conv2DOp{}), b)), ops.MaxPool2DOp{Kernel: [2]int{2, 2}})
		p, err := vm.Compile(e, []*graph.Node{y}, append(opts, vm.Checked)...)
		require.NoError(t, err)
		m, err := p.NewMachine(vm.NewStore(1))
		require.NoError(t, err)
		out, err := m.Run(ctx, feedOf(shape.F64(4, 2, 6, 6), 1))
		require.NoError(t, err)
		list, err := p.Describe(4)
		require.NoError(t, err)
		i := slices.IndexFunc(list, func(in vm.Instruction) bool { return strings.HasPrefix(in.Name, "Conv2D") })
		return numbers(out[0]), list[i]
	}
	want, apart := run(ref.Engine{}, vm.Without("absorb"))
	require.Equal(t, "Conv2D", apart.Name)
	for _, e := range []engine.Engine{ref.Engine{}, interleaving(2)} {
		got, in := run(e)
		require.Equal(t, want, got)
		require.NotZero(t, slices.Max(got))
		require.Equal(t, "Conv2D+Bias+ReLU+MaxPool2D", in.Name)
		_, laid := e.(engine.Layouter)
		require.Equal(t, laid, in.Out[0].Layout != engine.Rows)
	}
}

// A transposition from rows into a layout, in which it moves nothing, and one of axes of extent 1 take no instruction, unless their result
// would share the memory of an input.
func TestTranspositionsThatMoveNothingAreFree(t *testing.T) {
	last := enginetest.Laid{Layout: engine.Layout{Axis: 1, Block: engine.All}, Wins: true}
	run := func(net func(x, w *graph.Node) *graph.Node, opts ...vm.Option) (numbersOf []float64, kernels int) {
		g := graph.New()
		y := net(g.Input("x", shape.F64(shape.N, 5, 5, 3)), g.Param("w", shape.F64(4, 3, 3, 3), spread(1)))
		p, err := vm.Compile(last, []*graph.Node{y}, append(opts, vm.Checked)...)
		require.NoError(t, err)
		m, err := p.NewMachine(vm.NewStore(1))
		require.NoError(t, err)
		out, err := m.Run(ctx, feedOf(shape.F64(4, 5, 5, 3), 1))
		require.NoError(t, err)
		list, err := p.Describe(4)
		require.NoError(t, err)
		for _, in := range list {
			if in.Name == "Transpose" && in.Engine != "" {
				kernels++
			}
		}
		return numbers(out[0]), kernels
	}
	for _, c := range []struct {
		net  func(x, w *graph.Node) *graph.Node
		free bool
	}{
		{func(x, w *graph.Node) *graph.Node {
			return ops.Conv2D(ops.Transpose(ops.Tanh(x), 0, 3, 1, 2), w, ops.Conv2DOp{})
		}, true},
		{func(x, _ *graph.Node) *graph.Node {
			return ops.Transpose(ops.MeanKeep(x, 2), 0, 2, 1, 3)
		}, true},
		{func(x, w *graph.Node) *graph.Node {
			return ops.Transpose(ops.Transpose(ops.Tanh(x), 0, 3, 1, 2), 3, 0, 1, 2)
		}, false},
		{func(x, _ *graph.Node) *graph.Node { return ops.Transpose(x, 0, 3, 1, 2) }, false},
	} {
		want, _ := run(c.net, vm.Without("layout"))
		got, kernels := run(c.net)
		require.Equal(t, want, got)
		require.Equal(t, c.free, kernels == 0)
	}
}
