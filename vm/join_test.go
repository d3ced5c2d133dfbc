package vm_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/allocs"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// fire is SqueezeNet's module: two convolutions of one image, joined, and another one behind them.
func fire(act func(*graph.Node) *graph.Node) []*graph.Node {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 2, 6, 6))
	param := func(name string, dims ...shape.Dim) *graph.Node {
		return g.Param(name, shape.F32(dims...), aroundOne{})
	}
	squeeze := ops.ReLU(ops.Conv2D(x, param("squeeze", 40, 2, 1, 1), ops.Conv2DOp{}))
	one := ops.AddBias(ops.Conv2D(squeeze, param("one", 33, 40, 1, 1), ops.Conv2DOp{}), param("bias", 33))
	three := ops.Conv2D(squeeze, param("three", 48, 40, 3, 3), ops.Conv2DOp{Pad: ops.SamePad(3)})
	return []*graph.Node{ops.Conv2D(act(ops.Concat(1, one, three)), param("behind", 5, 81, 1, 1), ops.Conv2DOp{})}
}

// Results are those of the program that copies, whatever the numbers, and whatever follows.
func TestPartsAreComputedInTheirConcatenation(t *testing.T) {
	acts := map[string]func(*graph.Node) *graph.Node{
		"nothing": func(x *graph.Node) *graph.Node { return x },
		"relu":    ops.ReLU,
		"relu6":   func(x *graph.Node) *graph.Node { return ops.Clip(x, 0, 6) },
		"tanh":    ops.Tanh,
	}
	for name, act := range acts {
		for _, e := range []engine.Engine{cpu.New(), ref.Engine{}} {
			for _, opts := range [][]vm.Option{nil, {vm.WithWeights(shape.Int8)}} {
				s, outs := vm.NewStore(3), fire(act)
				joined := hoisting(t, e, s, outs, opts...)
				copies := hoisting(t, e, s, outs, append(opts, vm.Without("join"))...)
				for _, n := range []int{1, 3} {
					for _, x := range []float32{1, float32(math.NaN()), float32(math.Inf(1)), 1e-40} {
						in := pixels(n, 1)
						in.Float32s()[n*30] = x
						require.Equal(t, bits(run(t, copies, in)), bits(run(t, joined, in)), "%s, %s, N=%d, %v", name, e.Name(), n, x)
					}
				}
			}
		}
	}
}

// Functions of a concatenation go to what it joins, and nothing is left to copy.
func TestAConcatenationNeedsNoKernel(t *testing.T) {
	list, err := vm.MustCompile(cpu.New(), fire(ops.ReLU)).Describe(2)
	require.NoError(t, err)
	var names []string
	for _, in := range list {
		if in.Engine != "" {
			names = append(names, in.Name)
		}
	}
	if !slices.Contains(names, "Convert") { // pieces of images in rows are copied
		require.Equal(t, []string{"Conv2D+ReLU", "Conv2D+Bias+ReLU", "Conv2D+ReLU", "Concat", "Conv2D"}, names)
		return
	}
	require.Equal(t, []string{"Convert", "Conv2D+ReLU", "Conv2D+Bias+ReLU", "Conv2D+ReLU", "Conv2D", "Convert"}, names)
}

