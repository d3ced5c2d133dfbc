package onnx

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/interop/onnx/ir/irtest"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
)

var (
	nodeOf, names, untyped = irtest.Node, irtest.Names, irtest.Untyped
	graphAttr              = irtest.Graph
)

// infos are values of the same type.
func infos(e ir.DataType, dims []ir.Dim, list ...string) (all []ir.ValueInfo) {
	for _, n := range list {
		all = append(all, ir.ValueInfo{Name: n, Type: &ir.Type{Kind: ir.TensorKind, Elem: e, Shape: &ir.Shape{Dims: dims}}})
	}
	return all
}

func sessionOf(t *testing.T, g *ir.Graph) *Session {
	t.Helper()
	m, err := Read(irtest.Model(g, "ai.onnx.preview", "com.microsoft").Marshal(), Options{})
	require.NoError(t, err)
	s, err := m.NewSession(cpu.New(), nil)
	require.NoError(t, err)
	return s
}

func vector(v ...float32) *Tensor { return &Tensor{Type: ir.Float, Dims: []int{len(v)}, Data: v} }

func scalarOf(v float32) *Tensor { return &Tensor{Type: ir.Float, Data: []float32{v}} }

var open = []ir.Dim{{Param: "n"}}

// positive gives the squares of the positive elements of a product.
func positives() *ir.Graph {
	return &ir.Graph{
		Nodes: []*ir.Node{
			nodeOf("Mul", names("x", "x"), names("p")),
			nodeOf("Mul", names("p", "x"), names("c")),
			nodeOf("Constant", nil, names("zero"), ir.Attribute{Name: "value_float", Type: ir.AttributeFloat}),
			nodeOf("Greater", names("c", "zero"), names("more")),
			nodeOf("Compress", names("p", "more"), names("y")),
			nodeOf("Exp", names("p"), names("e")),
			nodeOf("ReduceSum", names("e"), names("s")),
			nodeOf("Add", names("y", "s"), names("z")),
		},
		Inputs: infos(ir.Float, []ir.Dim{{Value: 4, HasValue: true}}, "x"), Outputs: untyped("z"),
	}
}

func TestAProgramAfterTheHostIsKeptForExtents(t *testing.T) {
	s := sessionOf(t, positives())
	for _, c := range []struct {
		x, want []float32
		stages  int
	}{
		{[]float32{1, -1, .5, -2}, []float32{1, .25}, 2},
		{[]float32{-1, 3, -.5, 2}, []float32{9, 4}, 2}, // other elements, and places
		{[]float32{-1, 3, -.5, -2}, []float32{9}, 3},
		{[]float32{-1, -3, -.5, -2}, nil, 4},
		{[]float32{2, -1, .5, -2}, []float32{4, .25}, 4},
	} {
		sum := 0.0
		for _, v := range c.x {
			sum += math.Exp(float64(v * v))
		}
		outs, err := s.Run(t.Context(), map[string]*Tensor{"x": vector(c.x...)})
		require.NoError(t, err)
		require.Equal(t, len(c.want), outs["z"].Len())
		for i, w := range c.want {
			require.InEpsilon(t, float64(w)+sum, outs["z"].Numbers()[i], 1e-5)
		}
		require.Len(t, s.stages, c.stages, c.x)
	}
}

// The program after the host has what was computed before as inputs, and computes only the rest.
func TestWhatComesAfterTheHostIsNotComputedAgain(t *testing.T) {
	s := sessionOf(t, positives())
	_, err := s.Run(t.Context(), map[string]*Tensor{"x": vector(1, 2, 3, 4)})
	require.NoError(t, err)
	require.Len(t, s.stages, 2)
	require.Equal(t, []string{"x"}, s.stages[0].inputs)
	require.NotContains(t, s.stages[1].inputs, "x")
	require.Len(t, s.stages[1].inputs, 2) // the sum, and what is compressed
}

// Operators that need elements of the same program are served together.
func TestIndependentStepsShareAProgram(t *testing.T) {
	g := &ir.Graph{Inputs: infos(ir.Float, open, "x"), Outputs: untyped("y")}
	var parts []string
	for k := range 90 {
		n := fmt.Sprint(k)
		g.Nodes = append(g.Nodes,
			nodeOf("Constant", nil, names("k"+n), ir.Attribute{Name: "value_float", Type: ir.AttributeFloat, Float: float32(k)}),
			nodeOf("Greater", names("x", "k"+n), names("m"+n)),
			nodeOf("Compress", names("x", "m"+n), names("c"+n)))
		parts = append(parts, "c"+n)
	}
	g.Nodes = append(g.Nodes, nodeOf("Concat", parts, names("y"), ir.Attribute{Name: "axis", Type: ir.AttributeInt}))
	s := sessionOf(t, g)
	outs, err := s.Run(t.Context(), map[string]*Tensor{"x": vector(3, 50, 200)})
	require.NoError(t, err)
	require.Equal(t, 3+50+90, outs["y"].Len())
	require.LessOrEqual(t, len(s.stages), 3) // one for a batch of any size, tried first
}

