package graph_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// One wrong layer in a loop of 60 blocks is told once, with the places of the others.
func TestWhatHasOneCauseIsToldOnce(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(2))
	for i := range 60 {
		g.Within(fmt.Sprint("block.", i), func() {
			g.Reject("Conv2D", fmt.Errorf("want rank 4; see %q", fmt.Sprintf("block.%d.weight", i)), x)
		})
	}
	g.Reject("Conv2D", errors.New("want rank 3"), x)
	require.Equal(t, `alike_test.go:21: layer block.0: Conv2D: want rank 4; see "block.0.weight"
	input 0: x float32(2), built at alike_test.go:18
	and 59 more like it: layer block.1, layer block.2, layer block.3, layer block.4, layer block.5 and 54 more
alike_test.go:24: Conv2D: want rank 3
	input 0: x float32(2), built at alike_test.go:18`, g.Err().Error())
	var list graph.ErrorList
	require.ErrorAs(t, g.Err(), &list)
	require.Len(t, list, 61, "a program is given all of them")
}

func TestWhatDiffersIsToldApart(t *testing.T) {
	g := graph.New()
	x, y, z := g.Input("x", shape.F32(2)), g.Input("y", shape.F32(2)), g.Input("z", shape.F32(3))
	no := errors.New("no")
	for _, in := range []*graph.Node{x, x, y, z} {
		g.Reject("Conv2D", no, in)
	}
	g.Within("head", func() { g.Reject("Conv2D", no, x) })
	g.Reject("MatMul", no, x)
	require.Equal(t, `alike_test.go:40: Conv2D: no
	input 0: x float32(2), built at alike_test.go:37
	and 3 more like it: alike_test.go:42 layer head
alike_test.go:40: Conv2D: no
	input 0: z float32(3), built at alike_test.go:37
alike_test.go:43: MatMul: no
	input 0: x float32(2), built at alike_test.go:37`, g.Err().Error())

	here := graph.New()
	for range 3 {
		here.Reject("Conv2D", no)
	}
	require.Equal(t, "alike_test.go:54: Conv2D: no\n\tand 2 more like it: at the same place", here.Err().Error())
}

// The mistakes of a graph whose node is taken for another are told once there.
func TestAMistakeOfAnotherGraphIsToldOnce(t *testing.T) {
	wrong := graph.Apply(nil)
	g := graph.New()
	x := g.Input("x", shape.F32(2))
	for i := range 3 {
		op := wants{fmt.Sprint("Op", i)}
		require.False(t, graph.Apply(op, x, wrong).Valid())
	}
	require.Equal(t, 1, strings.Count(g.Err().Error(), "could not be built"))
}

type wants struct{ name string }

func (w wants) Name() string                            { return w.name }
func (wants) Infer(in []shape.Type) (shape.Type, error) { return in[0], nil }
