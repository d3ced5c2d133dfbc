package ops_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// movers take every element type: they give elements of their input, or numbers that are given.
var movers = []string{
	"StopGradient", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Reshape", "Slice", "Pad", "BroadcastTo", "Concat", "ByMode",
	"Gather", "GatherAlong", "UpdateSlice", "Embedding", "ResizeNearest", "Where", "OneHot", "Scalar", "FullLike", "Full", "ZerosLike", "OnesLike", "Cast",
	"GatherND", "ScatterND", "ReverseSequence", "DepthToSpace", "PixelShuffle", "SpaceToDepth", "PixelUnshuffle",
}

func storage() []shape.DType {
	return slices.DeleteFunc(shape.DTypes(), func(d shape.DType) bool { return !d.IsStorage() })
}

// with returns c with float32 inputs of type d.
func (c constructor) with(d shape.DType) constructor {
	c.in = slices.Clone(c.in)
	for i, t := range c.in {
		if t.DType == shape.Float32 {
			c.in[i] = t.As(d)
		}
	}
	return c
}

// Whatever computes says that it does not with such a type, and what would be right.
func TestStorageTypesAreRefusedByAllThatComputes(t *testing.T) {
	for _, d := range storage() {
		for _, c := range constructors() {
			if slices.Contains(movers, c.name) || !slices.ContainsFunc(c.in, func(t shape.Type) bool { return t.DType == shape.Float32 }) {
				continue
			}
			g := graph.New()
			c := c.with(d)
			y := c.build(c.leaves(g))
			require.False(t, y.Valid(), "%s takes %v", c.name, d)
			require.Regexp(t, d.String()+`.*, which is only stored, moved and cast; want .*: Cast it first$`, errorsOf(y.Graph())[0].Err.Error(), c.name)
		}
	}
	g := graph.New()
	x := g.Input("x", shape.BF16(3))
	ops.Add(x, x)
	require.ErrorContains(t, g.Err(), "Add: input 0 is bfloat16(3), which is only stored, moved and cast; want a number: Cast it first")
}

// Ids are integers that ops compute with, too.
func TestIdsOfAStorageTypeAreRefused(t *testing.T) {
	met := 0
	for _, c := range constructors() {
		i := slices.IndexFunc(c.in, func(t shape.Type) bool { return t.DType == shape.Int32 })
		if i < 0 {
			continue
		}
		met++
		g := graph.New()
		in := slices.Clone(c.in)
		in[i] = in[i].As(shape.Int8)
		c.in = in
		require.False(t, c.build(c.leaves(g)).Valid(), c.name)
		require.Regexp(t, `((ids|numbers|lengths|indices of images) are|start is|input 0 is) int8.*, which is only stored, moved and cast; want integers: Cast it first`, g.Err(), c.name)
	}
	require.GreaterOrEqual(t, met, 6)
}

// What moves elements gives of a storage type what it gives of float32, cast: on ref and on cpu.
func TestStorageTypesAreMoved(t *testing.T) {
	for _, d := range storage() {
		for _, c := range constructors() {
			if !slices.Contains(movers, c.name) || c.name == "Cast" {
				continue
			}
			for _, e := range []engine.Engine{ref.Engine{}, cpu.New()} {
				moved := c.with(d).run(t, e)
				wide := c.run(t, e)
				require.Equal(t, d, engine.DTypeOf(moved), c.name)
				require.Equal(t, wide.Shape(), moved.Shape(), c.name)
				require.Equal(t, numbersIn(wide), numbersIn(moved), "%s of %v", c.name, d)
			}
		}
	}
}

// run computes c with a batch of 2, of whole numbers, which all types have.
func (c constructor) run(t *testing.T, e engine.Engine) *tensor.Dense {
	t.Helper()
	g := graph.New()
	y := c.build(c.leaves(g))
	require.NoError(t, g.Err(), c.name)
	p, err := vm.Compile(e, []*graph.Node{y}, vm.Checked)
	require.NoError(t, err, c.name)
	store := vm.NewStore(1)
	fill := func(n *graph.Node) *tensor.Dense {
		typ := n.Type().At(2)
		v := make([]float64, typ.Len())
		for i := range v {
			if v[i] = float64((i*7+3)%100 - 50); !typ.HasGradient() && typ.DType != shape.Int8 {
				v[i] = float64(i % 2) // ids, and masks
			}
		}
		return denseOf(typ, v)
	}
	for _, l := range p.Leaves() {
		require.NoError(t, store.Set(l.Name(), fill(l)), c.name)
	}
	m, err := p.NewMachine(store)
	require.NoError(t, err, c.name)
	var in []*tensor.Dense
	for _, x := range p.Inputs() {
		in = append(in, fill(x))
	}
	outs, err := m.Run(t.Context(), in...)
	require.NoError(t, err, c.name)
	return outs[0]
}