func TestStagesAreForgottenWhenThereAreMany(t *testing.T) {
	s := sessionOf(t, &ir.Graph{Nodes: []*ir.Node{nodeOf("NonZero", names("x"), names("y")), nodeOf("Neg", names("y"), names("z"))},
		Inputs: infos(ir.Float, []ir.Dim{{Value: 300, HasValue: true}}, "x"), Outputs: untyped("z")})
	for n := range 2 * maxStages {
		v := make([]float32, 300)
		for i := range n {
			v[i] = 1
		}
		outs, err := s.Run(t.Context(), map[string]*Tensor{"x": vector(v...)})
		require.NoError(t, err)
		require.Equal(t, n, outs["z"].Len())
		require.LessOrEqual(t, len(s.stages), maxStages)
	}
	require.NotNil(t, s.stages[0].program) // the first program is made once
	require.Equal(t, []string{"x"}, s.stages[0].inputs)
}

// loopOf is a loop without end whose state, of which there may be a sequence, is changed by nodes.
func loopOf(carried ir.ValueInfo, outputs []ir.ValueInfo, nodes ...*ir.Node) *ir.Graph {
	return &ir.Graph{Nodes: nodes, Inputs: append(untyped("i", "c"), carried), Outputs: outputs}
}

func TestALoopWithoutEndEndsWithTheContext(t *testing.T) {
	body := loopOf(ir.ValueInfo{Name: "s"}, untyped("c", "t"), nodeOf("Add", names("s", "x"), names("t")))
	s := sessionOf(t, &ir.Graph{Nodes: []*ir.Node{nodeOf("Loop", names("", "", "x"), names("y"), graphAttr("body", body))},
		Inputs: infos(ir.Float, nil, "x"), Outputs: untyped("y")})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := s.Run(ctx, map[string]*Tensor{"x": scalarOf(1)})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(start), 20*time.Second)
	// It did not spoil the session: the next run is tried again.
	ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = s.Run(ctx, map[string]*Tensor{"x": scalarOf(1)})
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestALoopHasBoundedMemory(t *testing.T) {
	// The state doubles.
	body := loopOf(ir.ValueInfo{Name: "s"}, untyped("c", "t"),
		nodeOf("Concat", names("s", "s"), names("t"), ir.Attribute{Name: "axis", Type: ir.AttributeInt}))
	s := sessionOf(t, &ir.Graph{Nodes: []*ir.Node{nodeOf("Loop", names("m", "", "x"), names("y"), graphAttr("body", body))},
		Inputs: append(infos(ir.Float, open, "x"), infos(ir.Int64, nil, "m")...), Outputs: untyped("y")})
	outs, err := s.Run(t.Context(), map[string]*Tensor{"x": vector(1, 2), "m": intsTensor([]int64{3})})
	require.NoError(t, err)
	require.Equal(t, 16, outs["y"].Len())
	if testing.Short() {
		return
	}
	_, err = s.Run(t.Context(), map[string]*Tensor{"x": vector(make([]float32, 1<<20)...), "m": intsTensor([]int64{40})})
	require.ErrorContains(t, err, "more than")
}

func TestALoopThatIsNotUnrolledNeedsASession(t *testing.T) {
	body := loopOf(ir.ValueInfo{Name: "s"}, untyped("c", "t"), nodeOf("Add", names("s", "x"), names("t")))
	m, err := New(&ir.Model{Opsets: []ir.Opset{{Version: 18}}, Graph: &ir.Graph{
		Nodes:  []*ir.Node{nodeOf("Loop", names("m", "", "x"), names("y"), graphAttr("body", body))},
		Inputs: append(infos(ir.Float, nil, "x"), infos(ir.Int64, nil, "m")...), Outputs: untyped("y")}}, Options{})
	require.NoError(t, err)
	g := graph.New()
	_, err = m.Apply(nn.Root(g), g.Input("x", shape.F32()), g.Input("m", shape.I64()))
	require.ErrorContains(t, err, "Session")

	// A known number of iterations becomes nodes.
	m, err = New(m.ir, Options{Bind: map[string]*Tensor{"m": intsTensor([]int64{5})}})
	require.NoError(t, err)
	g = graph.New()
	outs, err := m.Apply(nn.Root(g), g.Input("x", shape.F32()))
	require.NoError(t, err)
	require.Len(t, outs, 1)
	require.Equal(t, shape.F32(), outs[0].Type())
	m, err = New(m.ir, Options{Bind: map[string]*Tensor{"m": intsTensor([]int64{1 << 40})}})
	require.NoError(t, err)
	g = graph.New()
	_, err = m.Apply(nn.Root(g), g.Input("x", shape.F32()))
	require.ErrorContains(t, err, "iterations")
}

