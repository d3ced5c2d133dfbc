package onnx_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// linear is y = x·w + b, then batch normalisation of the result.
func linear() *ir.Model {
	return model([]*ir.Node{
		node("MatMul", in("x", "fc.weight"), "h"),
		node("Add", in("h", "fc.bias"), "s"),
		node("BatchNormalization", in("s", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"), "y"),
	}, inputs(info("x", ir.Float, "N", 2)), out("y"),
		floatInit("fc.weight", []int64{2, 3}, 1, 2, 3, 4, 5, 6), floatInit("fc.bias", []int64{3}, 1, 1, 1),
		floatInit("bn.weight", []int64{3}, 1, 1, 2), floatInit("bn.bias", []int64{3}, 0, 1, 0),
		floatInit("bn.running_mean", []int64{3}, 1, 1, 1), floatInit("bn.running_var", []int64{3}, 1, 1, 1))
}

func TestInitialisersAreParametersUnderTheirNames(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 2))
	outs, err := read(t, linear()).Apply(nn.Root(g).In("net"), x)
	require.NoError(t, err)
	var names []string
	for _, p := range g.Params() {
		names = append(names, p.Name())
	}
	require.Equal(t, []string{"net.fc.weight", "net.fc.bias", "net.bn.weight", "net.bn.bias"}, names)
	require.Equal(t, graph.State, g.Leaf("net.bn.running_mean").Kind())
	require.Equal(t, shape.F32(shape.N, 3), outs[0].Type())

	grads := autodiff.Grad(ops.Sum(outs[0]), g.Params()...)
	require.Len(t, grads, 4)
	require.NoError(t, g.Err())
	store := vm.NewStore(0)
	require.NoError(t, store.Init(g.Leaves()...))
	w, err := store.Value("net.fc.weight")
	require.NoError(t, err)
	require.Equal(t, []float32{1, 2, 3, 4, 5, 6}, w.Data())
}

func TestAModelAppliedTwiceSharesItsParameters(t *testing.T) {
	g := graph.New()
	m, s := read(t, linear()), nn.Root(g)
	_, err := m.Apply(s, g.Input("a", shape.F32(shape.N, 2)))
	require.NoError(t, err)
	_, err = m.Apply(s.Shared(), g.Input("b", shape.F32(shape.N, 2)))
	require.NoError(t, err)
	require.Len(t, g.Params(), 4)
}

func TestASessionUsesTheValuesOfItsStore(t *testing.T) {
	x := map[string]*onnx.Tensor{"x": floats([]int{1, 2}, 1, 1)}
	store := vm.NewStore(0)
	s, err := read(t, linear()).NewSession(cpu.New(), store)
	require.NoError(t, err)
	outs, err := s.Run(t.Context(), x)
	require.NoError(t, err)
	require.InDeltaSlice(t, []float32{5, 8, 18}, outs["y"].Data, 1e-3)
	require.Equal(t, []string{"bn.bias", "bn.running_mean", "bn.running_var", "bn.weight", "fc.bias", "fc.weight"}, store.Names())
	v, err := store.Value("fc.bias")
	require.NoError(t, err)
	copy(v.Data().([]float32), []float32{2, 2, 2})
	require.NoError(t, store.Set("fc.bias", v))
	outs, err = s.Run(t.Context(), x)
	require.NoError(t, err)
	require.InDeltaSlice(t, []float32{6, 9, 20}, outs["y"].Data, 1e-3)
}

// The extents of exporters: a batch times what is left, computed from the shape.
func flattening() *ir.Model {
	return model([]*ir.Node{
		node("Shape", in("x"), "shape"),
		node("Gather", in("shape", "zero"), "n"),
		node("Unsqueeze", in("n", "zeros"), "ns"),
		node("Concat", in("ns", "rest"), "dims", intAttr("axis", 0)),
		node("Reshape", in("x", "dims"), "y"),
	}, inputs(info("x", ir.Float, "batch", 2, "height", "width")), out("y"),
		&ir.Tensor{Name: "zero", Type: ir.Int64, Int64s: []int64{0}}, intInit("zeros", 0), intInit("rest", -1))
}

