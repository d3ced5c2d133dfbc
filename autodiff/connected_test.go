package autodiff_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// A gradient that is zero is not one that is missing, in clones of the graph too.
func TestConnectedTellsZeroFromNoConnection(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F64(shape.N))
	used, zero, unused := g.Param("used", shape.F64(), nil), g.Param("zero", shape.F64(), nil), g.Param("unused", shape.F64(), nil)
	losses := ops.Add(ops.Mul(x, used), ops.Mul(zero, ops.ZerosLike(x)))
	connected := func(grads []*graph.Node) (list []bool) {
		for _, d := range grads {
			list = append(list, autodiff.Connected(d))
		}
		return list
	}
	want := []bool{true, true, false}
	grads := autodiff.Grad(ops.Sum(losses), used, zero, unused)
	require.NoError(t, g.Err())
	require.Equal(t, want, connected(grads))
	require.Equal(t, want, connected(graph.WithDType(shape.Float32, grads...)))
	require.Equal(t, want, connected(autodiff.PerSample(losses, used, zero, unused)))
	require.True(t, autodiff.Connected(ops.ZerosLike(unused)), "zeros that the user made")
	before := len(g.Nodes())
	autodiff.Connected(grads[0])
	require.Len(t, g.Nodes(), before)
}
