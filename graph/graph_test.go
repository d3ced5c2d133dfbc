package graph_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// same is an op that wants inputs of one type.
type same struct{ K graph.Bits }

func (same) Name() string { return "Same" }
func (same) Infer(in []shape.Type) (t shape.Type, err error) {
	for _, x := range in[1:] {
		if x != in[0] {
			return t, fmt.Errorf("want equal types, have %v and %v", in[0], x)
		}
	}
	return in[0], nil
}

func apply(in ...*graph.Node) *graph.Node { return graph.Apply(same{}, in...) }

type sliced struct{ S []int }

func (sliced) Name() string                              { return "Sliced" }
func (sliced) Infer(in []shape.Type) (shape.Type, error) { return in[0], nil }

func TestOneMistakeOneError(t *testing.T) {
	g := graph.New()
	x, y := g.Input("x", shape.F32(shape.N, 3)), g.Input("y", shape.F32(shape.N, 4))
	var bad *graph.Node
	g.Within("features", func() {
		g.Within("0", func() { bad = apply(x, y) })
	})
	require.False(t, bad.Valid())
	require.False(t, apply(apply(bad, x)).Valid())

	var list graph.ErrorList
	require.ErrorAs(t, g.Err(), &list)
	require.Len(t, list, 1)
	e := list[0]
	require.Equal(t, "features.0", e.Layer)
	require.Equal(t, "graph_test.go", strings.Split(e.Pos.String(), ":")[0])
	require.Regexp(t, `^graph_test.go:\d+: layer features.0: Same: want equal types, have float32\(N,3\) and float32\(N,4\)
	input 0: x float32\(N,3\), built at graph_test.go:\d+
	input 1: y float32\(N,4\), built at graph_test.go:\d+$`, e.Error())
}

func TestMistakesOfUsersAreErrors(t *testing.T) {
	other := graph.New().Input("o", shape.F32(3))
	for _, c := range []struct {
		name, want string
		make       func(g *graph.Graph, x *graph.Node)
	}{
		{"nil input", "input 1 is nil", func(g *graph.Graph, x *graph.Node) { apply(x, nil) }},
		{"two graphs", "belongs to another graph", func(g *graph.Graph, x *graph.Node) { apply(x, other) }},
		{"nil op", "the op is nil", func(g *graph.Graph, x *graph.Node) { graph.Apply(nil, x) }},
		{"op with a slice", "not comparable", func(g *graph.Graph, x *graph.Node) { graph.Apply(sliced{}, x) }},
		{"duplicate name", `the name "x" is taken by the Input built at graph_test.go:`, func(g *graph.Graph, x *graph.Node) { g.Param("x", shape.F32(1), nil) }},
		{"no name", "has no name", func(g *graph.Graph, x *graph.Node) { g.Param("", shape.F32(1), nil) }},
		{"N in a Param", "only an Input may depend on the batch size", func(g *graph.Graph, x *graph.Node) { g.Param("p", shape.F32(shape.N), nil) }},
		{"no element type", "no element type", func(g *graph.Graph, x *graph.Node) { g.Input("i", shape.Type{}) }},
		{"N+3", "axis 0: extent invalid", func(g *graph.Graph, x *graph.Node) { g.Input("i", shape.F32(shape.N+3)) }},
		{"more elements than there can be", `"i": size of (2147483647,2147483647,4): `, func(g *graph.Graph, x *graph.Node) {
			g.Input("i", shape.F32(math.MaxInt32, math.MaxInt32, 4))
		}},
		{"const of more elements than there can be", "too large", func(g *graph.Graph, x *graph.Node) {
			g.Const(shape.F32(1<<16, 1<<16, 1<<16, 1<<16), nil)
		}},
		{"const that is no integer", "element 1 is 1.5, which is not a valid int32", func(g *graph.Graph, x *graph.Node) {
			g.Const(shape.I32(2), []float64{1, 1.5})
		}},
		{"const beyond its type", "element 0 is 256, which is not a valid uint8", func(g *graph.Graph, x *graph.Node) {
			g.Const(shape.U8(1), []float64{256})
		}},
		{"const beyond int64", "element 0 is 9.223372036854776e+18, which is not a valid int64", func(g *graph.Graph, x *graph.Node) {
			g.Const(shape.I64(), []float64{1 << 63})
		}},
		{"result without a type", "infers no type", func(g *graph.Graph, x *graph.Node) { graph.Apply(typeless{}, x) }},
		{"result of more elements than there can be", "too large", func(g *graph.Graph, x *graph.Node) {
			graph.Apply(vast{}, x)
		}},
		{"const of another size", "has 2 elements, 3 values", func(g *graph.Graph, x *graph.Node) { g.Const(shape.F32(2), []float64{1, 2, 3}) }},
		{"update of an Input", "only a Param or State", func(g *graph.Graph, x *graph.Node) { g.Update(x, x) }},
		{"update of another type", "its new value is", func(g *graph.Graph, x *graph.Node) { g.Update(g.State("s", shape.F32(3), nil), x) }},
		{"second update", "has an update already, made at graph_test.go:", func(g *graph.Graph, x *graph.Node) {
			s := g.State("s", x.Type(), nil)
			g.Update(s, x)
			g.Update(s, apply(x))
		}},
		{"update by nil", "must be nodes of this graph", func(g *graph.Graph, x *graph.Node) { g.Update(x, nil) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := graph.New()
			c.make(g, g.Input("x", shape.F32(4)))
			var list graph.ErrorList
			require.ErrorAs(t, g.Err(), &list)
			require.Len(t, list, 1)
			require.ErrorContains(t, list, c.want)
			require.ErrorContains(t, list, "graph_test.go:")
		})
	}
}