func TestExtentsOfTheBatchStaySymbolic(t *testing.T) {
	g := graph.New()
	outs, err := read(t, flattening()).Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, 2, 3, 3)))
	require.NoError(t, err)
	require.Equal(t, shape.F32(shape.N, 18), outs[0].Type())
}

func TestASessionTakesImagesOfAnySize(t *testing.T) {
	s := session(t, flattening())
	for _, dims := range [][]int{{1, 2, 3, 4}, {5, 2, 3, 4}, {2, 2, 1, 1}, {1, 2, 3, 4}} {
		x := &onnx.Tensor{Type: ir.Float, Dims: dims, Data: make([]float32, dims[0]*dims[1]*dims[2]*dims[3])}
		outs, err := s.Run(t.Context(), map[string]*onnx.Tensor{"x": x})
		require.NoError(t, err)
		require.Equal(t, []int{dims[0], 2 * dims[2] * dims[3]}, outs["y"].Dims)
	}
}

// Reshape by an input, of a sum that is computed before the extents are known, and by the result of
// arithmetic on it.
func reshapes() *ir.Model {
	return model([]*ir.Node{
		node("Add", in("x", "x"), "twice"),
		node("Add", in("dims", "one"), "more"),
		node("Sub", in("more", "one"), "same"),
		node("Reshape", in("twice", "same"), "y"),
	}, inputs(info("x", ir.Float, 2, 3), info("dims", ir.Int64, "rank")), out("y"), intInit("one", 1))
}

func TestASessionComputesTheValuesThatItNeeds(t *testing.T) {
	s := session(t, reshapes())
	for _, dims := range [][]int64{{6}, {3, 2}, {1, 6, 1}, {6}, {-1, 3}} {
		outs, err := s.Run(t.Context(), map[string]*onnx.Tensor{"x": floats([]int{2, 3}, 1, 2, 3, 4, 5, 6), "dims": ints(dims...)})
		require.NoError(t, err)
		require.Len(t, outs["y"].Dims, len(dims))
		require.Equal(t, []float32{2, 4, 6, 8, 10, 12}, outs["y"].Data)
	}
	_, err := s.Run(t.Context(), map[string]*onnx.Tensor{"x": floats([]int{2, 3}, 1, 2, 3, 4, 5, 6), "dims": ints(5)})
	require.ErrorContains(t, err, "node Reshape_y")
}

func TestWithoutDataAnErrorNamesTheInputThatIsNeeded(t *testing.T) {
	g := graph.New()
	_, err := read(t, reshapes()).Apply(nn.Root(g), g.Input("a", shape.F32(2, 3)), g.Input("b", shape.I64(1)))
	require.ErrorContains(t, err, "model: node Reshape_y: Reshape: input 1 of Reshape must be known when the program is made; it depends on the input b")

	g = graph.New()
	m := read(t, reshapes(), onnx.Options{Bind: map[string]*onnx.Tensor{"dims": ints(3, 2)}})
	require.Len(t, m.Inputs(), 1)
	outs, err := m.Apply(nn.Root(g), g.Input("a", shape.F32(2, 3)))
	require.NoError(t, err)
	require.Equal(t, shape.F32(3, 2), outs[0].Type())
	_, err = onnx.Read(reshapes().Marshal(), onnx.Options{Bind: map[string]*onnx.Tensor{"dim": ints(3, 2)}})
	require.ErrorContains(t, err, `no input "dim"`)
}

