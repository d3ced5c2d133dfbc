package cases

import (
	"fmt"

	"github.com/plexaura/plexaura/autodiff/gradcheck"
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
	for axis := -1; axis < 2; axis++ {
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
