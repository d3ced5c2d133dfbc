package autodiff_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

func TestJVPIsTheSlopeInADirection(t *testing.T) {
	for name, f := range map[string]func(x *graph.Node) *graph.Node{
		"elementwise": func(x *graph.Node) *graph.Node { return ops.Tanh(ops.Mul(x, ops.Exp(x))) },
		"several": func(x *graph.Node) *graph.Node {
			return ops.Softmax(ops.Concat(0, ops.Unsqueeze(x, 0), ops.Unsqueeze(ops.Square(x), 0)), 0)
		},
		"images": func(x *graph.Node) *graph.Node {
			image := ops.BroadcastTo(ops.Unsqueeze(x, 0, 1, 2, 3), shape.Of(1, 1, 3, 3))
			ramp := ops.Reshape(x.Graph().Const(shape.F64(9), []float64{0, 1, 2, 3, 4, 5, 6, 7, 8}), 1, 1, 3, 3)
			return ops.AvgPool2D(ops.Conv2D(ops.Sin(ops.Mul(image, ramp)), ops.Sin(image), ops.Conv2DOp{Pad: ops.PadHW(1, 1)}), ops.AvgPool2DOp{Kernel: [2]int{2, 2}})
		},
	} {
		x := scalar()
		y := f(ops.Squeeze(x))
		tangent := autodiff.JVP(y, []*graph.Node{x}, []*graph.Node{ops.Scalar(x, 2)})
		require.NoError(t, x.Graph().Err(), name)
		require.Equal(t, y.Type(), tangent.Type())

		const step = 1e-3
		have := at(t, .7, tangent)
		far, near := at(t, .7+2*step, y), at(t, .7+step, y)
		back, farBack := at(t, .7-step, y), at(t, .7-2*step, y)
		for i := range have {
			slope := (8*(near[i]-back[i]) - (far[i] - farBack[i])) / (12 * step)
			require.InDelta(t, 2*slope, have[i], 1e-9, name)
		}
	}
}

// For f = a*a*b the Hessian is [[2b, 2a], [2a, 0]].
func TestJVPOfAGradientIsTheHessianTimesAVector(t *testing.T) {
	x := scalar()
	a, b := ops.MulScalar(x, 1), ops.AddScalar(x, 2)
	grads := autodiff.Grad(ops.Mul(ops.Square(a), b), a, b)
	v := []*graph.Node{ops.Scalar(x, 10), ops.Scalar(x, 1)}
	var hv []*graph.Node
	for _, d := range grads {
		hv = append(hv, autodiff.JVP(d, []*graph.Node{a, b}, v))
	}
	require.NoError(t, x.Graph().Err())
	require.Equal(t, []float64{2*5*10 + 2*3, 2 * 3 * 10}, at(t, 3, hv...))
}

func TestJVPOfSomethingNotConnectedIsZeros(t *testing.T) {
	x := scalar()
	y := ops.Exp(ops.StopGradient(x))
	require.Equal(t, []float64{0, 0}, at(t, 3, autodiff.JVP(y, []*graph.Node{x}, []*graph.Node{x}), autodiff.JVP(y, nil, nil)))
}

func TestMistakesOfJVPAreOneErrorEach(t *testing.T) {
	g := graph.New()
	x, wide := g.Input("x", shape.F64()), g.Input("wide", shape.F64(2))
	ids, y := g.Input("ids", shape.I32()), ops.Exp(x)
	other := graph.New().Input("x", shape.F64())
	list := func(ns ...*graph.Node) []*graph.Node { return ns }
	for i, c := range []struct {
		y             *graph.Node
		wrt, tangents []*graph.Node
		want          string
	}{
		{y, list(x), nil, "0 tangents for 1 nodes; want one for each"},
		{y, list(x), list(nil), "tangent 0 is nil"},
		{y, list(x), list(wide), "tangent 0 is float64(2); want float64()"},
		{y, list(x), list(other), "a tangent belongs to another graph"},
		{y, list(other), list(x), "belongs to another graph"},
		{y, list(ids), list(ids), "only floating point has gradients"},
		{ids, list(x), list(x), "only floating point has gradients"},
		{nil, list(x), list(x), "is nil"},
	} {
		require.False(t, autodiff.JVP(c.y, c.wrt, c.tangents).Valid())
		errs := g.Err().(graph.ErrorList)
		require.Len(t, errs, i+1, fmt.Sprint(c.want))
		require.ErrorContains(t, errs[i], c.want)
	}
	bad := ops.Add(x, wide)
	bad = ops.Reshape(bad, 5)
	before := slices.Clone(g.Err().(graph.ErrorList))
	require.False(t, autodiff.JVP(bad, list(x), list(x)).Valid())
	require.False(t, autodiff.JVP(y, list(x), list(bad)).Valid())
	require.Len(t, g.Err().(graph.ErrorList), len(before))
}
