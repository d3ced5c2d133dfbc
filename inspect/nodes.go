package inspect

import (
	"fmt"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
)

// Score returns the sum over the batch of one element of each example's output: output (N,K) at
// class, integers (N) from 0 to K-1. Further axes of the output are flattened. If examples do not
// mix, as in the inference form of a graph, row i of its gradient with respect to the input is the
// gradient of example i's element.
func Score(output, class *graph.Node) *graph.Node {
	if output == nil || !output.Valid() || class == nil || !class.Valid() {
		return ops.Add(output, class) // reports the mistake
	}
	if output.Type().Rank() != 2 {
		output = ops.Flatten(output)
	}
	return ops.Sum(ops.GatherAlong(output, 1, ops.Unsqueeze(class, 1)))
}

// Saliency returns how much each pixel of images x (N,C,H,W) changes score, a scalar: the greatest
// magnitude of its gradient over the channels, (N,H,W) (Simonyan, Vedaldi and Zisserman, Deep
// Inside Convolutional Networks, 2014).
func Saliency(x, score *graph.Node) *graph.Node {
	return ops.Max(ops.Abs(autodiff.Grad(score, x)[0]), 1)
}

// GradCAM returns where activation maps a (N,C,H,W) raise score, a scalar computed from them: the
// sum of the maps, each weighted by the mean of its gradient, with negative values set to 0,
// (N,H,W) (Selvaraju et al., Grad-CAM, 2017, eq. 1 and 2).
func GradCAM(a, score *graph.Node) *graph.Node {
	if a != nil && a.Valid() && a.Type().Rank() != 4 {
		return a.Graph().Reject("GradCAM", fmt.Errorf("want activation maps (N,C,H,W), have %v", a.Type()), a)
	}
	weights := ops.MeanKeep(autodiff.Grad(score, a)[0], 2, 3)
	return ops.ReLU(ops.Sum(ops.Mul(weights, a), 1))
}

// Deconvnet returns a clone of outs in which the gradient of each ReLU is that of a deconvnet: the
// positive part of the adjoint, regardless of where the ReLU's input was positive. With it,
// autodiff.VJP of an activation with respect to the input is the reconstruction of the activation
// (Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, 2013): filters are
// transposed, maxima are put back at their positions, and each ReLU rectifies. A Clip with lower
// bound 0, such as ReLU6, counts as a ReLU; other activations keep their gradients.
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