// typeless forgets to say what its result is.
type typeless struct{}

func (typeless) Name() string                               { return "Typeless" }
func (typeless) Infer([]shape.Type) (t shape.Type, _ error) { return t, nil }

// vast gives more than there can be.
type vast struct{}

func (vast) Name() string                           { return "Vast" }
func (vast) Infer([]shape.Type) (shape.Type, error) { return shape.F32(1<<20, 1<<20, 1<<20), nil }

func TestConstsOfIntegersAtTheEdgeOfTheirType(t *testing.T) {
	g := graph.New()
	g.Const(shape.I64(2), []float64{-1 << 63, 1<<63 - 1024})
	g.Const(shape.I32(2), []float64{math.MinInt32, math.MaxInt32})
	g.Const(shape.U8(2), []float64{0, 255})
	g.Const(shape.Mask(2), []float64{0, .5})
	require.NoError(t, g.Err())
}

// What is refused has inputs that are no nodes of the graph, or no nodes at all.
func TestWhatIsRefusedCanBePrintedAndReached(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(2))
	other := graph.New()
	for range 5 {
		other.Input(fmt.Sprint(len(other.Nodes())), shape.F32(2))
	}
	bad := []*graph.Node{apply(x, nil), apply(x, other.Leaf("4")), graph.Apply(nil, x), g.Reject("R", errors.New("no"), x, nil)}
	bad = append(bad, apply(bad...))
	var b bytes.Buffer
	require.NoError(t, graph.Fprint(&b, bad...))
	require.Contains(t, b.String(), "Same")
	require.Contains(t, g.Err().Error(), "input 1: 4 float32(2), built at")
}

func TestRootsThatAreNoneOrOfAnotherGraph(t *testing.T) {
	x, y := graph.New().Input("x", shape.F32(2)), graph.New()
	for range 3 {
		y.Input(fmt.Sprint(len(y.Nodes())), shape.F32(2))
	}
	roots := []*graph.Node{x, y.Leaf("2")}
	require.Equal(t, roots, graph.Inference(roots...))
	require.Equal(t, []*graph.Node{nil}, graph.Inference(nil))
	require.Equal(t, []*graph.Node{nil, x}, graph.WithDType(shape.Float64, nil, x))
	require.Equal(t, []*graph.Node{nil, x}, graph.WithDType(shape.Bool, nil, x))
	require.Equal(t, []*graph.Node{x}, graph.Reachable(nil, x, y.Leaf("2")))
	require.NoError(t, graph.Fprint(&bytes.Buffer{}, nil))
}

