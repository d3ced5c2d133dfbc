package autodiff_test

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

func TestExplanations(t *testing.T) {
	for name, c := range map[string]struct {
		build     func(x, w *graph.Node) *graph.Node
		passes    bool
		connected bool
		want      string
	}{
		"open": {func(x, w *graph.Node) *graph.Node { return ops.Sum(ops.Mul(x, w)) }, true, true,
			`^the gradient of %3 Sum float64\(\) \(explain_test.go:\d+\) by w float64\(2\) \(explain_test.go:\d+\) passes; if it is zero, that is due to the values: look for dead units$`},
		"unused": {func(x, _ *graph.Node) *graph.Node { return ops.Sum(x) }, false, false,
			`is zero: nothing uses w$`},
		"not connected": {func(x, w *graph.Node) *graph.Node {
			w.Graph().Within("head", func() { ops.Exp(ops.MulScalar(w, 2)) })
			return ops.Sum(x)
		}, false, false,
			`is zero: %5 Sum is not computed from w\n\tit is used by %2 Full float64\(\) \(layer head, explain_test.go:\d+\)\n\tit is used by %3 Mul .*\n\twhat is computed from it ends at %4 Exp float64\(2\) \(layer head, explain_test.go:\d+\)$`},
		"the next value of a leaf": {func(x, w *graph.Node) *graph.Node {
			w.Graph().Update(w, ops.Exp(w))
			return ops.Sum(x)
		}, false, false, `ends at %2 Exp float64\(2\) \(the next value of w, explain_test.go:\d+\)$`},
		"stopped": {func(x, w *graph.Node) *graph.Node { return ops.Sum(ops.Mul(x, ops.StopGradient(ops.Exp(w)))) }, false, true,
			`is zero: it is stopped on every path\n\tat %3 StopGradient float64\(2\) \(explain_test.go:\d+\): it stops gradients by definition$`},
		"an integer": {func(x, w *graph.Node) *graph.Node {
			return ops.Sum(ops.Cast(ops.Cast(ops.Exp(w), shape.Int32), shape.Float64))
		}, false, true, `\n\tat %3 Cast int32\(2\) \(.*\): its result is int32, which has no gradient$`},
		"a comparison": {func(x, w *graph.Node) *graph.Node {
			return ops.Sum(ops.Where(ops.Less(x, w), x, ops.Exp(x)))
		}, false, true, `\n\tat %2 Less bool\(2\) \(.*\): its result is bool, which has no gradient$`},
		"steps": {func(x, w *graph.Node) *graph.Node { return ops.Sum(ops.Add(x, ops.Floor(w))) }, false, true,
			`\n\tat %2 Floor .*: its derivative by this input is zero everywhere$`},
		"a type": {func(x, w *graph.Node) *graph.Node { return ops.Sum(ops.Add(x, ops.OnesLike(w))) }, false, true,
			`\n\tat %2 Full .*: it takes the type of its input, not its values$`},
		"one of two": {func(x, w *graph.Node) *graph.Node {
			return ops.Sum(ops.Add(ops.MulScalar(w, 2), ops.StopGradient(w)))
		}, true, true, `passes, but not on every path:\n\tat %4 StopGradient [^\n]*$`},
		"inside a custom gradient": {func(x, w *graph.Node) *graph.Node {
			return ops.Sum(autodiff.Custom("Mine", ops.Mul(x, w), []*graph.Node{x, w}, func(in []*graph.Node, _, dy *graph.Node) []*graph.Node {
				return []*graph.Node{dy, nil}
			}))
		}, false, true, `\n\tat %3 Mine .*: its gradient goes to the inputs of its rule, past what lies between\n\tat %3 Mine .*: its derivative by this input is zero everywhere$`},
		"an op without a gradient": {func(x, w *graph.Node) *graph.Node {
			return ops.Sum(graph.Apply(stubborn{plain{"Sort"}}, w))
		}, false, true, `\n\tat %2 Sort .*: the order jumps$`},
	} {
		g := graph.New()
		x, w := g.Input("x", shape.F64(2)), g.Param("w", shape.F64(2), nil)
		loss := c.build(x, w)
		before := len(g.Nodes())
		e, err := autodiff.Explain(loss, w)
		require.NoError(t, err, name)
		require.NoError(t, g.Err(), name)
		require.Len(t, g.Nodes(), before, name)
		require.Equal(t, c.passes, e.Passes, "%s: %v", name, e)
		require.Equal(t, c.connected, e.Connected, "%s: %v", name, e)
		require.Regexp(t, c.want, e.String(), name)
	}
}

// What is said of a gradient is true of it.
func TestAGradientThatPassesIsMoreThanZeros(t *testing.T) {
	loss, params, _, _ := network()
	for _, w := range params {
		e, err := autodiff.Explain(loss, w)
		require.NoError(t, err)
		require.True(t, e.Passes)
		require.NotEqual(t, "Full", autodiff.Grad(loss, w)[0].Op().Name())
	}
}

func TestManyUsesAreCutShort(t *testing.T) {
	g := graph.New()
	x, w := g.Input("x", shape.F64()), g.Param("w", shape.F64(), nil)
	for range 20 {
		ops.Exp(w)
	}
	e, err := autodiff.Explain(ops.Exp(x), w)
	require.NoError(t, err)
	require.Len(t, e.Uses, 20)
	require.Len(t, regexp.MustCompile(`\n`).FindAllString(e.String(), -1), 2*9)
}

func TestMistakesOfExplain(t *testing.T) {
	g := graph.New()
	x, ids := g.Input("x", shape.F64()), g.Input("ids", shape.I64())
	for want, pair := range map[string][2]*graph.Node{
		"a node is nil":               {x, nil},
		"nodes of different graphs":   {x, graph.New().Input("z", shape.F64())},
		"ids is int64; only floating": {ids, x},
		"ids is int64; only":          {x, ids},
	} {
		_, err := autodiff.Explain(pair[0], pair[1])
		require.ErrorContains(t, err, want)
	}
	ops.Reshape(x, 5)
	_, err := autodiff.Explain(x, x)
	require.ErrorContains(t, err, "Reshape")
	require.Equal(t, "nothing to explain", autodiff.Explanation{}.String())
}

func ExampleExplain() {
	g := graph.New()
	x, w := g.Input("x", shape.F32(shape.N, 2)), g.Param("w", shape.F32(2, 3), nil)
	loss := ops.Mean(ops.StopGradient(ops.MatMul(x, w)))
	why, err := autodiff.Explain(loss, w)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(why.Passes, why.Stops[0].At, why.Stops[0].Why)
	// Output: false %3 StopGradient it stops gradients by definition
}
