package cases

import (
	"github.com/plexaura/plexaura/autodiff/gradcheck"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

func einsums() (rows []Case) {
	for _, c := range []struct {
		spec string
		in   []shape.Shape
	}{
		{"nij,njk->nik", []shape.Shape{shape.Of(n, 2, 3), shape.Of(n, 3, 2)}},
		{"ni,nj->ij", []shape.Shape{shape.Of(n, 2), shape.Of(n, 3)}},
		{"ii", []shape.Shape{shape.Of(3, 3)}},
		{"iji->j", []shape.Shape{shape.Of(2, 3, 2)}},
		{"ni,kj,lk->nl", []shape.Shape{shape.Of(n, 2), shape.Of(3, 2), shape.Of(2, 3)}},
		{"i,nij,j->n", []shape.Shape{shape.Of(2), shape.Of(n, 2, 3), shape.Of(3)}},
		{"i,j->ji", []shape.Shape{shape.Of(2), shape.Of(3)}},
	} {
		rows = append(rows, Case{Op: "Einsum", Label: c.spec,
			F: func(x ...*graph.Node) *graph.Node { return ops.Einsum(c.spec, x...) }, In: normal(c.in...)})
	}
	return rows
}

func attention() (rows []Case) {
	with := func(o ops.AttentionOptions) gradcheck.Func {
		return of3(func(q, k, v *graph.Node) *graph.Node { return ops.Attention(q, k, v, o) })
	}
	heads := normal(shape.Of(n, 2, 3, 2), shape.Of(n, 2, 4, 2), shape.Of(n, 2, 4, 1))
	mask := gradcheck.Input{Type: shape.Mask(3, 4), Values: gradcheck.Fixed(1, 0, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1)} // query 1 has no key
	return []Case{
		{Op: "Attention", Label: "heads, batch", F: with(ops.AttentionOptions{}), In: heads},
		{Op: "Attention", Label: "causal, scale 2", F: with(ops.AttentionOptions{Causal: true, Scale: 2}), In: heads},
		{Op: "Attention", Label: "mask", F: func(x ...*graph.Node) *graph.Node {
			return ops.Attention(x[0], x[1], x[2], ops.AttentionOptions{Mask: x[3]})
		}, In: append(heads[:3:3], mask)},
		{Op: "Attention", Label: "some keys, causal", F: func(x ...*graph.Node) *graph.Node {
			return ops.Attention(x[0], x[1], x[2], ops.AttentionOptions{Mask: x[3], Keys: x[4], Causal: true})
		}, In: append(heads[:3:3], mask, gradcheck.Input{Type: shape.I32(), Values: gradcheck.Fixed(3)})},
		{Op: "Attention", Label: "queries are the batch", F: with(ops.AttentionOptions{}), In: normal(shape.Of(n, 2), shape.Of(3, 2), shape.Of(3, 1))},
	}
}
