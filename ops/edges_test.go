package ops_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// Axes of extent 0, scalars and tensors of 8 axes go through ops and gradients of both orders.
func TestShapesAtTheEdges(t *testing.T) {
	o := shape.Of
	matMul := of2(func(a, b *graph.Node) *graph.Node { return ops.MatMul(a, b) })
	image := ops.Conv2DOp{Pad: ops.PadHW(1, 1)}
	for name, c := range map[string]struct {
		in   []shape.Shape
		f    func(x []*graph.Node) *graph.Node
		want shape.Shape
		y    []float64
	}{
		"nothing plus a row":    {[]shape.Shape{o(0, 3), o(3)}, of2(ops.Add), o(0, 3), nil},
		"outer with nothing":    {[]shape.Shape{o(0, 1), o(1, 3)}, of2(ops.Mul), o(0, 3), nil},
		"sum of nothing":        {[]shape.Shape{o(0, 3)}, ofAxes(ops.Sum, 0), o(3), []float64{0, 0, 0}},
		"product of nothing":    {[]shape.Shape{o(2, 3, 0)}, ofAxes(ops.Prod, 0, 2), o(3), []float64{1, 1, 1}},
		"mean of nothing":       {[]shape.Shape{o(0, 2)}, ofAxes(ops.Mean, 0), o(2), []float64{nan, nan}},
		"maxima of no rows":     {[]shape.Shape{o(0, 3)}, ofAxes(ops.Max, 1), o(0), nil},
		"softmax of no classes": {[]shape.Shape{o(2, 0)}, of1(func(x *graph.Node) *graph.Node { return ops.Softmax(x, 1) }), o(2, 0), nil},
		"join with nothing":     {[]shape.Shape{o(2, 0), o(2, 1)}, of2(func(a, b *graph.Node) *graph.Node { return ops.Concat(1, a, ops.OnesLike(b), a) }), o(2, 1), []float64{1, 1}},
		"pad of nothing":        {[]shape.Shape{o(0, 1)}, of1(func(a *graph.Node) *graph.Node { return ops.Pad(a, ops.PadOp{Before: axes(1, 1)}) }), o(1, 2), []float64{0, 0}},
		"transpose of nothing":  {[]shape.Shape{o(0, 2, 3)}, ofAxes(ops.Transpose), o(3, 2, 0), nil},
		"no inner extent":       {[]shape.Shape{o(2, 0), o(0, 1)}, matMul, o(2, 1), []float64{0, 0}},
		"no batches":            {[]shape.Shape{o(0, 4, 2), o(2, 3)}, matMul, o(0, 4, 3), nil},
		"no images":             {[]shape.Shape{o(0, 2, 4, 4), o(3, 2, 3, 3)}, of2(func(x, w *graph.Node) *graph.Node { return ops.Conv2D(x, w, image) }), o(0, 3, 4, 4), nil},
		"padding alone":         {[]shape.Shape{o(1, 1, 0, 1), o(1, 1, 2, 2)}, of2(func(x, w *graph.Node) *graph.Node { return ops.Conv2D(x, w, image) }), o(1, 1, 1, 2), []float64{0, 0}},
		"no channels to pool":   {[]shape.Shape{o(2, 0, 4, 4)}, of1(ops.GlobalMaxPool2D), o(2, 0, 1, 1), nil},
		"eight axes": {[]shape.Shape{o(1, 2, 1, 1, 1, 1, 1, 1), o(1, 1, 1, 1, 1, 1, 2, 1)}, of2(func(a, b *graph.Node) *graph.Node {
			return ops.Max(ops.Transpose(ops.Sub(ops.Sub(a, a), ops.Div(b, b))), 0, 1, 2, 3, -2, -1)
		}), o(1, 1), []float64{-1}},
		"scalars": {[]shape.Shape{o(), o()}, of2(func(a, b *graph.Node) *graph.Node {
			pair := ops.Concat(0, ops.Unsqueeze(ops.Transpose(a), 0), ops.Reshape(ops.Div(b, b), 1))
			return ops.Sum(ops.Squeeze(ops.Slice(pair, ops.Range{Start: -1, Stop: ops.End, Step: -2})))
		}), o(), []float64{1}},
	} {
		t.Run(name, func(t *testing.T) {
			g := graph.New()
			var xs []*graph.Node
			var feeds []feed
			for i, s := range c.in {
				f := newFeed(g, fmt.Sprint("x", i), s, positive(i, s.Len()))
				xs, feeds = append(xs, f.node), append(feeds, f)
			}
			y := c.f(xs)
			require.NoError(t, g.Err())
			require.Equal(t, c.want, y.Type().Shape)
			dx := autodiff.Grad(ops.Sum(ops.Square(y)), xs...)
			length := ops.Scalar(y, 0)
			for _, d := range dx {
				length = ops.Add(length, ops.Sum(ops.Square(d)))
			}
			got := computed(t, append(append([]*graph.Node{y}, dx...), autodiff.Grad(length, xs...)...), feeds...)
			closeTo(t, c.y, got[0])
			for i, d := range got[1:] {
				require.Len(t, d, c.in[i%len(xs)].Len())
				for _, v := range d {
					require.Equal(t, v, v, "NaN")
				}
			}
		})
	}
}
