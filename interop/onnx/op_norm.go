package onnx

import (
	"slices"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

var normOperators = family{
	"BatchNormalization":        always(5, 5, batchNorm),
	"LayerNormalization":        always(2, 3, layerNorm),
	"RMSNormalization":          always(2, 2, rmsNorm),
	"InstanceNormalization":     always(3, 3, instanceNorm),
	"GroupNormalization":        always(3, 3, groupNorm),
	"LRN":                       always(1, 1, lrn),
	"LpNormalization":           always(1, 1, lpNorm),
	"MeanVarianceNormalization": always(1, 1, meanVariance),
}

// batchNorm is that of inference, unless training_mode is set: then it normalises by the batch, and
// further outputs are the new statistics.
func batchNorm(c *call) []*value {
	x, eps, momentum := c.node(0), c.floatAttr("epsilon", 1e-5), c.floatAttr("momentum", 0.9)
	if c.version < 9 && !c.flag("spatial", true) {
		refuse("attribute spatial is 0: statistics for each position are not supported")
	}
	if x.Type().Rank() < 2 {
		refuse("input 0 has no axis of channels")
	}
	if c.flag("training_mode", false) {
		return batchNormTraining(c, eps, momentum)
	}
	if n := countOutputs(c.n); n > 1 && c.version >= 9 {
		refuse("%d outputs; only the first exists in inference", n)
	}
	if _, folding := c.b.(*fold); !folding && c.in[3].param != "" && c.in[4].param != "" && sameFloats(c, x) && momentum < 1 && momentum >= 0 && x.Type().Rank() <= 5 {
		gamma, beta, mean, variance := c.node(1), c.node(2), c.ev.stateOf(c.in[3]), c.ev.stateOf(c.in[4])
		var y *graph.Node
		c.ev.scope.Keeping(func() {
			y = ops.BatchNorm(x, gamma, beta, mean, variance, ops.BatchNormOptions{Eps: eps, Momentum: 1 - momentum})
		}, gamma, beta)
		return result(y, c.elem(0))
	}
	return result(normalise(c, x, c.node(3), c.node(4), eps), c.elem(0))
}

// sameFloats reports whether the statistics and factors have x's element type.
func sameFloats(c *call, x *graph.Node) bool {
	for _, v := range c.in[1:] {
		if v.typ().DType != x.Type().DType {
			return false
		}
	}
	return x.Type().IsFloat()
}

// normalise scales and shifts by inputs 1 and 2, one number for each channel.
func normalise(c *call, x, mean, variance *graph.Node, eps float64) *graph.Node {
	d := x.Type().DType
	channels := func(n *graph.Node) *graph.Node {
		n = convert(n, d)
		if n.Type().Rank() != 1 {
			return n
		}
		return ops.Reshape(n, append([]shape.Dim{n.Type().Dim(0)}, slices.Repeat([]shape.Dim{1}, x.Type().Rank()-2)...)...)
	}
	inv := ops.Reciprocal(ops.Sqrt(ops.AddScalar(channels(variance), eps)))
	y := ops.Mul(ops.Sub(x, channels(mean)), inv)
	return ops.Add(ops.Mul(y, channels(c.node(1))), channels(c.node(2)))
}

func batchNormTraining(c *call, eps, momentum float64) []*value {
	x := c.node(0)
	var over []int
	for a := range x.Type().Rank() {
		if a != 1 {
			over = append(over, a)
		}
	}
	mean := ops.MeanKeep(x, over...)
	variance := ops.MeanKeep(ops.Square(ops.Sub(x, mean)), over...)
	outs := result(normalise(c, x, ops.Reshape(mean, ops.Infer), ops.Reshape(variance, ops.Infer), eps), c.elem(0))
	for k, batch := range []*graph.Node{mean, variance} {
		old := c.node(3 + k)
		now := convert(ops.Reshape(batch, ops.Infer), old.Type().DType)
		now = ops.Add(ops.MulScalar(old, momentum), ops.MulScalar(now, 1-momentum))
		outs = append(outs, result(now, c.elem(3+k))...)
	}
	return outs
}

// countOutputs is the number of outputs that are used.
func countOutputs(n *ir.Node) (count int) {
	for _, o := range n.Outputs {
		if o != "" {
			count++
		}
	}
	return count
}

func layerNorm(c *call) []*value {
	x, gamma, eps := c.node(0), c.node(1), c.floatAttr("epsilon", 1e-5)
	rank := x.Type().Rank()
	first := axis(c.intAttr("axis", -1), rank)
	beta := c.optional(2)
	if beta == nil {
		beta = ops.ZerosLike(gamma)
	}
	last := shape.Of(x.Type().Dims()[first:]...)
	if gamma.Type().Shape == last && beta.Type().Shape == last && countOutputs(c.n) == 1 {
		return result(ops.LayerNorm(x, gamma, beta, eps), c.elem(0))
	}
	over := from(first, rank)
	mean := ops.MeanKeep(x, over...)
	centred := ops.Sub(x, mean)
	inv := ops.Reciprocal(ops.Sqrt(ops.AddScalar(ops.MeanKeep(ops.Square(centred), over...), eps)))
	y := ops.Add(ops.Mul(ops.Mul(centred, inv), gamma), beta)
	return []*value{computed(wrapped(y, c.elem(0)), c.elem(0)), computed(mean, c.stash()), computed(inv, c.stash())}
}

// stash is the element type of further outputs, float unless the input is double.
func (c *call) stash() ir.DataType {
	if c.elem(0) == ir.Double {
		return ir.Double
	}
	return ir.Float
}

// from lists the axes from one on.
func from(first, rank int) []int {
	var v []int
	for a := first; a < rank; a++ {
		v = append(v, a)
	}
	return v
}

func rmsNorm(c *call) []*value {
	x := c.node(0)
	rank := x.Type().Rank()
	over := from(axis(c.intAttr("axis", -1), rank), rank)
	mean := ops.MeanKeep(ops.Square(x), over...)
	y := ops.Mul(x, ops.Reciprocal(ops.Sqrt(ops.AddScalar(mean, c.floatAttr("epsilon", 1e-5)))))
	return result(ops.Mul(wrapped(y, c.elem(0)), c.node(1)), c.elem(0))
}

func instanceNorm(c *call) []*value {
	return result(ops.InstanceNorm(c.node(0), c.node(1), c.node(2), c.floatAttr("epsilon", 1e-5)), c.elem(0))
}

// groupNorm has a scale for each group before opset 21, and for each channel since.
func groupNorm(c *call) []*value {
	x, gamma, beta, groups := c.node(0), c.node(1), c.node(2), c.intAttr("num_groups", 0)
	if groups < 1 || x.Type().Rank() < 2 {
		refuse("attribute num_groups is %d", groups)
	}
	channels, ok := x.Type().Dim(1).Int()
	if c.version < 21 {
		if !ok || channels%groups != 0 {
			refuse("%d groups of %v channels", groups, x.Type().Dim(1))
		}
		each := func(n *graph.Node) *graph.Node {
			return ops.Reshape(ops.BroadcastTo(ops.Unsqueeze(n, 1), shape.OfInts(groups, channels/groups)), shape.Dim(channels))
		}
		gamma, beta = each(gamma), each(beta)
	}
	return result(ops.GroupNorm(x, groups, gamma, beta, c.floatAttr("epsilon", 1e-5)), c.elem(0))
}

// lrn has of an even number of channels one more behind, where ops.LRN has it in front.
func lrn(c *call) []*value {
	x, size := c.node(0), c.intAttr("size", 0)
	o := ops.LRNOptions{Size: size, Alpha: c.floatAttr("alpha", 1e-4), Beta: c.floatAttr("beta", 0.75), K: c.floatAttr("bias", 1)}
	if size < 1 || o.Alpha == 0 || o.Beta == 0 || o.K == 0 {
		refuse("size %d, alpha %v, beta %v, bias %v; want positive numbers", size, o.Alpha, o.Beta, o.K)
	}
	if size%2 == 1 {
		return result(ops.LRN(x, o), c.elem(0))
	}
	return result(flip(ops.LRN(flip(x, 1), o), 1), c.elem(0))
}

// lpNorm divides by the norm along an axis; what has the norm 0 stays 0.
func lpNorm(c *call) []*value {
	x := c.node(0)
	norm := pNorm(x, float64(c.intAttr("p", 2)), axis(c.intAttr("axis", -1), x.Type().Rank()))
	zero := ops.Scalar(x, 0)
	y := ops.Where(ops.Equal(norm, zero), zero, ops.Div(x, norm))
	return result(y, c.elem(0))
}

func meanVariance(c *call) []*value {
	x := c.node(0)
	over := axes(c.intsAttr("axes", []int{0, 2, 3}), x.Type().Rank())
	centred := ops.Sub(x, ops.MeanKeep(x, over...))
	deviation := ops.Sqrt(ops.MeanKeep(ops.Square(centred), over...))
	return result(ops.Div(centred, ops.AddScalar(deviation, 1e-9)), c.elem(0))
}
