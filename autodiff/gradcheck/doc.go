// Package gradcheck compares gradients with finite differences, in float64 and on the
// reference engine: of an op of the catalogue, of a user's own, or of a whole layer. It checks
// the gradient of the gradient too, so that whatever a rule is made of is checked with it.
//
// In a test:
//
//	gradcheck.Check(t, func(x ...*graph.Node) *graph.Node {
//		return ops.Softmax(x[0], -1)
//	}, shape.F64(2, 3))
//
// Package cases, below this one, is the table of what is checked of the catalogue.
//
// Knows shape, graph, ops, autodiff, engine, engine/ref, vm and tensor. Never imports nn or train.
package gradcheck
