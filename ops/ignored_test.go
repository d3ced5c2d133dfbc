package ops_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// A mean is over the labels that count: of logits that are all 0 it is log(2) whatever is ignored, and 0 where
// all are. What is ignored has no slope.
func TestIgnoredLabelsAreNotInTheMean(t *testing.T) {
	for _, c := range []struct {
		labels []float64
		want   float64
	}{{[]float64{0, 1, 1}, math.Ln2}, {[]float64{0, 9, 1}, math.Ln2}, {[]float64{9, 9, 1}, math.Ln2}, {[]float64{9, 9, 9}, 0}} {
		onEveryEngine(t, func(t *testing.T, e engine.Engine, in, out func(*graph.Node) *graph.Node) {
			g := graph.New()
			x := newFeed(g, "x", shape.Of(3, 2), make([]float64, 6))
			loss := out(ops.CrossEntropy(in(x.node), g.Const(shape.I32(3), c.labels), ops.CrossEntropyOptions{Ignore: []int{9}}))
			got := computedOn(t, e, nil, []*graph.Node{loss, autodiff.Grad(loss, x.node)[0]}, x)
			require.InDelta(t, c.want, got[0][0], 1e-6, "labels %v on %s", c.labels, e.Name())
			for i, label := range c.labels {
				if label == 9 {
					require.Equal(t, []float64{0, 0}, []float64{float64(got[1][2*i]), float64(got[1][2*i+1])}, "labels %v on %s", c.labels, e.Name())
				}
			}
		})
	}
}

// Where a logit is sure, the power of what is wrong has no infinite slope.
func TestSlopesOfAFocalLossAreFinite(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e engine.Engine, in, out func(*graph.Node) *graph.Node) {
		g := graph.New()
		x := newFeed(g, "x", shape.Of(1, 2), []float64{200, -200})
		loss := out(ops.FocalLoss(in(x.node), g.Const(shape.I32(1), []float64{0}), ops.FocalOptions{Gamma: .5}))
		got := computedOn(t, e, nil, []*graph.Node{loss, autodiff.Grad(loss, x.node)[0]}, x)
		for _, v := range append(got[0], got[1]...) {
			require.InDelta(t, 0, v, 1e-6, e.Name())
		}
	})
}

// Where all labels have the weight 0, the loss is 0 and has no slope.
func TestLabelsWithoutWeightHaveNoSlope(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e engine.Engine, in, out func(*graph.Node) *graph.Node) {
		g := graph.New()
		x := newFeed(g, "x", shape.Of(2, 2), []float64{1, 2, 3, 4})
		loss := out(ops.CrossEntropy(in(x.node), g.Const(shape.I32(2), []float64{0, 0}), ops.CrossEntropyOptions{Weights: []float64{0, 1}}))
		got := computedOn(t, e, nil, []*graph.Node{loss, autodiff.Grad(loss, x.node)[0]}, x)
		for _, v := range append(got[0], got[1]...) {
			require.Zero(t, v, e.Name())
		}
	})
}