func TestAllMistakesAreReportedWithTheirNodes(t *testing.T) {
	m := model([]*ir.Node{
		node("Foo", in("x"), "a"),
		node("Relu", in("later"), "b"),
		node("Relu", in("a"), "c"), // is not reported again
		node("Conv", in("x", "w"), "d"),
		node("Softmax", in("x"), "e", intAttr("axis", 7)),
		{Op: "Relu", Inputs: in("x"), Outputs: in("e")},
		node("Gemm", in("x"), "later"),
		node("LeakyRelu", in("x"), "f", intAttr("alpha", 1)),
		node("MatMul", in("x", "w"), "g"),
	}, inputs(info("x", ir.Float, 2, 2)), out("c", "nothing"), floatInit("w", []int64{3, 2}, 1, 2, 3, 4, 5, 6))
	_, err := session(t, m).Run(t.Context(), map[string]*onnx.Tensor{"x": floats([]int{2, 2}, 1, 2, 3, 4)})
	var list graph.ErrorList
	require.ErrorAs(t, err, &list)
	require.Len(t, list, 9, err)
	for i, want := range []string{
		"model: node Foo_a: Foo: the operator is not supported in opset 18 (inputs: float(2,2))",
		`model: node Relu_b: Relu: input 0, "later", is computed by no node before it`,
		"model: node Conv_d: Conv: input 0 has 2 axes; want 3 to 5: (N,C,...) (inputs: float(2,2), float(3,2))",
		"model: node Softmax_e: Softmax: axis 7 of a tensor with 2 axes (inputs: float(2,2))",
		`model: node #5 (e): Relu: output "e" has the name of another value`,
		"model: node Gemm_later: Gemm: 1 inputs; want 2 to 3",
		"model: node LeakyRelu_f: LeakyRelu: attribute alpha is an int; want a float",
		"model: node MatMul_g: MatMul: ",
		`model: output "nothing": no node computes it`,
	} {
		require.Contains(t, list[i].Error(), want)
	}
	missing := read(t, m).Missing()
	require.Len(t, missing, 1)
	require.Equal(t, "Foo (version 18): Foo_a", missing[0].String())
}

// calls makes a function that calls the next one twice, and so on.
func calls(depth int) *ir.Model {
	m := model([]*ir.Node{{Op: "f0", Domain: "d", Inputs: in("x"), Outputs: in("y")}}, inputs(info("x", ir.Float, 1)), out("y"))
	for i := range depth {
		next := fmt.Sprint("f", i+1)
		m.Functions = append(m.Functions, &ir.Function{Name: fmt.Sprint("f", i), Domain: "d", Inputs: in("a"), Outputs: in("c"), Nodes: []*ir.Node{
			{Op: next, Domain: "d", Inputs: in("a"), Outputs: in("b")}, {Op: next, Domain: "d", Inputs: in("b"), Outputs: in("c")},
		}})
	}
	m.Functions = append(m.Functions, &ir.Function{Name: fmt.Sprint("f", depth), Domain: "d", Inputs: in("a"), Outputs: in("c"),
		Nodes: []*ir.Node{{Op: "Add", Inputs: in("a", "a"), Outputs: in("c")}}})
	return m
}

func TestFunctionsAreExpanded(t *testing.T) {
	require.Equal(t, []float32{256 * 3}, run(t, calls(3), map[string]*onnx.Tensor{"x": floats([]int{1}, 3)}).Data)
}

func TestExpansionIsBounded(t *testing.T) {
	x := map[string]*onnx.Tensor{"x": floats([]int{1}, 3)}
	_, err := session(t, calls(40)).Run(t.Context(), x)
	require.ErrorContains(t, err, "more than 1048576 nodes")
	m := calls(0)
	m.Functions[0].Nodes[0] = &ir.Node{Op: "f0", Domain: "d", Inputs: in("a"), Outputs: in("c")}
	_, err = session(t, m).Run(t.Context(), x)
	require.ErrorContains(t, err, "more than 64 deep")
}

func TestAttributesOfFunctionsAreThoseOfTheCall(t *testing.T) {
	m := model([]*ir.Node{
		{Op: "f", Domain: "d", Inputs: in("x"), Outputs: in("a"), Attributes: []ir.Attribute{{Name: "slope", Type: ir.AttributeFloat, Float: 0.5}}},
		{Op: "f", Domain: "d", Inputs: in("a"), Outputs: in("y")},
	}, inputs(info("x", ir.Float, 1)), out("y"))
	m.Functions = []*ir.Function{{Name: "f", Domain: "d", Inputs: in("a"), Outputs: in("c"), Attributes: []string{"slope"},
		Opsets: []ir.Opset{{Version: 16}},
		Nodes:  []*ir.Node{{Op: "LeakyRelu", Inputs: in("a"), Outputs: in("c"), Attributes: []ir.Attribute{{Name: "alpha", Type: ir.AttributeFloat, Ref: "slope"}}}}}}
	// The second call leaves it out, which means LeakyRelu's own default.
	require.InDeltaSlice(t, []float32{-8 * 0.5 * 0.01}, run(t, m, map[string]*onnx.Tensor{"x": floats([]int{1}, -8)}).Data, 1e-9)
}