// Concatenations of whole pieces are joined on any engine, but not of what others read, of leaves, or
// of one value twice. What is joined can be an output, and the next value of a leaf.
func TestWhatIsJoined(t *testing.T) {
	for name, c := range map[string]struct {
		build func(g *graph.Graph, x *graph.Node) *graph.Node
		free  bool
	}{
		"results of kernels": {func(_ *graph.Graph, x *graph.Node) *graph.Node {
			return ops.Concat(0, ops.Softmax(x, 1), ops.LogSoftmax(x, 1))
		}, true},
		"reshaped": {func(_ *graph.Graph, x *graph.Node) *graph.Node {
			return ops.Concat(0, ops.Softmax(x, 1), ops.Reshape(ops.Softmax(ops.Reshape(x, 3, 2), 1), 2, 3))
		}, false},
		"an input": {func(_ *graph.Graph, x *graph.Node) *graph.Node { return ops.Concat(0, ops.Softmax(x, 1), x) }, false},
		"twice":    {func(_ *graph.Graph, x *graph.Node) *graph.Node { y := ops.Softmax(x, 1); return ops.Concat(0, y, y) }, false},
		"read elsewhere": {func(_ *graph.Graph, x *graph.Node) *graph.Node {
			y := ops.Softmax(x, 1)
			return ops.Add(ops.Concat(0, y, ops.LogSoftmax(x, 1)), ops.Sum(y))
		}, false},
		"along rows": {func(_ *graph.Graph, x *graph.Node) *graph.Node {
			return ops.Concat(1, ops.Softmax(x, 1), ops.LogSoftmax(x, 1))
		}, false},
		"of joined ones": {func(_ *graph.Graph, x *graph.Node) *graph.Node {
			return ops.Concat(0, ops.Concat(0, ops.Softmax(x, 1), ops.LogSoftmax(x, 1)), ops.Exp(x))
		}, true},
		"a leaf's next value": {func(g *graph.Graph, x *graph.Node) *graph.Node {
			w := g.State("w", shape.F32(4, 3), graph.Fill(1))
			g.Update(w, ops.Concat(0, ops.Softmax(x, 1), ops.LogSoftmax(x, 1)))
			return ops.Sum(w)
		}, true},
	} {
		g := graph.New()
		x := g.Input("x", shape.F32(2, 3))
		outs := []*graph.Node{c.build(g, x)}
		var opts []vm.Option
		if len(g.Updates()) > 0 {
			opts = append(opts, vm.Train)
		}
		in := tensor.New(tensor.WithShape(2, 3), tensor.WithBacking([]float32{1, 2, 3, -1, 5, .5}))
		want := run(t, hoisting(t, ref.Engine{}, vm.NewStore(1), outs, append(opts, vm.Without("join"))...), in)
		s := vm.NewStore(1)
		m := hoisting(t, ref.Engine{}, s, outs, opts...)
		for range 3 {
			got := run(t, m, in)
			if name != "a leaf's next value" {
				require.Equal(t, want, got, name)
			}
		}
		list, err := vm.MustCompile(ref.Engine{}, outs, opts...).Describe(1)
		require.NoError(t, err)
		free := false
		for _, i := range list {
			free = free || i.Name == "Concat" && i.Engine == ""
		}
		require.Equal(t, c.free, free, name)
		if len(opts) > 0 {
			w, err := s.Value("w")
			require.NoError(t, err)
			e := hoisting(t, ref.Engine{}, vm.NewStore(1), []*graph.Node{ops.Concat(0, ops.Softmax(x, 1), ops.LogSoftmax(x, 1))})
			require.Equal(t, run(t, e, in), w.Float32s())
		}
	}
}

// A function that broadcasts a concatenation to more elements stays behind it.
func TestAFunctionThatBroadcastsIsNotDistributed(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(1, 2))
	y := ops.Concat(1, ops.Exp(x), ops.Neg(x))
	y = ops.Add(y, ops.Full(x, shape.OfInts(3, 4), 5))
	in := tensor.New(tensor.WithShape(1, 2), tensor.WithBacking([]float32{0, 2}))
	have := run(t, hoisting(t, ref.Engine{}, vm.NewStore(1), []*graph.Node{y}), in)
	row := []float32{6, float32(math.Exp(2) + 5), 5, 3}
	require.InDeltaSlice(t, slices.Concat(row, row, row), have, 1e-5)
}

// A trace shows the parts without what lies between them.
func TestATraceShowsParts(t *testing.T) {
	s, outs := vm.NewStore(3), fire(ops.ReLU)
	seen := map[bool][][]float32{}
	for _, join := range []bool{true, false} {
		var opts []vm.Option
		if !join {
			opts = append(opts, vm.Without("join"))
		}
		m := hoisting(t, cpu.New(), s, outs, opts...)
		_, err := m.Trace(context.Background(), func(in vm.Instruction, results []*tensor.Dense) {
			if in.Name != "Concat" && in.Name != "Convert" {
				seen[join] = append(seen[join], floats(results[0]))
			}
		}, pixels(2, 1))
		require.NoError(t, err)
	}
	require.Equal(t, seen[false], seen[true])
}

func TestARunOfJoinedPartsAllocatesNothing(t *testing.T) {
	m, in := hoisting(t, cpu.New(), vm.NewStore(1), fire(ops.ReLU)), pixels(2, 1)
	require.Zero(t, allocs.PerRun(10, func() { _, _ = m.Run(context.Background(), in) }))
}
