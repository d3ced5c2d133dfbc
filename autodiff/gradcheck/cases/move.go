package cases

import (
	"fmt"

	"github.com/plexaura/plexaura/autodiff/gradcheck"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

func moves() (rows []Case) {
	for _, r := range []struct {
		op, label string
		f         func(x *graph.Node) *graph.Node
		x         shape.Shape
	}{
		{"Reshape", "", func(x *graph.Node) *graph.Node { return ops.Reshape(x, 3, 2) }, shape.Of(2, 3)},
		{"Reshape", "inferred", func(x *graph.Node) *graph.Node { return ops.Reshape(x, ops.Infer, 2) }, shape.Of(2, 3)},
		{"Reshape", "batch", func(x *graph.Node) *graph.Node { return ops.Reshape(x, ops.Infer, 2) }, shape.Of(n, 2, 2)},
		{"Flatten", "batch", ops.Flatten, shape.Of(n, 2, 1, 3)},
		{"Squeeze", "", func(x *graph.Node) *graph.Node { return ops.Squeeze(x, 1) }, shape.Of(2, 1, 3, 1)},
		{"Unsqueeze", "", func(x *graph.Node) *graph.Node { return ops.Unsqueeze(x, 0, -1) }, shape.Of(2, 3)},
		{"Transpose", "reversed", func(x *graph.Node) *graph.Node { return ops.Transpose(x) }, shape.Of(2, 3)},
		{"Transpose", "NCHW to NHWC", func(x *graph.Node) *graph.Node { return ops.Transpose(x, 0, 2, 3, 1) }, shape.Of(n, 2, 3, 1)},
		{"Transpose", "batch last", func(x *graph.Node) *graph.Node { return ops.Transpose(x, 1, 0) }, shape.Of(n, 2)},
		{"Concat", "with itself", func(x *graph.Node) *graph.Node { return ops.Concat(1, x, ops.Tanh(x), x) }, shape.Of(2, 2)},
		{"Slice", "rows", func(x *graph.Node) *graph.Node { return ops.Slice(x, ops.Range{Start: 1, Stop: 3}) }, shape.Of(4, 3)},
		{"Slice", "from the end", func(x *graph.Node) *graph.Node {
			return ops.Slice(x, ops.Whole(), ops.Range{Start: -2, Stop: ops.End})
		}, shape.Of(n, 3)},
		{"Slice", "every second", func(x *graph.Node) *graph.Node { return ops.Slice(x, ops.Range{Stop: ops.End, Step: 2}) }, shape.Of(5)},
		{"Slice", "backwards", func(x *graph.Node) *graph.Node {
			return ops.Slice(x, ops.Range{Start: -1, Stop: ops.End, Step: -2}, ops.Range{Start: 0, Stop: 1})
		}, shape.Of(4, 2)},
	} {
		rows = append(rows, Case{Op: r.op, Label: r.label, F: of1(r.f), In: normal(r.x)})
	}
	for _, c := range []struct {
		label string
		axis  int
		in    []shape.Shape
	}{
		{"axis 0", 0, []shape.Shape{shape.Of(1, 2), shape.Of(3, 2)}},
		{"axis -1", -1, []shape.Shape{shape.Of(2, 1), shape.Of(2, 2), shape.Of(2, 3)}},
		{"axis 1 of 4", 1, []shape.Shape{shape.Of(n, 1, 2, 2), shape.Of(n, 2, 2, 2)}},
		{"batches", 0, []shape.Shape{shape.Of(n, 2), shape.Of(shape.Batch(2), 2)}},
		{"one", 0, []shape.Shape{shape.Of(2)}},
	} {
		rows = append(rows, Case{Op: "Concat", Label: c.label,
			F: func(x ...*graph.Node) *graph.Node { return ops.Concat(c.axis, x...) }, In: normal(c.in...)})
	}
	for _, c := range []struct {
		op string
		f  func(x *graph.Node) *graph.Node
		x  shape.Shape
	}{
		{"DepthToSpace", func(x *graph.Node) *graph.Node { return ops.DepthToSpace(x, 2) }, shape.Of(n, 8, 1, 2)},
		{"PixelShuffle", func(x *graph.Node) *graph.Node { return ops.PixelShuffle(x, 2) }, shape.Of(n, 8, 1, 2)},
		{"SpaceToDepth", func(x *graph.Node) *graph.Node { return ops.SpaceToDepth(x, 2) }, shape.Of(n, 2, 2, 4)},
		{"PixelUnshuffle", func(x *graph.Node) *graph.Node { return ops.PixelUnshuffle(x, 2) }, shape.Of(n, 2, 2, 4)},
		{"Tril", func(x *graph.Node) *graph.Node { return ops.Tril(x, 1) }, shape.Of(n, 3, 4)},
		{"Triu", func(x *graph.Node) *graph.Node { return ops.Triu(x, -1) }, shape.Of(4, 3)},
	} {
		rows = append(rows, Case{Op: c.op, F: of1(c.f), In: normal(c.x)})
	}
	return append(rows, Case{Op: "OneHot", F: of2(func(ids, x *graph.Node) *graph.Node {
		return ops.Mul(x, ops.OneHot(ids, 4, x))
	}), In: []gradcheck.Input{{Type: shape.I32(n), Values: gradcheck.IDs(4)}, input(nil, n, 4)}})
}

func pads() (rows []Case) {
	for _, p := range []struct {
		label string
		op    ops.PadOp
		x     shape.Shape
	}{
		{"one axis", ops.PadOp{Before: [shape.MaxRank]int{2}, After: [shape.MaxRank]int{1}}, shape.Of(3)},
		{"behind alone", ops.PadOp{After: [shape.MaxRank]int{0, 2}}, shape.Of(2, 3)},
		{"image", ops.PadOp{Before: [shape.MaxRank]int{2: 1, 3: 2}, After: [shape.MaxRank]int{2: 2, 3: 0}}, shape.Of(n, 1, 3, 3)},
	} {
		for mode := ops.PadConstant; mode <= ops.PadSymmetric; mode++ {
			op := p.op
			op.Mode = mode
			if mode == ops.PadConstant {
				op.Value = graph.Float(1.5)
			}
			rows = append(rows, Case{Op: "Pad", Label: fmt.Sprintf("%v, %s", mode, p.label),
				F: of1(func(x *graph.Node) *graph.Node { return ops.Pad(x, op) }), In: normal(p.x)})
		}
	}
	return rows
}
