package graph_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

func TestAnImportersNodesHaveThePositionsItGives(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(2, 3))
	item := graph.Pos{File: "/models/net.onnx", Item: "node MatMul_3"}
	var y, layer, bad *graph.Node
	g.At(item, func() {
		y = ops.Neg(x)
		layer = nn.Linear{Name: "fc", Out: 4}.Apply(nn.Root(g), x) // several nodes, of several packages
		g.At(graph.Pos{File: "/models/net.onnx", Item: "node MatMul_4"}, func() { bad = ops.MatMul(x, x) })
		g.At(graph.Pos{}, func() { require.Contains(t, ops.Neg(x).Pos().String(), "position_test.go:") })
	})
	for _, n := range g.Nodes()[y.ID() : layer.ID()+1] {
		require.Equal(t, item, n.Pos(), "%v", n)
	}
	require.False(t, bad.Valid())
	require.ErrorContains(t, g.Err(), "net.onnx: node MatMul_4: MatMul: ")
	require.Contains(t, ops.Neg(x).Pos().String(), "position_test.go:", "after At")

	var dy *graph.Node
	g.At(graph.Pos{File: "other"}, func() { g.Derived(y, func() { dy = ops.Neg(y) }) })
	require.Equal(t, item, dy.Pos(), "a gradient's node is where its origin is")
	clone := graph.WithDType(shape.Float64, ops.Neg(y))[0]
	require.Equal(t, item, clone.In(0).Pos())
}

func TestPositionsRead(t *testing.T) {
	for want, p := range map[string]graph.Pos{
		"?":                       {},
		"lenet.go:12":             {File: "/src/lenet.go", Line: 12},
		"model.onnx":              {File: "/src/model.onnx"},
		"model.onnx: node Conv_3": {File: "/src/model.onnx", Item: "node Conv_3"},
		"node Conv_3":             {Item: "node Conv_3"},
	} {
		require.Equal(t, want, p.String())
	}
}
