package cases

import (
	"fmt"

	"github.com/plexaura/plexaura/autodiff/gradcheck"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

func softmax() (rows []Case) {
	for _, s := range []struct {
		op string
		f  func(x *graph.Node, axis int) *graph.Node
	}{
		{"Softmax", ops.Softmax},
		{"LogSoftmax", ops.LogSoftmax},
	} {
		for axis := -1; axis < 3; axis++ {
			rows = append(rows, Case{Op: s.op, Label: fmt.Sprintf("axis %d of 3", axis),
				F: of1(func(x *graph.Node) *graph.Node { return s.f(x, axis) }), In: normal(shape.Of(2, 3, 2))})
		}
		rows = append(rows, Case{Op: s.op, Label: "batch", F: of1(func(x *graph.Node) *graph.Node { return s.f(x, 1) }), In: normal(shape.Of(n, 4))})
		rows = append(rows, Case{Op: s.op, Label: "third order", Order: 3, Tolerance: 1e-5,
			F: of1(func(x *graph.Node) *graph.Node { return s.f(x, 0) }), In: normal(shape.Of(3, 2))})
	}
	return rows
}

// lrn has windows that are even, of one channel, and of more than there are. Alpha is large, so
// that they count.
func lrn() (rows []Case) {
	for _, c := range []struct {
		label string
		opts  ops.LRNOptions
		x     shape.Shape
	}{
		{"defaults", ops.LRNOptions{Alpha: 2}, shape.Of(1, 7, 1, 2)},
		{"size 4, batch", ops.LRNOptions{Size: 4, Alpha: 1, Beta: .5, K: 2}, shape.Of(n, 5, 2)},
		{"size 1", ops.LRNOptions{Size: 1, Alpha: 1, Beta: 1.3}, shape.Of(2, 3)},
		{"size beyond the channels", ops.LRNOptions{Size: 8, Alpha: 3}, shape.Of(1, 2, 2, 1)},
	} {
		rows = append(rows, Case{Op: "LRN", Label: c.label, F: of1(func(x *graph.Node) *graph.Node { return ops.LRN(x, c.opts) }), In: normal(c.x)})
	}
	for _, size := range []int{1, 3} {
		o := ops.LRNOptions{Size: size, Alpha: 2, Beta: .6, K: 1.5}
		rows = append(rows, Case{Op: "LRNWithinChannel", Label: fmt.Sprintf("size %d, batch", size),
			F: of1(func(x *graph.Node) *graph.Node { return ops.LRNWithinChannel(x, o) }), In: normal(shape.Of(n, 2, 3, 2))})
	}
	return rows
}

func losses() []Case {
	ids := gradcheck.Input{Type: shape.I64(n), Values: gradcheck.IDs(4)}
	crossEntropy := func(o ops.CrossEntropyOptions) gradcheck.Func {
		return of2(func(x, t *graph.Node) *graph.Node { return ops.CrossEntropy(x, t, o) })
	}
	return []Case{
		{Op: "CrossEntropy", Label: "ids", F: crossEntropy(ops.CrossEntropyOptions{}), In: []gradcheck.Input{input(nil, n, 4), ids}},
		{Op: "CrossEntropy", Label: "ids, smoothing 0.1", F: crossEntropy(ops.CrossEntropyOptions{LabelSmoothing: 0.1}), In: []gradcheck.Input{input(nil, n, 4), ids}},
		{Op: "CrossEntropy", Label: "ids, per example", F: crossEntropy(ops.CrossEntropyOptions{PerExample: true}), In: []gradcheck.Input{input(nil, n, 4), ids}},
		{Op: "CrossEntropy", Label: "distribution", F: crossEntropy(ops.CrossEntropyOptions{}), In: []gradcheck.Input{input(nil, n, 4), input(gradcheck.Positive, n, 4)}},
		{Op: "CrossEntropy", Label: "distribution that is computed", F: of2(func(x, t *graph.Node) *graph.Node {
			return ops.CrossEntropy(x, ops.Softmax(t, 1), ops.CrossEntropyOptions{LabelSmoothing: 0.3})
		}), In: normal(shape.Of(n, 4), shape.Of(n, 4))},
		{Op: "CrossEntropy", Label: "ids of pixels", F: crossEntropy(ops.CrossEntropyOptions{}),
			In: []gradcheck.Input{input(nil, n, 3, 2, 2), {Type: shape.I32(n, 2, 2), Values: gradcheck.IDs(3)}}},
		{Op: "CrossEntropy", Label: "id of one example", F: crossEntropy(ops.CrossEntropyOptions{}),
			In: []gradcheck.Input{input(nil, 4), {Type: shape.U8(), Values: gradcheck.IDs(4)}}},
		{Op: "CrossEntropy", Label: "ids, weights", F: crossEntropy(ops.CrossEntropyOptions{Weights: []float64{.5, 2, 0, 1}}), In: []gradcheck.Input{input(nil, n, 4), ids}},
		{Op: "CrossEntropy", Label: "ids, weights, smoothing 0.2, ignored", F: crossEntropy(ops.CrossEntropyOptions{Weights: []float64{.5, 2, 3, 1}, LabelSmoothing: .2, Ignore: []int{1}}), In: []gradcheck.Input{input(nil, n, 4), ids}},
		{Op: "CrossEntropy", Label: "ids of pixels, ignored", F: crossEntropy(ops.CrossEntropyOptions{Ignore: []int{2, -1}}),
			In: []gradcheck.Input{input(nil, n, 3, 2, 2), {Type: shape.I32(n, 2, 2), Values: gradcheck.IDs(3)}}},
		{Op: "CrossEntropy", Label: "distribution, weights, per example", F: crossEntropy(ops.CrossEntropyOptions{Weights: []float64{.5, 2, 0, 1}, PerExample: true}), In: []gradcheck.Input{input(nil, n, 4), input(gradcheck.Positive, n, 4)}},
		{Op: "BinaryCrossEntropy", Label: "at 0", F: of2(ops.BinaryCrossEntropy), In: []gradcheck.Input{input(gradcheck.Fixed(0), 2), input(gradcheck.Uniform(0.1, 0.9), 2)}},
		{Op: "BinaryCrossEntropy", F: of2(ops.BinaryCrossEntropy), In: []gradcheck.Input{input(gradcheck.NonZero, n, 2), input(gradcheck.Uniform(0.1, 0.9), n, 2)}},
		{Op: "MSE", F: of2(ops.MSE), In: normal(shape.Of(n, 3), shape.Of(n, 3))},
	}
}

func random() (rows []Case) {
	for _, p := range []float64{0, 0.25, 0.6} {
		rows = append(rows, Case{Op: "Dropout", Label: fmt.Sprintf("p %v", p),
			F: of1(func(x *graph.Node) *graph.Node { return ops.Dropout(x, p) }), In: normal(shape.Of(n, 5))})
	}
	return append(rows, Case{Op: "Random", F: of1(func(x *graph.Node) *graph.Node {
		return ops.Mul(x, ops.Random(x, x.Type().Shape, engine.Normal))
	}), In: normal(shape.Of(2, 3))})
}
