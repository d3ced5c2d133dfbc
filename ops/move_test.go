package ops_test

import (
	"errors"
	"fmt"
	"strings"
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

const batch = shape.N

// apply1 applies f to a float64 input of the given extents.
func apply1(f func(x *graph.Node) *graph.Node, dims ...shape.Dim) (*graph.Graph, *graph.Node) {
	g := graph.New()
	return g, f(g.Input("x", shape.F64(dims...)))
}

func reshape(dims ...shape.Dim) func(*graph.Node) *graph.Node {
	return func(x *graph.Node) *graph.Node { return ops.Reshape(x, dims...) }
}

func slice(ranges ...ops.Range) func(*graph.Node) *graph.Node {
	return func(x *graph.Node) *graph.Node { return ops.Slice(x, ranges...) }
}

func squeeze(axes ...int) func(*graph.Node) *graph.Node {
	return func(x *graph.Node) *graph.Node { return ops.Squeeze(x, axes...) }
}

func unsqueeze(axes ...int) func(*graph.Node) *graph.Node {
	return func(x *graph.Node) *graph.Node { return ops.Unsqueeze(x, axes...) }
}

func transpose(perm ...int) func(*graph.Node) *graph.Node {
	return func(x *graph.Node) *graph.Node { return ops.Transpose(x, perm...) }
}

func pad(op ops.PadOp) func(*graph.Node) *graph.Node {
	return func(x *graph.Node) *graph.Node { return ops.Pad(x, op) }
}

// axes fills an array of paddings.
func axes(p ...int) (a [shape.MaxRank]int) {
	copy(a[:], p)
	return a
}

func TestMoveOpsInferShapes(t *testing.T) {
	for _, c := range []struct {
		in, want shape.Shape
		f        func(*graph.Node) *graph.Node
	}{
		{shape.Of(2, 3), shape.Of(3, 2), reshape(3, 2)},
		{shape.Of(2, 3), shape.Of(6), reshape(ops.Infer)},
		{shape.Of(), shape.Of(1, 1), reshape(1, ops.Infer)},
		{shape.Of(0, 3), shape.Of(3, 0), reshape(3, ops.Infer)},
		{shape.Of(0, 3), shape.Of(0), reshape(0)},
		{shape.Of(batch, 16, 5, 5), shape.Of(batch, 400), reshape(batch, ops.Infer)},
		{shape.Of(batch, 16, 5, 5), shape.Of(batch, 400), reshape(ops.Infer, 400)},
		{shape.Of(batch, 4), shape.Of(shape.Batch(2), 2), reshape(ops.Infer, 2)},
		{shape.Of(shape.Batch(2), 2), shape.Of(batch, 4), reshape(batch, 4)},
		{shape.Of(batch, batch), shape.Of(batch, 1, batch), reshape(batch, 1, batch)},
		{shape.Of(batch, batch), shape.Of(batch, 1, batch), reshape(batch, 1, ops.Infer)},
		{shape.Of(batch, 2, 3, 4), shape.Of(batch, 24), ops.Flatten},
		{shape.Of(batch), shape.Of(batch, 1), ops.Flatten},
		{shape.Of(0, 2, 3), shape.Of(0, 6), ops.Flatten},
		{shape.Of(1, 2, 1, 3, 1), shape.Of(2, 3), squeeze()},
		{shape.Of(1, 2, 1, 3, 1), shape.Of(1, 2, 3, 1), squeeze(2)},
		{shape.Of(1, 2, 1, 3, 1), shape.Of(2, 1, 3), squeeze(-1, 0)},
		{shape.Of(batch, 3), shape.Of(batch, 1, 3, 1), unsqueeze(1, -1)},
		{shape.Of(), shape.Of(1), unsqueeze(0)},
		{shape.Of(batch, 3), shape.Of(batch, 3), unsqueeze()},
		{shape.Of(batch, 3, 4), shape.Of(4, 3, batch), transpose()},
		{shape.Of(batch, 3, 4), shape.Of(batch, 4, 3), transpose(0, -1, -2)},
		{shape.Of(5, 6), shape.Of(2, 6), slice(ops.Range{Start: 1, Stop: 3})},
		{shape.Of(5, 6), shape.Of(5, 2), slice(ops.Whole(), ops.Range{Start: -2, Stop: ops.End})},
		{shape.Of(5), shape.Of(3), slice(ops.Range{Stop: 5, Step: 2})},
		{shape.Of(5), shape.Of(2), slice(ops.Range{Start: 1, Stop: 5, Step: 3})},
		{shape.Of(5), shape.Of(5), slice(ops.Range{Start: -1, Stop: ops.End, Step: -1})},
		{shape.Of(5), shape.Of(2), slice(ops.Range{Start: 4, Stop: 0, Step: -2})},
		{shape.Of(5), shape.Of(1), slice(ops.Range{Start: 2, Stop: ops.End, Step: 1 << 60})},
		{shape.Of(batch, 5), shape.Of(batch, 1), slice(ops.Whole(), ops.Range{Start: -1, Stop: ops.End})},
		{shape.Of(batch, 1, 3, 3), shape.Of(batch, 1, 5, 4), pad(ops.PadOp{Before: axes(0, 0, 1, 1), After: axes(0, 0, 1, 0)})},
		{shape.Of(0), shape.Of(2), pad(ops.PadOp{Before: axes(2)})},
	} {
		g, y := apply1(c.f, c.in.Dims()...)
		require.NoError(t, g.Err())
		require.Equal(t, c.want, y.Type().Shape, "%v of %v", y, c.in)
	}
}

func TestMoveOpsRefuseWhatHasNoMeaning(t *testing.T) {
	for _, c := range []struct {
		in   shape.Shape
		f    func(*graph.Node) *graph.Node
		want string
	}{
		{shape.Of(2, 3), reshape(4, 2), "Reshape: (2,3) has 6 elements, (4,2) has 8"},
		{shape.Of(2, 3), reshape(4, ops.Infer), "Reshape: (2,3) has 6 elements, not a multiple of 4, the product of the given extents"},
		{shape.Of(2, 3), reshape(ops.Infer, ops.Infer), "more than one extent is Infer"},
		{shape.Of(2, 3), reshape(-2, 3), "axis 0: extent invalid(-2)"},
		{shape.Of(2, 0), reshape(0, ops.Infer), "not a multiple of"},
		{shape.Of(batch, 3), reshape(6), "Reshape: (N,3) has 3N elements, (6) has 6"},
		{shape.Of(batch, 3), reshape(ops.Infer, 2), "not a multiple of"},
		{shape.Of(6), reshape(batch, ops.Infer), "not a multiple of"},
		{shape.Of(batch, batch), reshape(ops.Infer), "has N^2 elements"},
		{shape.Of(6), reshape(1, 1, 1, 1, 1, 1, 1, 1, 6), "more than 8 axes"},
		{shape.Of(), ops.Flatten, "Flatten: a scalar has no axis 0 to keep"},
		{shape.Of(2, 1), squeeze(0), "Squeeze: axis 0 of (2,1) has extent 2; only 1 can be dropped"},
		{shape.Of(2, 1), squeeze(2), "no axis 2 among 2 axes"},
		{shape.Of(2, 1), squeeze(1, -1), "axis 1 is given twice"},
		{shape.Of(2), unsqueeze(2), "no axis 2 among 2 axes"},
		{shape.Of(2, 3), transpose(0), "Transpose: [0] is not a permutation of the 2 axes of float64(2,3)"},
		{shape.Of(2, 3), transpose(0, 0), "not a permutation"},
		{shape.Of(2, 3), transpose(0, 256), "not a permutation"},
		{shape.Of(2, 3), slice(ops.Whole(), ops.Whole(), ops.Whole()), "Slice: 3 ranges were given for the 2 axes of (2,3)"},
		{shape.Of(5), slice(ops.Range{Start: 1, Stop: 6}), "Slice: axis 0 of (5): index 6 is outside -5..5"},
		{shape.Of(5), slice(ops.Range{Start: -6, Stop: 2}), "index -6 is outside -5..4"},
		{shape.Of(5), slice(ops.Range{}), "no index from 0 up to but not including 0 in steps of 1"},
		{shape.Of(5), slice(ops.Range{Start: 3, Stop: 1}), "no index from"},
		{shape.Of(5), slice(ops.Range{Start: 1, Stop: 3, Step: -1}), "no index from"},
		{shape.Of(batch, 5), slice(ops.Range{Stop: 2}), "the batch axis cannot be sliced"},
		{shape.Of(batch, 5), slice(ops.Range{Stop: ops.End, Step: 2}), "the batch axis cannot be sliced"},
		{shape.Of(5), pad(ops.PadOp{Before: axes(-1)}), "Pad: axis 0 of float64(5): padding by -1; to take elements away use Slice"},
		{shape.Of(5), pad(ops.PadOp{Mode: ops.PadReflect, After: axes(5)}), "padding by 5, but reflect padding is at most 4"},
		{shape.Of(5), pad(ops.PadOp{Mode: ops.PadSymmetric, After: axes(6)}), "symmetric padding is at most 5"},
		{shape.Of(0), pad(ops.PadOp{Mode: ops.PadEdge, After: axes(1)}), "edge padding is at most 0"},
		{shape.Of(5), pad(ops.PadOp{After: axes(0, 1)}), "axis 1 cannot be padded: the input is float64(5)"},
		{shape.Of(batch), pad(ops.PadOp{After: axes(1)}), "the batch axis cannot be padded"},
		{shape.Of(5), pad(ops.PadOp{Mode: 9}), "unknown mode 9"},
	} {
		g, y := apply1(c.f, c.in.Dims()...)
		require.False(t, y.Valid(), c.want)
		require.Len(t, errorsOf(g), 1, c.want)
		require.ErrorContains(t, g.Err(), c.want)
		if strings.Contains(c.want, "batch axis") {
			require.ErrorIs(t, g.Err(), shape.ErrSymbolic)
		}
	}
}

func TestConcatRefusesWhatDiffersElsewhere(t *testing.T) {
	g := graph.New()
	a, b := g.Input("a", shape.F64(2, 3)), g.Input("b", shape.F64(2, 4))
	f, s := g.Input("f", shape.F32(2, 3)), g.Input("s", shape.F64(batch, 3))
	for want, bad := range map[string]*graph.Node{
		"input 1 is float64(2,4), input 0 is float64(2,3); they may differ only in axis 0": ops.Concat(0, a, b),
		"input 1 is float32(2,3)":                                          ops.Concat(0, a, f),
		"no axis 2 in float64(2,3)":                                        ops.Concat(2, a, a),
		"no axis -3 in float64(2,3)":                                       ops.Concat(-3, a, a),
		"extent of axis 0: 2+N: not possible with the symbolic batch size": ops.Concat(0, a, s),
		"input 1 is nil":                                                   ops.Concat(0, a, nil),
	} {
		require.False(t, bad.Valid())
		require.ErrorContains(t, g.Err(), "Concat: "+want)
	}
	none := ops.Concat(0)
	require.ErrorContains(t, none.Graph().Err(), "want at least one input")
}

func TestMoveOpsOfNilAndInvalidNodes(t *testing.T) {
	for _, f := range []func(*graph.Node) *graph.Node{
		reshape(1), ops.Flatten, squeeze(), unsqueeze(0), transpose(), slice(), pad(ops.PadOp{}),
		func(x *graph.Node) *graph.Node { return ops.Concat(-1, x) },
		func(x *graph.Node) *graph.Node { return ops.OneHot(x, 3, x) },
	} {
		none := f(nil)
		require.False(t, none.Valid())
		require.ErrorContains(t, none.Graph().Err(), "input 0 is nil")
		g, bad := apply1(reshape(5), 2)
		require.False(t, f(bad).Valid())
		require.Len(t, errorsOf(g), 1)
	}
}

// evaluate runs f, a function of 1, 2, 3, ... in the given shape, at N = n.
func evaluate(t *testing.T, n int, f func(x *graph.Node) *graph.Node, dims ...shape.Dim) []float64 {
	t.Helper()
	g, y := apply1(f, dims...)
	require.NoError(t, g.Err())
	typ := g.Leaf("x").Type().At(n)
	v := make([]float64, typ.Len())
	for i := range v {
		v[i] = float64(i + 1)
	}
	x := tensor.New(tensor.WithShape(typ.Ints()...), tensor.WithBacking(v))
	return run(t, vm.NewStore(1), 1, []*graph.Node{y}, nil, x)[0]
}

// The values are NumPy's, by the expressions named.
func TestMoveOpsMoveWhatNumPyMoves(t *testing.T) {
	for _, c := range []struct {
		numpy string
		f     func(*graph.Node) *graph.Node
		in    shape.Shape
		n     int
		want  []float64
	}{
		{"x.T", transpose(), shape.Of(2, 3), 0, []float64{1, 4, 2, 5, 3, 6}},
		{"x.transpose(1, 2, 0)", transpose(1, 2, 0), shape.Of(batch, 2, 2), 2, []float64{1, 5, 2, 6, 3, 7, 4, 8}},
		{"x[1:3, ::-1]", slice(ops.Range{Start: 1, Stop: 3}, ops.Range{Start: -1, Stop: ops.End, Step: -1}), shape.Of(3, 2), 0, []float64{4, 3, 6, 5}},
		{"x[4:0:-2]", slice(ops.Range{Start: 4, Stop: 0, Step: -2}), shape.Of(6), 0, []float64{5, 3}},
		{"x[-3:-1]", slice(ops.Range{Start: -3, Stop: -1}), shape.Of(6), 0, []float64{4, 5}},
		{"x[:, 1:]", slice(ops.Whole(), ops.Range{Start: 1, Stop: ops.End}), shape.Of(batch, 3), 2, []float64{2, 3, 5, 6}},
		{"x.reshape(-1, 2)[:, ::-1]", func(x *graph.Node) *graph.Node {
			return ops.Slice(ops.Reshape(x, ops.Infer, 2), ops.Whole(), ops.Range{Start: 1, Stop: ops.End, Step: -1})
		}, shape.Of(batch, 4), 1, []float64{2, 1, 4, 3}},
		{"concatenate([x, x + x], 1)", func(x *graph.Node) *graph.Node { return ops.Concat(1, x, ops.Add(x, x)) }, shape.Of(batch, 2), 2, []float64{1, 2, 2, 4, 3, 4, 6, 8}},
		{"concatenate([x, x], 0)", func(x *graph.Node) *graph.Node { return ops.Concat(0, x, x) }, shape.Of(batch, 2), 2, []float64{1, 2, 3, 4, 1, 2, 3, 4}},
		{"pad(x, 1, 'reflect')", pad(ops.PadOp{Mode: ops.PadReflect, Before: axes(0, 1), After: axes(0, 1)}), shape.Of(batch, 3), 2, []float64{2, 1, 2, 3, 2, 5, 4, 5, 6, 5}},
		{"pad(x, ((0, 1), (2, 0)), constant_values=9)", pad(ops.PadOp{After: axes(1), Before: axes(0, 2), Value: graph.Float(9)}), shape.Of(1, 2), 0, []float64{9, 9, 1, 2, 9, 9, 9, 9}},
	} {
		require.Equal(t, c.want, evaluate(t, c.n, c.f, c.in.Dims()...), c.numpy)
	}
}

// The parts of a concatenation along the batch lie at multiples of N, known only in a run.
func TestConcatAlongTheBatchGivesEachItsGradient(t *testing.T) {
	g := graph.New()
	a, b := g.Input("a", shape.F64(batch, 2)), g.Input("b", shape.F64(shape.Batch(2), 2))
	y := ops.Concat(0, a, b, a)
	require.Equal(t, shape.F64(shape.Batch(4), 2), y.Type())
	dy := g.Input("dy", y.Type())
	dx := autodiff.VJP(y, dy, a, b)
	ddy := autodiff.Grad(ops.Add(ops.Sum(ops.Mul(dx[0], dx[0])), ops.Sum(dx[1])), dy)
	require.NoError(t, g.Err())

	p, err := vm.Compile(ref.Engine{}, []*graph.Node{dx[0], dx[1], ddy[0]}, vm.Checked)
	require.NoError(t, err)
	m, err := p.NewMachine(vm.NewStore(1))
	require.NoError(t, err)
	for _, n := range []int{1, 3} {
		v := counter(0, 8*n)
		got, err := m.Run(t.Context(), tensor.New(tensor.WithShape(4*n, 2), tensor.WithBacking(v)))
		require.NoError(t, err)
		wantA := make([]float64, 2*n)
		for i := range wantA {
			wantA[i] = v[i] + v[6*n+i]
		}
		require.Equal(t, wantA, got[0].Float64s())
		require.Equal(t, v[2*n:6*n], got[1].Float64s())
		require.Equal(t, 2*wantA[0], got[2].Float64s()[0])
		require.Equal(t, 1.0, got[2].Float64s()[2*n])
	}
}

func TestMovesKeepEveryElementType(t *testing.T) {
	for _, d := range []shape.DType{shape.Float32, shape.Int32, shape.Int64, shape.Uint8, shape.Bool} {
		g := graph.New()
		x := g.Input("x", shape.Make(d, batch, 2))
		for _, y := range []*graph.Node{
			ops.Flatten(x), ops.Transpose(x), ops.Concat(1, x, x), ops.Slice(x, ops.Whole(), ops.Range{Stop: 1}),
			ops.Pad(x, ops.PadOp{Before: axes(0, 1), Value: graph.Float(1)}),
		} {
			require.Equal(t, d, y.Type().DType)
		}
		require.NoError(t, g.Err())
	}
	g := graph.New()
	for want, bad := range map[string]*graph.Node{
		"0.5 is not a valid int32": ops.Pad(g.Input("i", shape.I32(2)), ops.PadOp{Before: axes(1), Value: graph.Float(0.5)}),
		"256 is not a valid uint8": ops.Pad(g.Input("u", shape.U8(2)), ops.PadOp{Before: axes(1), Value: graph.Float(256)}),
	} {
		require.False(t, bad.Valid())
		require.ErrorContains(t, g.Err(), want)
	}
}

func TestSizeOneDims(t *testing.T) {
	keep := func(x *graph.Node) *graph.Node {
		x = ops.Reshape(x, 1, 2, 1, 3)
		x = ops.Transpose(x, 2, 1, 0, 3)
		x = ops.MeanKeep(ops.SumKeep(x, 2), 0)
		x = ops.Slice(x, ops.Whole(), ops.Range{Start: 1, Stop: 2})
		return ops.Mul(x, ops.Reshape(x, 3, 1, 1))
	}
	g, y := apply1(keep, 2, 1, 3)
	require.NoError(t, g.Err())
	require.Equal(t, shape.Of(1, 3, 1, 3), y.Type().Shape)
	require.Equal(t, []float64{16, 20, 24, 20, 25, 30, 24, 30, 36}, evaluate(t, 0, keep, 2, 1, 3))
	require.Equal(t, []float64{3, 7}, evaluate(t, 0, func(x *graph.Node) *graph.Node { return ops.Sum(x, 1, 2) }, 2, 2, 1))
	require.Equal(t, []float64{1, 2}, evaluate(t, 2, func(x *graph.Node) *graph.Node { return ops.Max(x, 1, 2) }, batch, 1, 1))
}

func TestMovesSimplify(t *testing.T) {
	for _, c := range []struct {
		name string
		f    func(x *graph.Node) *graph.Node
		want string // the ops that are left, in order
	}{
		{"reshape to its own shape", reshape(4, 1, 6), ""},
		{"two reshapes", func(x *graph.Node) *graph.Node { return ops.Reshape(ops.Flatten(x), 6, 4) }, "Reshape"},
		{"a reshape and back", func(x *graph.Node) *graph.Node { return ops.Reshape(ops.Flatten(x), 4, 1, 6) }, ""},
		{"transpose by the identity", transpose(0, 1, 2), ""},
		{"transpose and back", func(x *graph.Node) *graph.Node { return ops.Transpose(ops.Transpose(x, 2, 0, 1), 1, 2, 0) }, ""},
		{"two transposes", func(x *graph.Node) *graph.Node { return ops.Transpose(ops.Transpose(x, 2, 1, 0), 1, 0, 2) }, "Transpose"},
		{"transpose of an axis of extent 1", transpose(1, 0, 2), "Reshape"},
		{"slice of everything", slice(ops.Whole(), ops.Range{Stop: 1}, ops.Range{Start: 0, Stop: 6}), ""},
		{"backwards is not everything", slice(ops.Range{Start: -1, Stop: ops.End, Step: -1}), "Slice"},
		{"gradient of a slice, sliced", func(x *graph.Node) *graph.Node {
			part := ops.Range{Start: 1, Stop: 3}
			embedded := autodiff.VJP(x, x, x) // x itself, so that the shape is at hand
			half := ops.Slice(embedded[0], part)
			return ops.Slice(autodiff.VJP(half, ops.Exp(half), x)[0], part)
		}, "Slice Exp"},
		{"padding by nothing", pad(ops.PadOp{Mode: ops.PadEdge}), ""},
		{"one part", func(x *graph.Node) *graph.Node { return ops.Concat(0, x) }, ""},
	} {
		_, y := apply1(c.f, 4, 1, 6)
		require.NoError(t, y.Graph().Err(), c.name)
		require.Equal(t, c.want, strings.Join(compiled(t, y), " "), c.name)
	}
}

// compiled names the instructions that y needs, simplified.
func compiled(t *testing.T, y *graph.Node) (names []string) {
	t.Helper()
	for range 10 {
		replaced := graph.Transform([]*graph.Node{y}, func(dst *graph.Graph, n *graph.Node, in []*graph.Node) *graph.Node {
			image := dst.Replay(n, in...)
			if s, ok := n.Op().(vm.Simplifier); ok {
				if better := s.Simplify(image); better != nil {
					require.Equal(t, n.Type(), better.Type())
					return better
				}
			}
			return image
		})
		y = replaced[0]
	}
	for _, n := range graph.Reachable(y) {
		if n.Kind() == graph.Computed {
			names = append(names, n.Op().Name())
		}
	}
	return names
}

func TestOneHot(t *testing.T) {
	g := graph.New()
	ids, like := g.Input("ids", shape.I64(batch)), g.Input("like", shape.F64(batch, 3))
	y := ops.OneHot(ids, 3, like)
	require.Equal(t, shape.F64(batch, 3), y.Type())
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{ops.Add(y, like)}, vm.Checked)
	require.NoError(t, err)
	m, err := p.NewMachine(vm.NewStore(1))
	require.NoError(t, err)
	zeros := tensor.New(tensor.WithShape(2, 3), tensor.WithBacking(make([]float64, 6)))
	got, err := m.Run(t.Context(), tensor.New(tensor.WithShape(2), tensor.WithBacking([]int64{2, 0})), zeros)
	require.NoError(t, err)
	require.Equal(t, []float64{0, 0, 1, 1, 0, 0}, got[0].Float64s())

	_, err = m.Run(t.Context(), tensor.New(tensor.WithShape(2), tensor.WithBacking([]int64{2, 3})), zeros)
	var at *graph.Error
	require.True(t, errors.As(err, &at), "a bad label is an error with the line that used it")
	require.ErrorContains(t, err, "OneHot: id 3, element 1, is not one of the 3 classes 0..2")

	require.False(t, ops.OneHot(like, 3, like).Valid())
	require.False(t, ops.OneHot(ids, 0, like).Valid())
	require.ErrorContains(t, g.Err(), "ids are float64(N,3); want integers")
	require.ErrorContains(t, g.Err(), "0 classes; want at least one")
}

func ExampleSlice() {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 3, 32, 32))
	red := ops.Slice(x, ops.Whole(), ops.Range{Start: 0, Stop: 1})
	mirrored := ops.Slice(x, ops.Whole(), ops.Whole(), ops.Whole(), ops.Range{Start: -1, Stop: ops.End, Step: -1})
	fmt.Println(red.Type(), mirrored.Type())
	// Output: float32(N,1,32,32) float32(N,3,32,32)
}

func ExampleReshape() {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 16, 5, 5))
	fmt.Println(ops.Reshape(x, shape.N, ops.Infer).Type(), ops.Flatten(x).Type())
	ops.Reshape(x, 32, ops.Infer)
	fmt.Println(g.Err() != nil)
	// Output:
	// float32(N,400) float32(N,400)
	// true
}