func TestTheBranchOfAKnownConditionIsTaken(t *testing.T) {
	branch := func(op string) *ir.Graph {
		return &ir.Graph{Nodes: []*ir.Node{node(op, in("x", "w"), "r")}, Outputs: out("r")}
	}
	m := model([]*ir.Node{node("If", in("c"), "y",
		ir.Attribute{Name: "then_branch", Type: ir.AttributeGraph, Graph: branch("Add")},
		ir.Attribute{Name: "else_branch", Type: ir.AttributeGraph, Graph: branch("Mul")})},
		inputs(info("x", ir.Float, "N", 1), info("c", ir.Bool)), out("y"), floatInit("w", []int64{1}, 5))
	s := session(t, m)
	for c, want := range map[bool]float32{true: 8, false: 15} {
		outs, err := s.Run(t.Context(), map[string]*onnx.Tensor{"x": floats([]int{1, 1}, 3), "c": {Type: ir.Bool, Data: []bool{c}}})
		require.NoError(t, err)
		require.Equal(t, []float32{want}, outs["y"].Data)
	}
}

// Arithmetic of integers that are computed in wider ones equals Go's, which wraps around too.
func TestNarrowIntegersWrapAround(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	checkArithmetic[int8](t, r, ir.Int8)
	checkArithmetic[int16](t, r, ir.Int16)
	checkArithmetic[uint8](t, r, ir.Uint8)
	checkArithmetic[uint16](t, r, ir.Uint16)
	checkArithmetic[uint32](t, r, ir.Uint32)
	checkArithmetic[int32](t, r, ir.Int32)
	checkArithmetic[int64](t, r, ir.Int64)
	checkArithmetic[uint64](t, r, ir.Uint64)
}

func checkArithmetic[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64](t *testing.T, r *rand.Rand, e ir.DataType) {
	const n = 1000
	a, b := make([]T, n), make([]T, n)
	for i := range n {
		a[i], b[i] = T(r.Uint64()), T(r.Uint64())
	}
	for op, f := range map[string]func(a, b T) T{
		"Add": func(a, b T) T { return a + b }, "Sub": func(a, b T) T { return a - b }, "Mul": func(a, b T) T { return a * b },
	} {
		want := make([]T, n)
		for i := range n {
			want[i] = f(a[i], b[i])
		}
		m := model([]*ir.Node{node(op, in("a", "b"), "y")}, inputs(info("a", e, n), info("b", e, n)), out("y"))
		given := map[string]*onnx.Tensor{"a": {Type: e, Dims: []int{n}, Data: a}, "b": {Type: e, Dims: []int{n}, Data: b}}
		require.Equal(t, want, run(t, m, given).Data, "%v %v", op, e)
		bound := read(t, m, onnx.Options{Bind: given}) // folded
		s, err := bound.NewSession(cpu.New(), nil)
		require.NoError(t, err)
		outs, err := s.Run(t.Context(), nil)
		require.NoError(t, err)
		require.Equal(t, want, outs["y"].Data, "%v %v, folded", op, e)
	}
}

func TestHalfPrecisionIsRoundedAfterEachOperator(t *testing.T) {
	m := model([]*ir.Node{node("Mul", in("x", "x"), "s"), node("Sub", in("s", "x"), "y")}, inputs(info("x", ir.Float16, 1)), out("y"))
	x := shape.HalfOf(1.1)
	square := shape.HalfOf(float64(x.Float32()) * float64(x.Float32()))
	want := shape.HalfOf(float64(square.Float32()) - float64(x.Float32()))
	require.Equal(t, []shape.Half{want}, run(t, m, map[string]*onnx.Tensor{"x": {Type: ir.Float16, Dims: []int{1}, Data: []shape.Half{x}}}).Data)
}

func TestLargeIntegersAreExact(t *testing.T) {
	big := []int64{1<<62 + 1, -(1<<60 + 3), 1<<53 + 1, -1 << 63}
	m := model([]*ir.Node{node("Add", in("x", "w"), "y")}, inputs(info("x", ir.Int64, 4)), out("y"), intInit("w", big...))
	require.Equal(t, big, run(t, m, map[string]*onnx.Tensor{"x": ints(0, 0, 0, 0)}).Data)
}