// A mistake made without any node to say whose graph it is shows where it is used.
func TestAMistakeOfAnotherGraphIsTold(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(2))
	apply(x, apply(nil))
	require.ErrorContains(t, g.Err(), "input 0 is nil")
	require.NotContains(t, g.Err().Error(), "build both in one")
}

// A position is found below any number of layers within layers.
func TestPositionUnderManyBuilders(t *testing.T) {
	g := graph.New()
	var model nn.Layer = nn.Func(ops.ReLU)
	for range 100 {
		model = nn.Sequential{model}
	}
	y := model.Apply(nn.Root(g), g.Input("x", shape.F32(2)))
	require.Equal(t, "graph_test.go", strings.Split(y.Pos().String(), ":")[0])
}

// nowhere forgets its inference form.
type nowhere struct{ same }

func (nowhere) Inference([]*graph.Node) *graph.Node { return nil }

func TestAnInferenceFormThatIsMissingIsAnError(t *testing.T) {
	x := graph.New().Input("x", shape.F32(2))
	y := graph.Inference(graph.Apply(nowhere{}, x))[0]
	require.False(t, y.Valid())
	require.ErrorContains(t, y.Graph().Err(), "not a node of the new graph")
	require.ErrorContains(t, y.Graph().Err(), "graph_test.go:")
}

func TestApplyWithoutAnyNodeStillReports(t *testing.T) {
	n := graph.Apply(same{}, nil, nil)
	require.False(t, n.Valid())
	require.ErrorContains(t, n.Graph().Err(), "input 0 is nil")
}

func TestOpsDifferInTheBitsOfTheirAttributes(t *testing.T) {
	require.False(t, same{graph.Float(0)} == same{graph.Float(math.Copysign(0, -1))})
	nan, again := same{graph.Float(math.NaN())}, same{graph.Float(math.NaN())}
	require.True(t, nan == again)
	require.Equal(t, 0.25, graph.Float(0.25).Value())
}

// An importer's user knows the file that is read, not the program that reads it.
func TestAMistakeOfAnImportedNodeNamesItsPlaceInTheFile(t *testing.T) {
	g := graph.New()
	at := func(name string) graph.Pos { return graph.Pos{File: "nets/model.onnx: node " + name} }
	var x, y, dy *graph.Node
	g.At(at("input"), func() {
		x = g.Input("x", shape.F32(2))
		g.At(at("/conv1/Conv"), func() { y = apply(x) })
		apply(x, g.Input("z", shape.F32(3)))
		g.At(graph.Pos{}, func() { dy = apply(x) })
	})
	require.Equal(t, "nets/model.onnx: node /conv1/Conv", y.Pos().String())
	require.Contains(t, dy.Pos().String(), "graph_test.go:")
	require.Contains(t, apply(x).Pos().String(), "graph_test.go:", "after At the caller's line counts again")
	g.Derived(y, func() { dy = apply(y) })
	require.Equal(t, y.Pos(), dy.Pos())
	require.EqualError(t, g.Err(), `nets/model.onnx: node input: Same: want equal types, have float32(2) and float32(3)
	input 0: x float32(2), built at nets/model.onnx: node input
	input 1: z float32(3), built at nets/model.onnx: node input`)
}

func TestDerivedNodesCarryTheirOrigin(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(1))
	var y, dy *graph.Node
	g.Within("fc", func() { y = apply(x) })
	g.Derived(y, func() { dy = apply(y) })
	require.Equal(t, y, dy.Origin())
	require.Equal(t, y.Pos(), dy.Pos())
	require.Equal(t, "fc", dy.Layer())
	require.Nil(t, apply(dy).Origin())
}

