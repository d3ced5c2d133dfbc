package onnx

import (
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
)

var lossOperators = family{
	"NegativeLogLikelihoodLoss": always(2, 3, func(c *call) []*value {
		return result(c.classLoss(c.node(0)), c.elem(0))
	}),
	"SoftmaxCrossEntropyLoss": always(2, 3, softmaxCrossEntropy),
}

// softmaxCrossEntropy returns the loss and the log-probabilities.
func softmaxCrossEntropy(c *call) []*value {
	x := c.node(0)
	if x.Type().Rank() < 2 {
		refuse("input 0 is %v; want scores with an axis of classes", x.Type())
	}
	logP := ops.LogSoftmax(x, 1)
	return append(result(c.classLoss(logP), c.elem(0)), result(logP, c.elem(0))...)
}

// classLoss reduces the negated log-probabilities (N,C,...) of the targets (N,...), input 1. Each has
// the weight of its class, input 2, or 1; and 0 if it is to be ignored. The mean is by weights.
func (c *call) classLoss(logP *graph.Node) *graph.Node {
	target, class := c.node(1), c.optional(2)
	if logP.Type().Rank() < 2 || target.Type().Rank() != logP.Type().Rank()-1 || !target.Type().DType.IsInt() {
		refuse("the targets are %v and the scores %v; want integers (N,...) for (N,C,...)", target.Type(), logP.Type())
	}
	var ignored *graph.Node
	if c.attr("ignore_index") {
		ignored = ops.Equal(target, ops.Scalar(target, float64(c.intAttr("ignore_index", 0))))
		target = ops.Where(ignored, ops.Scalar(target, 0), target)
	}
	loss := ops.Neg(ops.Squeeze(ops.GatherAlong(logP, 1, ops.Unsqueeze(target, 1)), 1))
	weight := ops.OnesLike(loss)
	if class != nil {
		weight = ops.Gather(class, 0, target)
		loss = ops.Mul(loss, weight)
	}
	if ignored != nil {
		weight = ops.Where(ignored, ops.Scalar(weight, 0), weight)
		loss = ops.Where(ignored, ops.Scalar(loss, 0), loss)
	}
	switch c.stringAttr("reduction", "mean", "none", "sum", "mean") {
	case "none":
		return loss
	case "sum":
		return ops.Sum(loss)
	}
	if class == nil && ignored == nil {
		return ops.Mean(loss)
	}
	return ops.Div(ops.Sum(loss), ops.Sum(weight))
}
