package optim_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
)

// Parameters that the loss does not reach for one reason are one error.
func TestUnreachedParametersAreOneError(t *testing.T) {
	for n, want := range map[int]string{
		1:  "the loss does not reach p0, built at unreached_test.go:26; freeze",
		2:  "the loss does not reach p0, built at unreached_test.go:26, and 1 more parameter: p1; freeze",
		60: "the loss does not reach p0, built at unreached_test.go:26, and 59 more parameters: p1, p2, p3, p4, p5 and 54 more; freeze",
	} {
		g := graph.New()
		for i := range n {
			g.Param(fmt.Sprint("p", i), shape.F32(2), nil)
		}
		loss := ops.Sum(g.Param("w", shape.F32(2), nil))
		optim.SGD{LR: .1}.Apply(g, autodiff.Grad(loss, g.Params()...))
		var list graph.ErrorList
		require.ErrorAs(t, g.Err(), &list)
		require.Len(t, list, 1)
		require.ErrorContains(t, list, want)
		require.LessOrEqual(t, strings.Count(list.Error(), "\n"), 1)
	}
}

// A list of gradients that is wrong in one way is told in one line, however many they are.
func TestWrongGradientsAreToldOnce(t *testing.T) {
	other := graph.New().Input("x", shape.F32(2))
	for want, wrong := range map[string]func(p *graph.Node) *graph.Node{
		"the gradient of p0, p1, p2, p3, p4 and 55 more is nil":                                                           func(*graph.Node) *graph.Node { return nil },
		"the gradient of p0, p1, p2, p3, p4 and 55 more belongs to another graph":                                         func(*graph.Node) *graph.Node { return other },
		"the gradient of p0 is float64(2), the parameter float32(2), the gradient of p1 is float64(2), the parameter flo": func(p *graph.Node) *graph.Node { return ops.Cast(p, shape.Float64) },
	} {
		g, grads := graph.New(), []*graph.Node(nil)
		for i := range 60 {
			grads = append(grads, wrong(g.Param(fmt.Sprint("p", i), shape.F32(2), nil)))
		}
		optim.SGD{LR: .1}.Apply(g, grads)
		require.ErrorContains(t, g.Err(), want)
		require.Zero(t, strings.Count(g.Err().Error(), "\n"))
	}
}

func TestParametersOfAStorageTypeAreNotStepped(t *testing.T) {
	g := graph.New()
	p, q := g.Param("p", shape.BF16(2), nil), g.Param("q", shape.F16(2), nil)
	loss := ops.Sum(ops.Mul(ops.Cast(p, shape.Float32), ops.Cast(q, shape.Float32)))
	optim.SGD{LR: .1}.Apply(g, autodiff.Grad(loss, p, q))
	require.ErrorContains(t, g.Err(), "there is no arithmetic in the element type of p, bfloat16(2), q, float16(2); train in float32, and Cast where the type is wanted")
	require.Zero(t, strings.Count(g.Err().Error(), "\n"))
}

func TestParametersOfAnotherOptimiserAreToldOnce(t *testing.T) {
	g := graph.New()
	var loss *graph.Node
	for i := range 60 {
		if p := ops.Sum(g.Param(fmt.Sprint("p", i), shape.F32(2), nil)); loss == nil {
			loss = p
		} else {
			loss = ops.Add(loss, p)
		}
	}
	grads := autodiff.Grad(loss, g.Params()...)
	optim.SGD{LR: .1}.Apply(g, grads)
	optim.Recipe{Rule: optim.SGD{LR: .1}, Name: "second"}.Apply(g, grads)
	require.ErrorContains(t, g.Err(), "already trained by another optimiser: p0 (by the optimiser without a name), ")
	require.ErrorContains(t, g.Err(), "p4 (by the optimiser without a name) and 55 more; select by Match")
}
