package ops_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// absorbed lets the convolution or product that y is made of take in what follows, as the
// absorb pass does, and names each result.
func absorbed(e engine.Engine, y *graph.Node) (names []string) {
	var path []*graph.Node // from the convolution or product to y
	for n := y; ; n = n.In(0) {
		path = append(path, n)
		if _, ok := n.Op().(vm.Absorber); ok {
			break
		}
	}
	slices.Reverse(path)
	types := func(ns []*graph.Node) (ts []shape.Type) {
		for _, n := range ns {
			ts = append(ts, n.Type().At(5))
		}
		return ts
	}
	op, in := path[0].Op(), types(path[0].Ins())
	for i, next := range path[1:] {
		nextIn := types(next.Ins())
		merged, ok := op.(vm.Absorber).Absorb(e, in, next.Op(), slices.Index(next.Ins(), path[i]), nextIn)
		if !ok {
			return append(names, "no")
		}
		op, in = merged, append(in, nextIn[1:]...)
		names = append(names, op.Name())
	}
	return names
}

func TestAbsorbTakesInBiasThenReLU(t *testing.T) {
	g := graph.New()
	c := ops.Conv2D(g.Input("x", shape.F32(shape.N, 3, 8, 8)), g.Input("w", shape.F32(4, 3, 3, 3)), ops.Conv2DOp{})
	m := ops.MatMul(g.Input("a", shape.F32(shape.N, 7)), g.Input("b", shape.F32(7, 4)))
	bias := g.Input("bias", shape.F32(4))
	channels, wide := g.Input("channels", shape.F32(1, 4, 1, 1)), g.Input("wide", shape.F32(6))
	for _, y := range []struct {
		node *graph.Node
		want []string
	}{
		{ops.AddBias(c, bias), []string{"Conv2D+Bias"}},
		{ops.Add(c, channels), []string{"Conv2D+Bias"}},
		{ops.ReLU(c), []string{"Conv2D+ReLU"}},
		{ops.ReLU(ops.AddBias(c, bias)), []string{"Conv2D+Bias", "Conv2D+Bias+ReLU"}},
		{ops.ReLU(ops.AddBias(m, bias)), []string{"MatMul+Bias", "MatMul+Bias+ReLU"}},
		{ops.ReLU(m), []string{"MatMul+ReLU"}},
		{ops.Add(c, wide), []string{"no"}},                             // along the width
		{ops.Add(c, g.Input("i", shape.F32(4, 6, 6))), []string{"no"}}, // along every axis
		{ops.Add(c, g.Input("one", shape.F32(1, 1, 1))), []string{"no"}},
		{ops.Add(m, g.Input("rows", shape.F32(shape.N, 1))), []string{"no"}},
		{ops.Sub(c, channels), []string{"no"}},
		{ops.Tanh(c), []string{"no"}},
		{ops.AddBias(ops.ReLU(c), bias), []string{"Conv2D+ReLU", "no"}}, // the bias comes after the ReLU
		{ops.ReLU(ops.ReLU(c)), []string{"Conv2D+ReLU", "no"}},
		{ops.AddBias(ops.AddBias(m, bias), bias), []string{"MatMul+Bias", "no"}},
	} {
		require.NoError(t, g.Err())
		require.Equal(t, y.want, absorbed(ref.Engine{}, y.node), y.node)
	}
	require.Equal(t, []string{"no"}, absorbed(memoryEngine{}, ops.ReLU(c)), "an engine that fuses nothing")
	require.Equal(t, []string{"no"}, absorbed(onlyReLU{}, ops.AddBias(c, bias)), "an engine that fuses something else")
	require.Equal(t, []string{"Conv2D+ReLU"}, absorbed(onlyReLU{}, ops.ReLU(c)))
}

type onlyReLU struct{ ref.Engine }

func (onlyReLU) Fuses(e engine.Epilogue) bool { return e == engine.Epilogue{ReLU: true} }

// TestAbsorbedProgramsAreEqual: bit for bit on ref, whose epilogue is what the ops do.
func TestAbsorbedProgramsAreEqual(t *testing.T) {
	g := graph.New()
	x := newFeed(g, "x", shape.Of(2, 3, 6, 5), counter(0, 180))
	w := newFeed(g, "w", shape.Of(4, 3, 3, 3), counter(1, 108))
	b := newFeed(g, "b", shape.Of(4), counter(2, 4))
	v := newFeed(g, "v", shape.Of(48, 4), counter(3, 192))
	h := ops.ReLU(ops.AddBias(ops.Conv2D(x.node, w.node, ops.Conv2DOp{}), b.node))
	y := ops.ReLU(ops.AddBias(ops.MatMul(ops.Flatten(h), v.node), b.node))
	got := computed(t, []*graph.Node{y}, x, w, b, v)

	p, err := vm.Compile(ref.Engine{}, []*graph.Node{y})
	require.NoError(t, err)
	var names []string
	list, err := p.Describe(1)
	require.NoError(t, err)
	for _, i := range list {
		names = append(names, i.Name)
	}
	require.Contains(t, names, "Conv2D+Bias+ReLU")
	require.Contains(t, names, "MatMul+Bias+ReLU")
	require.Equal(t, computed(t, []*graph.Node{y, h}, x, w, b, v)[0], got[0]) // h is read too
	require.Equal(t, computedBy(t, []vm.Option{vm.Without("absorb")}, []*graph.Node{y}, x, w, b, v), got)
}