func TestInputsAreChecked(t *testing.T) {
	m := model([]*ir.Node{node("Add", in("x", "z"), "y")}, inputs(info("x", ir.Float, "N", 2), info("z", ir.Float, "N", 2)), out("y"))
	s := session(t, m)
	ok := floats([]int{1, 2}, 1, 2)
	for _, tt := range []struct {
		in   map[string]*onnx.Tensor
		want string
	}{
		{nil, "input x float(N,2) is missing"},
		{map[string]*onnx.Tensor{"x": ok, "z": ok, "w": ok}, "no such input"},
		{map[string]*onnx.Tensor{"x": ok, "z": ints(1, 2)}, "want z float(N,2)"},
		{map[string]*onnx.Tensor{"x": ok, "z": floats([]int{2}, 1, 2)}, "is given float32(2)"},
		{map[string]*onnx.Tensor{"x": ok, "z": floats([]int{1, 3}, 1, 2, 3)}, "is given float32(1,3)"},
		{map[string]*onnx.Tensor{"x": ok, "z": floats([]int{2, 2}, 1, 2, 3, 4)}, "extent N is"},
		{map[string]*onnx.Tensor{"x": ok, "z": floats([]int{1, 2}, 1)}, "1 elements; float(1,2) has 2"},
		{map[string]*onnx.Tensor{"x": ok, "z": floats([]int{-1, -2}, 1, 2)}, "not valid"},
		{map[string]*onnx.Tensor{"x": ok, "z": {Type: ir.Float, Dims: []int{1, 2}, Data: []int{1, 2}}}, "are a []int"},
		{map[string]*onnx.Tensor{"x": ok, "z": {Type: 99, Dims: []int{1, 2}}}, "not supported"},
	} {
		_, err := s.Run(t.Context(), tt.in)
		require.ErrorContains(t, err, tt.want)
	}
	outs, err := s.Run(t.Context(), map[string]*onnx.Tensor{"x": ok, "z": ok})
	require.NoError(t, err)
	require.Equal(t, []float32{2, 4}, outs["y"].Data)
}

func TestInitialisedInputsMayBeGiven(t *testing.T) {
	m := model([]*ir.Node{node("Add", in("x", "w"), "y")}, inputs(info("x", ir.Float, 1), info("w", ir.Float, 1)), out("y"), floatInit("w", []int64{1}, 5))
	s := session(t, m)
	outs, err := s.Run(t.Context(), map[string]*onnx.Tensor{"x": floats([]int{1}, 1)})
	require.NoError(t, err)
	require.Equal(t, []float32{6}, outs["y"].Data)
	outs, err = s.Run(t.Context(), map[string]*onnx.Tensor{"x": floats([]int{1}, 1), "w": floats([]int{1}, 7)})
	require.NoError(t, err)
	require.Equal(t, []float32{8}, outs["y"].Data)
}

func TestOperatorsAreListedInOrder(t *testing.T) {
	list := onnx.Operators()
	require.True(t, slices.IsSorted(list))
	require.Contains(t, list, "Conv")
	require.Contains(t, list, "If")
}

// A file of a few bytes asks for values of gigabytes, again and again.
func TestFoldingIsBounded(t *testing.T) {
	nodes := []*ir.Node{node("ConstantOfShape", in("small"), "v0", ir.Attribute{Name: "value", Type: ir.AttributeTensor,
		Tensor: &ir.Tensor{Type: ir.Int64, Dims: []int64{1}, Int64s: []int64{1}}})}
	for i := range 40 {
		nodes = append(nodes, node("Tile", in(fmt.Sprint("v", i), "twice"), fmt.Sprint("v", i+1)))
	}
	m := model(append(nodes, node("Shape", in("v25"), "y")), nil, out("y"), intInit("small", 8), intInit("twice", 2))
	_, err := session(t, m).Run(t.Context(), nil)
	require.ErrorContains(t, err, "node Tile_v28: Reshape: axis 0: extent 2147483648")
	m.Graph.Nodes = append(slices.Clone(nodes[:26]), node("Shape", in("v25"), "y"))
	outs, err := session(t, m).Run(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, []int64{8 << 25}, outs["y"].Data)
}
