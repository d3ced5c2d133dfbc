package optim

import (
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// accumulate returns the means of grads over the last r.Accumulate runs, and a Bool scalar that is
// true in the run that completes them. A loss is the mean over its batch, so each batch is weighted
// by its size: the means are the gradients of the batches taken as one.
func (r Recipe) accumulate(g *graph.Graph, params, grads []*graph.Node) (means []*graph.Node, due *graph.Node) {
	runs := g.State(graph.Join(r.Name, runsName), shape.I64(), nil)
	due = ops.Equal(runs, ops.Scalar(runs, float64(r.Accumulate-1)))
	g.Update(runs, unless(due, ops.AddScalar(runs, 1)))

	size := batchSize(grads, runs)
	sizes := g.State(graph.Join(r.Name, sizeName), shape.F64(), nil)
	total := ops.Add(sizes, size)
	g.Update(sizes, unless(due, total))

	means = make([]*graph.Node, len(grads))
	for i, p := range params {
		d := p.Type().DType
		leaf := g.State(leafName(p, r.Name, "grad_sum"), p.Type(), nil)
		sum := ops.Add(leaf, ops.Mul(grads[i], cast(size, d)))
		g.Update(leaf, unless(due, sum))
		means[i] = ops.Div(sum, cast(total, d))
	}
	return means, due
}

// unless returns x, or zeros where due.
func unless(due, x *graph.Node) *graph.Node { return ops.Where(due, ops.ZerosLike(x), x) }

// batchSize returns the batch size N, or a multiple of it, as a float64 scalar, or 1 if no input
// depends on N. It prefers an input that grads are computed from, because a program may have no
// other.
func batchSize(grads []*graph.Node, like *graph.Node) *graph.Node {
	for _, x := range append(graph.Reachable(grads...), like.Graph().Inputs()...) {
		if x.Kind() != graph.Input {
			continue
		}
		for axis, d := range x.Type().Dims() {
			if d.Symbolic() {
				return ops.Count(cast(x, shape.Float64), axis)
			}
		}
	}
	return cast(ops.OnesLike(like), shape.Float64)
}
