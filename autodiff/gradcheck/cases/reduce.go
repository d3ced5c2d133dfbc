package cases

import (
	"fmt"

	"github.com/plexaura/plexaura/autodiff/gradcheck"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

func reductions() (rows []Case) {
	for _, r := range []struct {
		op     string
		f      func(x *graph.Node, axes ...int) *graph.Node
		values gradcheck.Values
	}{
		{"Sum", ops.Sum, nil},
		{"Mean", ops.Mean, nil},
		{"Max", ops.Max, gradcheck.Spread},
		{"Min", ops.Min, gradcheck.Spread},
		{"Prod", ops.Prod, gradcheck.NonZero},
		{"SumKeep", ops.SumKeep, nil},
		{"MeanKeep", ops.MeanKeep, nil},
		{"MaxKeep", ops.MaxKeep, gradcheck.Spread},
		{"MinKeep", ops.MinKeep, gradcheck.Spread},
		{"Variance", ops.Variance, nil},
		{"L1Norm", ops.L1Norm, gradcheck.NonZero},
		{"L2Norm", ops.L2Norm, nil},
		{"LogSumExp", ops.LogSumExp, nil},
	} {
		for _, axes := range [][]int{nil, {0}, {1}, {-1}, {0, 2}, {1, 2}} {
			rows = append(rows, Case{Op: r.op, Label: fmt.Sprintf("axes %v of 3", axes), F: overAxes(r.f, axes...), In: args(r.values, shape.Of(2, 3, 2))})
		}
		rows = append(rows,
			Case{Op: r.op, Label: "axes [2 3] of 4", F: overAxes(r.f, 2, 3), In: args(r.values, shape.Of(2, 2, 3, 2))},
			Case{Op: r.op, Label: "batch kept", F: overAxes(r.f, 1), In: args(r.values, shape.Of(n, 3))},
			Case{Op: r.op, Label: "extent 1", F: overAxes(r.f, 1), In: args(r.values, shape.Of(2, 1, 3))},
		)
		if r.op != "Prod" { // whose gradient over N is refused
			rows = append(rows, Case{Op: r.op, Label: "batch", F: overAxes(r.f, 0), In: args(r.values, shape.Of(n, 3))})
		}
	}
	for _, s := range []shape.Shape{shape.Of(7), shape.Of(3, 2, 5)} {
		rows = append(rows, Case{Op: "Prod", Label: fmt.Sprintf("zeros in %v", s), F: overAxes(ops.Prod), In: args(gradcheck.Fixed(1.5, 0, -1, 2, 0, .5, 1, -1, 1, 1, -2), s)})
	}
	to := func(f func(*graph.Node, shape.Shape) *graph.Node, dims ...shape.Dim) gradcheck.Func {
		return of1(func(x *graph.Node) *graph.Node { return f(x, shape.Of(dims...)) })
	}
	return append(rows,
		Case{Op: "BroadcastTo", F: to(ops.BroadcastTo, 4, 2, 3), In: normal(shape.Of(2, 1))},
		Case{Op: "BroadcastTo", Label: "batch", F: to(ops.BroadcastTo, n, 3), In: normal(shape.Of(3))},
		Case{Op: "SumTo", F: to(ops.SumTo, 2, 1), In: normal(shape.Of(4, 2, 3))},
		Case{Op: "SumTo", Label: "batch", F: to(ops.SumTo, 3), In: normal(shape.Of(n, 3))},
	)
}
