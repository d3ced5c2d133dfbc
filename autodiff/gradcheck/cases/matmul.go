package cases

import (
	"fmt"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

func products() (rows []Case) {
	for _, batch := range []struct {
		label string
		a, b  []shape.Dim
	}{
		{"matrices", nil, nil},
		{"batches", []shape.Dim{2}, []shape.Dim{2}},
		{"batch by matrix", []shape.Dim{2}, nil},
		{"matrix by batch", nil, []shape.Dim{2}},
		{"batches of N", []shape.Dim{n, 2}, []shape.Dim{n, 2}},
	} {
		for _, op := range []ops.MatMulOp{{}, {TransA: true}, {TransB: true}, {TransA: true, TransB: true}} {
			m, k, p := shape.Dim(2), shape.Dim(3), shape.Dim(4)
			a, b := []shape.Dim{m, k}, []shape.Dim{k, p}
			if op.TransA {
				a = []shape.Dim{k, m}
			}
			if op.TransB {
				b = []shape.Dim{p, k}
			}
			rows = append(rows, Case{
				Op: "MatMul", Label: fmt.Sprintf("%s, %+v", batch.label, op),
				F:  of2(func(a, b *graph.Node) *graph.Node { return ops.MatMul(a, b, op) }),
				In: normal(shape.Of(append(batch.a[:len(batch.a):len(batch.a)], a...)...), shape.Of(append(batch.b[:len(batch.b):len(batch.b)], b...)...)),
			})
		}
	}
	return append(rows,
		Case{Op: "MatMul", Label: "rows of N", F: of2(func(a, b *graph.Node) *graph.Node { return ops.MatMul(a, b) }), In: normal(shape.Of(n, 3), shape.Of(3, 2))},
		Case{Op: "MatMul", Label: "each of a batch by each", F: of1(func(x *graph.Node) *graph.Node { return ops.MatMul(x, x, ops.MatMulOp{TransB: true}) }), In: normal(shape.Of(n, 2))},
		Case{Op: "MatMul", Label: "rows of N times N", F: of2(func(a, b *graph.Node) *graph.Node { return ops.MatMul(a, b) }), In: normal(shape.Of(n, n, 2), shape.Of(2, 3))},
		Case{Op: "MatMul", Label: "by itself", F: of1(func(x *graph.Node) *graph.Node { return ops.MatMul(x, x, ops.MatMulOp{TransB: true}) }), In: normal(shape.Of(2, 3))},
		Case{Op: "AddBias", Label: "2 axes", F: of2(ops.AddBias), In: normal(shape.Of(n, 3), shape.Of(3))},
		Case{Op: "AddBias", Label: "4 axes", F: of2(ops.AddBias), In: normal(shape.Of(n, 2, 2, 3), shape.Of(2))},
	)
}