// The adjoint of what is cast there and back is the adjoint, rounded on its way; the sum of two of
// a storage type is that of float32, rounded. It is what PyTorch gives for
//
//	w = torch.tensor([1., 2.], requires_grad=True)
//	h = w.to(torch.bfloat16)
//	torch.stack([h, h.flip(0)]).float().backward(torch.tensor([[1.2345678, 0.], [1., .1]]))
func TestGradientsPassStorageTypesRounded(t *testing.T) {
	for _, e := range []engine.Engine{ref.Engine{}, cpu.New()} {
		g := graph.New()
		w := g.Input("w", shape.F32(2))
		dy := g.Input("dy", shape.F32(2, 2))
		h := ops.Cast(w, shape.BFloat16)
		both := ops.Concat(0, ops.Unsqueeze(h, 0), ops.Unsqueeze(ops.Slice(h, ops.Range{Start: -1, Stop: ops.End, Step: -1}), 0))
		y := ops.Cast(both, shape.Float32)
		dw := autodiff.VJP(y, dy, w)[0]
		require.NoError(t, g.Err())
		require.Equal(t, w.Type(), dw.Type())
		p, err := vm.Compile(e, []*graph.Node{dw})
		require.NoError(t, err)
		m, err := p.NewMachine(vm.NewStore(1))
		require.NoError(t, err)
		a, b := float32(1.2345678), float32(0.1)
		outs, err := m.Run(t.Context(), tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]float32{a, 0, 1, b})))
		require.NoError(t, err)
		brain := func(v float32) float32 { return shape.BrainOf32(v).Float32() }
		require.Equal(t, []float32{brain(brain(a) + brain(b)), 1}, outs[0].Float32s())
	}
}

// Each way in which an adjoint is summed that is of a storage type.
func TestAdjointsOfStorageTypesAreAddedUpInFloat32(t *testing.T) {
	for name, f := range map[string]func(x, ids *graph.Node) *graph.Node{
		"BroadcastTo": func(x, _ *graph.Node) *graph.Node { return ops.BroadcastTo(x, shape.Of(50, 3)) },
		"Where": func(x, _ *graph.Node) *graph.Node {
			return ops.Where(ops.Equal(ops.ZerosLike(ops.BroadcastTo(ops.Cast(x, shape.Float32), shape.Of(50, 3))), ops.Scalar(ops.Cast(x, shape.Float32), 0)), x, ops.ZerosLike(x))
		},
		"Gather": func(x, ids *graph.Node) *graph.Node { return ops.Gather(ops.Reshape(x, 1, 3), 0, ids) },
		"Pad": func(x, _ *graph.Node) *graph.Node {
			return ops.Pad(ops.Reshape(x, 1, 3), ops.PadOp{Mode: ops.PadEdge, Before: [shape.MaxRank]int{49}})
		},
	} {
		g := graph.New()
		x, ids, dy := g.Input("x", shape.F16(3)), g.Input("ids", shape.I32(50)), g.Input("dy", shape.F16(50, 3))
		y := f(x, ids)
		require.NoError(t, g.Err(), name)
		require.Equal(t, shape.F16(50, 3), y.Type(), name)
		dx := autodiff.VJP(y, dy, x)[0]
		require.NoError(t, g.Err(), name)
		require.Equal(t, x.Type(), dx.Type(), name)
		p, err := vm.Compile(ref.Engine{}, []*graph.Node{dx})
		require.NoError(t, err, name)
		m, err := p.NewMachine(vm.NewStore(1))
		require.NoError(t, err, name)
		v, sums := make([]float64, 150), make([]float64, 3)
		for i := range v {
			v[i] = float64(shape.HalfOf(math.Sqrt(float64(1 + i))).Float32())
			sums[i%3] += v[i] // exact in float32 too: fifty numbers of 11 bits
		}
		var in []*tensor.Dense
		for _, n := range p.Inputs() {
			in = append(in, map[string]*tensor.Dense{
				"ids": denseOf(ids.Type(), make([]float64, 50)), "dy": denseOf(dy.Type(), v), "x": denseOf(x.Type(), make([]float64, 3)),
			}[n.Name()])
		}
		outs, err := m.Run(t.Context(), in...)
		require.NoError(t, err, name)
		for i, got := range numbersIn(outs[0]) {
			require.Equal(t, float64(shape.HalfOf(sums[i]).Float32()), got, name)
		}
	}
}