// Weights of branches have names of their own, in whatever order the branches are met.
func TestWeightsOfBranchesAreNotMistaken(t *testing.T) {
	side := func(v float32) *ir.Graph {
		return &ir.Graph{Nodes: []*ir.Node{nodeOf("Mul", names("x", "w"), names("o"))}, Outputs: untyped("o"),
			Initializers: []*ir.Tensor{{Name: "w", Type: ir.Float, Dims: []int64{1}, Floats: []float32{v}}}}
	}
	s := sessionOf(t, &ir.Graph{Nodes: []*ir.Node{nodeOf("If", names("c"), names("y"), graphAttr("then_branch", side(2)), graphAttr("else_branch", side(3)))},
		Inputs: append(infos(ir.Float, open, "x"), infos(ir.Bool, nil, "c")...), Outputs: untyped("y")})
	for _, c := range []struct {
		cond bool
		want float64
	}{{false, 15}, {true, 10}, {false, 15}} {
		outs, err := s.Run(t.Context(), map[string]*Tensor{"x": vector(5), "c": boolTensor(c.cond)})
		require.NoError(t, err)
		require.Equal(t, []float64{c.want}, outs["y"].Numbers())
	}
}

// Suppression with limits beyond any number of boxes takes no more than there are, and ends with the context.
func TestSuppressionOfManyBoxes(t *testing.T) {
	const n = 200_000
	boxes, scores := make([]float32, 4*n), make([]float32, n)
	for i := range n { // of which none overlaps, in one place of the first axis
		copy(boxes[4*i:], []float32{float32(2 * i), 0, float32(2*i + 1), 1})
		scores[i] = float32(i%97) / 97
	}
	s := sessionOf(t, &ir.Graph{Nodes: []*ir.Node{nodeOf("NonMaxSuppression", names("b", "s", "m"), names("y"))}, Outputs: untyped("y"),
		Inputs: append(infos(ir.Float, make([]ir.Dim, 3), "b", "s"), infos(ir.Int64, nil, "m")...)})
	in := map[string]*Tensor{"b": {Type: ir.Float, Dims: []int{1, n, 4}, Data: boxes}, "s": {Type: ir.Float, Dims: []int{1, 1, n}, Data: scores},
		"m": intsTensor([]int64{math.MaxInt64})}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	start := time.Now()
	if _, err := s.Run(ctx, in); err != nil {
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
	require.Less(t, time.Since(start), 20*time.Second)
	in["m"] = intsTensor([]int64{7})
	outs, err := s.Run(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, []int{7, 3}, outs["y"].Dims)
	for _, v := range []float32{float32(math.NaN()), float32(math.Inf(1)), -3e38} {
		boxes[5] = v
		_, err := s.Run(t.Context(), in)
		require.NoError(t, err)
	}
}

func TestValuesThatAreNoTensors(t *testing.T) {
	seq := &ir.Type{Kind: ir.SequenceKind, Of: &ir.Type{Kind: ir.TensorKind, Elem: ir.Float}}
	g := &ir.Graph{Nodes: []*ir.Node{nodeOf("SequenceInsert", names("q", "x"), names("y"))}, Outputs: untyped("y"),
		Inputs: append([]ir.ValueInfo{{Name: "q", Type: seq}}, infos(ir.Float, open, "x")...)}
	s := sessionOf(t, g)
	q := &Tensor{Kind: ir.SequenceKind, Type: ir.Float, Items: []*Tensor{vector(1, 2), scalarOf(3)}}
	outs, err := s.Run(t.Context(), map[string]*Tensor{"q": q, "x": vector(4)})
	require.NoError(t, err)
	require.Equal(t, "a sequence of 3 of type float", outs["y"].String())
	require.Equal(t, []float64{4}, outs["y"].Items[2].Numbers())
	require.NotSame(t, q.Items[0], outs["y"].Items[0]) // results belong to the caller
	require.Nil(t, outs["y"].Numbers())
	for what, bad := range map[string]*Tensor{
		"want":    vector(1),
		"item 0":  {Kind: ir.SequenceKind, Type: ir.Float, Items: []*Tensor{nil}},
		"item 1":  {Kind: ir.SequenceKind, Type: ir.Float, Items: []*Tensor{vector(1), intsTensor(nil, 0)}},
		"int64":   {Kind: ir.SequenceKind, Type: ir.Int64},
		"kind":    {Kind: ir.MapKind, Type: ir.Float},
		"missing": nil,
	} {
		_, err := s.Run(t.Context(), map[string]*Tensor{"q": bad, "x": vector(4)})
		require.ErrorContains(t, err, what)
	}
	for _, op := range []string{"Neg", "Shape", "NonZero", "Unique", "SequenceAt", "SplitToSequence", "ConcatFromSequence", "SequenceMap", "Loop", "Scan", "Compress"} {
		in := names("q")
		if op == "SequenceAt" || op == "Compress" || op == "Loop" {
			in = names("q", "q")
		}
		bad := *g
		bad.Nodes = []*ir.Node{nodeOf(op, in, names("y"))}
		_, err := sessionOf(t, &bad).Run(t.Context(), map[string]*Tensor{"q": q, "x": vector(4)})
		require.Error(t, err, op)
		require.NotContains(t, err.Error(), "runtime error", op)
	}
}
