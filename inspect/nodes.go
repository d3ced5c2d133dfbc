package inspect

import (
	"fmt"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
)

// Score returns the sum over the batch of one element of each example's output: output (N,K) at
// class, integers (N) from 0 to K-1. An output with more axes is taken as flat. Where examples do not
// mix, as in a graph's inference form, row i of its gradient by the input is the gradient of example
// i's own element.
func Score(output, class *graph.Node) *graph.Node {
	if output == nil || !output.Valid() || class == nil || !class.Valid() {
		return ops.Add(output, class) // which says so
	}
	if output.Type().Rank() != 2 {
		output = ops.Flatten(output)
	}
	return ops.Sum(ops.GatherAlong(output, 1, ops.Unsqueeze(class, 1)))
}

// Saliency returns how much each pixel of images x (N,C,H,W) changes score, a scalar: the greatest
// magnitude of its gradient over the channels, (N,H,W) (Simonyan, Vedaldi and Zisserman, Deep Inside
// Convolutional Networks, 2014).
func Saliency(x, score *graph.Node) *graph.Node {
	return ops.Max(ops.Abs(autodiff.Grad(score, x)[0]), 1)
}

// GradCAM returns where activation maps a (N,C,H,W) raise score, a scalar computed from them: the
// sum of the maps, each weighted by the mean of its gradient, where that is positive, (N,H,W)
// (Selvaraju et al., Grad-CAM, 2017, eq. 1 and 2).
func GradCAM(a, score *graph.Node) *graph.Node {
	if a != nil && a.Valid() && a.Type().Rank() != 4 {
		return a.Graph().Reject("GradCAM", fmt.Errorf("want activation maps (N,C,H,W), have %v", a.Type()), a)
	}
	weights := ops.MeanKeep(autodiff.Grad(score, a)[0], 2, 3)
	return ops.ReLU(ops.Sum(ops.Mul(weights, a), 1))
}

// Deconvnet returns a clone of outs in which the gradient of each ReLU is that of a deconvnet: the
// adjoint where that is positive, whatever the ReLU let pass. So autodiff.VJP of an activation by
// the input is its reconstruction (Zeiler and Fergus, Visualizing and Understanding Convolutional
// Networks, 2013): filters transposed, maxima put back where they were, rectified at each ReLU. A
// Clip from 0 on, such as ReLU6, counts as a ReLU; other activations keep their gradients.
func Deconvnet(outs ...*graph.Node) []*graph.Node {
	return graph.Transform(outs, func(dst *graph.Graph, n *graph.Node, in []*graph.Node) *graph.Node {
		y := dst.Replay(n, in...)
		if !ops.Rectifies(n.Op()) {
			return y
		}
		return autodiff.Custom("Deconvnet", y, in[:1], func(_ []*graph.Node, _, dy *graph.Node) []*graph.Node {
			return []*graph.Node{ops.ReLU(dy)}
		})
	})
}
