package cases

import (
	"fmt"

	"github.com/plexaura/plexaura/autodiff/gradcheck"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

func activations() (rows []Case) {
	for _, a := range []struct {
		op string
		f  func(x *graph.Node) *graph.Node
	}{
		{"SELU", ops.SELU}, {"GELU", ops.GELU}, {"GELUTanh", ops.GELUTanh}, {"SiLU", ops.SiLU}, {"Mish", ops.Mish}, {"Softsign", ops.Softsign},
		{"HardSigmoid", ops.HardSigmoid}, {"HardSwish", ops.HardSwish},
	} {
		rows = append(rows,
			Case{Op: a.op, F: of1(a.f), In: args(gradcheck.NonZero, shape.Of(2, 3))},
			Case{Op: a.op, Label: "batch", F: of1(a.f), In: args(gradcheck.NonZero, shape.Of(n, 2))},
			Case{Op: a.op, Label: "far from 0", F: of1(a.f), In: args(gradcheck.Fixed(-800, -40, 0.5, 40, 800), shape.Of(5))},
		)
	}
	for _, alpha := range []float64{1, -.5} {
		rows = append(rows, Case{Op: "ELU", Label: fmt.Sprintf("alpha %v", alpha),
			F: of1(func(x *graph.Node) *graph.Node { return ops.ELU(x, alpha) }), In: args(gradcheck.NonZero, shape.Of(n, 3))})
	}
	for label, s := range map[string]shape.Shape{"scalar": shape.Of(), "one": shape.Of(1), "channels": shape.Of(3)} {
		rows = append(rows, Case{Op: "PReLU", Label: label, F: of2(ops.PReLU), In: args(gradcheck.NonZero, shape.Of(n, 3, 2), s)})
	}
	return rows
}

func distances() []Case {
	ids := gradcheck.Input{Type: shape.I64(n), Values: gradcheck.IDs(4)}
	huber := func(delta float64) gradcheck.Func {
		return of2(func(x, t *graph.Node) *graph.Node { return ops.Huber(x, t, delta) })
	}
	return []Case{
		{Op: "NLL", Label: "ids", F: of2(ops.NLL), In: []gradcheck.Input{input(nil, n, 4), ids}},
		{Op: "NLL", Label: "distribution", F: of2(ops.NLL), In: []gradcheck.Input{input(nil, n, 4), input(gradcheck.Positive, n, 4)}},
		{Op: "KLDivergence", F: of2(ops.KLDivergence), In: []gradcheck.Input{input(nil, n, 4), input(gradcheck.Positive, n, 4)}},
		{Op: "Huber", Label: "delta 1", F: huber(1), In: args(gradcheck.Fixed(.3, -2, 1.7, -.4), shape.Of(n, 2), shape.Of(n, 2))},
		{Op: "Huber", Label: "delta 0.5", F: huber(.5), In: []gradcheck.Input{input(gradcheck.Fixed(.3, -2, 1.7, -.45, 0), n, 5), input(gradcheck.Fixed(.1, 0, 1.9, -3), n, 5)}},
		{Op: "FocalLoss", F: of2(func(x, t *graph.Node) *graph.Node { return ops.FocalLoss(x, t) }), In: []gradcheck.Input{input(nil, n, 4), input(gradcheck.Uniform(.1, .9), n, 4)}},
		{Op: "FocalLoss", Label: "ids, gamma 0.5, per element", F: of2(func(x, t *graph.Node) *graph.Node {
			return ops.FocalLoss(x, t, ops.FocalOptions{Gamma: .5, Alpha: -1, PerElement: true})
		}), In: []gradcheck.Input{input(nil, n, 4), ids}},
		{Op: "DiceLoss", F: of2(func(x, t *graph.Node) *graph.Node { return ops.DiceLoss(x, t) }), In: args(gradcheck.Uniform(.1, .9), shape.Of(n, 2, 3), shape.Of(n, 2, 3))},
		{Op: "DiceLoss", Label: "squared, of classes", F: of2(func(x, t *graph.Node) *graph.Node {
			return ops.DiceLoss(ops.Softmax(x, 1), t, ops.DiceOptions{Smooth: .1, Squared: true})
		}), In: []gradcheck.Input{input(nil, n, 3, 2, 2), {Type: shape.I32(n, 2, 2), Values: gradcheck.IDs(3)}}},
		{Op: "WeightedBinaryCrossEntropy", Label: "classes", F: of2(func(x, t *graph.Node) *graph.Node { return ops.WeightedBinaryCrossEntropy(x, t, 1, 3, .5, 0) }),
			In: []gradcheck.Input{input(nil, n, 4, 2), input(gradcheck.Uniform(.1, .9), n, 4, 2)}},
		{Op: "WeightedBinaryCrossEntropy", Label: "one", F: of2(func(x, t *graph.Node) *graph.Node { return ops.WeightedBinaryCrossEntropy(x, t, 3) }),
			In: []gradcheck.Input{input(nil, n, 4), input(gradcheck.Uniform(.1, .9), n, 4)}},
		{Op: "Hinge", F: of2(ops.Hinge), In: []gradcheck.Input{input(gradcheck.Spread, n, 4), input(gradcheck.Fixed(1, -1, -1), n, 4)}},
	}
}

func exampleNorms() (rows []Case) {
	layerNorm := of3(func(x, g, b *graph.Node) *graph.Node { return ops.LayerNorm(x, g, b, 0) })
	rows = []Case{
		{Op: "LayerNorm", Label: "features", F: layerNorm, In: normal(shape.Of(n, 4), shape.Of(4), shape.Of(4))},
		{Op: "LayerNorm", Label: "two axes", F: layerNorm, In: normal(shape.Of(n, 2, 3), shape.Of(2, 3), shape.Of(2, 3))},
		{Op: "InstanceNorm", F: of3(func(x, g, b *graph.Node) *graph.Node { return ops.InstanceNorm(x, g, b, 1e-3) }), In: normal(shape.Of(n, 2, 3, 2), shape.Of(2), shape.Of(2))},
	}
	for _, groups := range []int{1, 2} {
		rows = append(rows, Case{Op: "GroupNorm", Label: fmt.Sprint(groups), F: of3(func(x, g, b *graph.Node) *graph.Node { return ops.GroupNorm(x, groups, g, b, 0) }),
			In: normal(shape.Of(n, 4, 2), shape.Of(4), shape.Of(4))})
	}
	return rows
}
