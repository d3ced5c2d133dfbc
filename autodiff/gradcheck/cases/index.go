package cases

import (
	"fmt"

	"github.com/plexaura/plexaura/autodiff/gradcheck"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

func indices() (rows []Case) {
	of := func(k int, dims ...shape.Dim) gradcheck.Input {
		return gradcheck.Input{Type: shape.I32(dims...), Values: gradcheck.IDs(k)}
	}
	for _, c := range []struct {
		label string
		axis  int
		x     gradcheck.Input
		ids   gradcheck.Input
	}{
		{"one", 0, input(nil, 4), of(4)},
		{"rows", 0, input(nil, 3, 2), of(3, 2, 2)},
		{"inner axis", 1, input(nil, n, 4, 2), of(4, 5)},
		{"ids of the batch", 0, input(nil, 4, 2), of(4, n)},
		{"from the batch", 0, input(nil, n, 2), of(3, 4)},
	} {
		rows = append(rows, Case{Op: "Gather", Label: c.label,
			F: of2(func(x, ids *graph.Node) *graph.Node { return ops.Gather(x, c.axis, ids) }), In: []gradcheck.Input{c.x, c.ids}})
	}
	for axis, ids := range []gradcheck.Input{of(2, 4, 3, 2), of(3, 2, 5, 2), of(2, 2, 3, 1)} {
		rows = append(rows, Case{Op: "GatherAlong", Label: fmt.Sprintf("axis %d of 3", axis),
			F: of2(func(x, ids *graph.Node) *graph.Node { return ops.GatherAlong(x, axis, ids) }), In: []gradcheck.Input{input(nil, 2, 3, 2), ids}})
	}
	start := gradcheck.Input{Type: shape.I32(), Values: gradcheck.Fixed(1)}
	update := func(axis int) gradcheck.Func {
		return of3(func(x, part, start *graph.Node) *graph.Node { return ops.UpdateSlice(x, part, axis, start) })
	}
	rows = append(rows,
		Case{Op: "UpdateSlice", Label: "first axis", F: update(0), In: append(normal(shape.Of(4, 2), shape.Of(2, 2)), start)},
		Case{Op: "UpdateSlice", Label: "batch", F: update(-1), In: append(normal(shape.Of(n, 3), shape.Of(n, 1)), start)},
		Case{Op: "GatherAlong", Label: "batch", F: of2(func(x, ids *graph.Node) *graph.Node { return ops.GatherAlong(x, -1, ids) }),
			In: []gradcheck.Input{input(nil, n, 4), of(4, n, 2)}},
		Case{Op: "Embedding", F: of2(ops.Embedding), In: []gradcheck.Input{input(nil, 4, 3), of(4, n, 2)}},
		Case{Op: "CumSum", Label: "batch", F: of1(func(x *graph.Node) *graph.Node { return ops.CumSum(x, 0) }), In: normal(shape.Of(n, 2))},
	)
	for _, c := range []engine.Combine{ops.ScatterReplace, ops.ScatterAdd} {
		label := c.String()
		along := func(axis int) gradcheck.Func {
			return of3(func(x, ids, v *graph.Node) *graph.Node { return ops.ScatterAlong(x, axis, ids, v, c) })
		}
		nd := of3(func(x, ids, v *graph.Node) *graph.Node { return ops.ScatterND(x, ids, v, c) })
		ids := func(values gradcheck.Values, dims ...shape.Dim) gradcheck.Input {
			return gradcheck.Input{Type: shape.I32(dims...), Values: values}
		}
		rows = append(rows,
			Case{Op: "ScatterAlong", Label: label, F: along(0), In: []gradcheck.Input{input(nil, 3, 2), of(3, 5, 2), input(nil, 5, 2)}},
			Case{Op: "ScatterAlong", Label: label + ", batch", F: along(-1), In: []gradcheck.Input{input(nil, n, 4), of(4, n, 3), input(nil, n, 3)}},
			Case{Op: "ScatterND", Label: label, F: nd, In: []gradcheck.Input{input(nil, 2, 3, 2), ids(gradcheck.Fixed(1, 2, 0, 1, 1, 2), 3, 2), input(nil, 3, 2)}},
			Case{Op: "ScatterND", Label: label + ", rows", F: nd, In: []gradcheck.Input{input(nil, 3, 2), of(3, 4, 1), input(nil, 4, 2)}})
	}
	rows = append(rows,
		Case{Op: "GatherND", F: of2(func(x, ids *graph.Node) *graph.Node { return ops.GatherND(x, ids, 0) }), In: []gradcheck.Input{input(nil, 3, 2, 2), of(2, 2, 3, 2)}},
		Case{Op: "GatherND", Label: "batch", F: of2(func(x, ids *graph.Node) *graph.Node { return ops.GatherND(x, ids, 1) }),
			In: []gradcheck.Input{input(nil, n, 3, 2, 2), of(2, n, 4, 2)}},
		Case{Op: "ReverseSequence", F: of2(func(x, l *graph.Node) *graph.Node { return ops.ReverseSequence(x, l, 0, 1) }),
			In: []gradcheck.Input{input(nil, n, 4, 2), of(5, n)}},
		Case{Op: "ReverseSequence", Label: "times first", F: of2(func(x, l *graph.Node) *graph.Node { return ops.ReverseSequence(x, l, 1, 0) }),
			In: []gradcheck.Input{input(nil, 4, 3), of(5, 3)}},
	)
	for _, scan := range []ops.Scan{{}, {Reverse: true}, {Exclusive: true}, {Reverse: true, Exclusive: true}} {
		label := fmt.Sprintf("%+v", scan)
		rows = append(rows,
			Case{Op: "CumSum", Label: label, F: of1(func(x *graph.Node) *graph.Node { return ops.CumSum(x, 1, scan) }), In: normal(shape.Of(n, 3, 2))},
			Case{Op: "CumProd", Label: label, F: of1(func(x *graph.Node) *graph.Node { return ops.CumProd(x, 1, scan) }), In: normal(shape.Of(n, 4, 2))},
		)
	}
	rows = append(rows,
		Case{Op: "CumProd", Label: "of zeros", F: of1(func(x *graph.Node) *graph.Node { return ops.CumProd(x, 0) }), In: args(gradcheck.Fixed(2, 0, -1.5, 0, 3), shape.Of(5))},
		Case{Op: "CumProd", Label: "of one", F: of1(func(x *graph.Node) *graph.Node { return ops.CumProd(x, 0, ops.Scan{Exclusive: true}) }), In: normal(shape.Of(1))},
		Case{Op: "LinearScan", F: of2(func(a, b *graph.Node) *graph.Node { return ops.LinearScan(a, b, 1) }), In: normal(shape.Of(n, 4, 2), shape.Of(n, 4, 2))},
		Case{Op: "LinearScan", Label: "last axis", F: of2(func(a, b *graph.Node) *graph.Node { return ops.LinearScan(a, b, -1) }), In: normal(shape.Of(2, 3), shape.Of(2, 3))},
	)
	for axis := -1; axis < 2; axis++ {
		rows = append(rows, Case{Op: "BottomK", Label: fmt.Sprintf("2 of axis %d of 3", axis), F: of1(func(x *graph.Node) *graph.Node {
			y, _ := ops.BottomK(x, 2, axis)
			return y
		}), In: args(gradcheck.Spread, shape.Of(2, 3, 2))})
		rows = append(rows,
			Case{Op: "CumSum", Label: fmt.Sprintf("axis %d of 3", axis), F: of1(func(x *graph.Node) *graph.Node { return ops.CumSum(x, axis) }), In: normal(shape.Of(2, 3, 2))},
			Case{Op: "TopK", Label: fmt.Sprintf("2 of axis %d of 3", axis), F: of1(func(x *graph.Node) *graph.Node {
				y, _ := ops.TopK(x, 2, axis)
				return y
			}), In: args(gradcheck.Spread, shape.Of(2, 3, 2))},
		)
	}
	return rows
}