func TestParamsLeaveOutFrozenOnes(t *testing.T) {
	g := graph.New()
	w := g.Param("w", shape.F32(2), nil)
	f := g.FrozenParam("f", shape.F32(2), nil)
	s := g.State("s", shape.I64(), graph.Fill(3))
	require.Equal(t, []*graph.Node{w}, g.Params())
	require.Equal(t, []*graph.Node{w, f, s}, g.Leaves())
	require.Equal(t, f, g.Leaf("f"))
	v := make([]float64, 1)
	s.Init().Fill(v, s.Type(), rand.New(rand.NewPCG(0, 0)))
	require.Equal(t, []float64{3}, v)
}

func TestReachableIsInCreationOrderAndDoesNotRecurse(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(1))
	y := x
	for range 100_000 {
		y = apply(y)
	}
	apply(x) // not needed
	nodes := graph.Reachable(y)
	require.Len(t, nodes, 100_001)
	for i := 1; i < len(nodes); i++ {
		require.Less(t, nodes[i-1].ID(), nodes[i].ID())
	}
}

func TestTransformKeepsPositionsAndSources(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(2))
	var y *graph.Node
	g.Within("l", func() { y = apply(x, x) })
	replay := func(dst *graph.Graph, n *graph.Node, in []*graph.Node) *graph.Node { return dst.Replay(n, in...) }
	z := graph.Transform(graph.Transform([]*graph.Node{y}, replay), replay)[0]
	require.NotEqual(t, g, z.Graph())
	require.Equal(t, y.Pos(), z.Pos())
	require.Equal(t, "l", z.Layer())
	require.Equal(t, y, z.Source())
	require.Equal(t, x, z.In(0).Source())
	require.Equal(t, "x", z.In(0).Name())
}

// cast gives its DType.
type cast struct{ D shape.DType }

func (cast) Name() string                                { return "Cast" }
func (c cast) Infer(in []shape.Type) (shape.Type, error) { return in[0].As(c.D), nil }
func (c cast) WithDType(d shape.DType) graph.Op {
	if c.D.IsFloat() {
		return cast{d}
	}
	return c
}

func TestWithDType(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(2))
	i := g.Input("i", shape.I32(2))
	y := apply(x, graph.Apply(cast{shape.Float32}, i))
	z := graph.WithDType(shape.Float64, y)[0]
	require.NoError(t, z.Graph().Err())
	require.Equal(t, shape.F64(2), z.Type())
	require.Equal(t, shape.I32(2), z.Graph().Leaf("i").Type())
	require.Equal(t, shape.F32(2), y.Type())

	graph.WithDType(shape.Int32, y)
	require.ErrorContains(t, g.Err(), "want float32 or float64, have int32")
}

// twoFaced is its first input in training, its second in inference.
type twoFaced struct{}

func (twoFaced) Name() string                              { return "TwoFaced" }
func (twoFaced) Infer(in []shape.Type) (shape.Type, error) { return in[0], nil }
func (twoFaced) Inference(in []*graph.Node) *graph.Node    { return in[1] }

func TestInferenceDropsWhatOnlyTrainingNeeds(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(2))
	s := g.State("s", shape.F32(2), nil)
	y := apply(graph.Apply(twoFaced{}, apply(x), s))
	z := graph.Inference(y)[0]
	require.NoError(t, z.Graph().Err())
	require.Equal(t, "s", z.In(0).Name())
	require.Nil(t, z.Graph().Leaf("x"))
}

func ExampleFprint() {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 3))
	var b bytes.Buffer
	if err := graph.Fprint(&b, graph.Apply(same{graph.Float(.5)}, x, x)); err != nil {
		fmt.Println(err)
	}
	for line := range strings.Lines(b.String()) {
		fmt.Println(strings.Split(line, "\t")[0])
	}
	// Output:
	// %0 Input x float32(N,3)
	// %1 Same{K:0.5}(x, x) float32(N,3)
}

func ExampleGraph_Err() {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 3))
	y := graph.Apply(same{}, x, g.Param("w", shape.F32(4), nil)) // the one mistake
	graph.Apply(same{}, graph.Apply(same{}, y))                  // silent
	var list graph.ErrorList
	fmt.Println(errors.As(g.Err(), &list), len(list), list[0].Op, list[0].Err)
	// Output:
	// true 1 Same want equal types, have float32(N,3) and float32(4)
}
