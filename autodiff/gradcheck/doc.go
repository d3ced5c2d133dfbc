// Package gradcheck compares gradients with finite differences, in float64 and on the reference
// engine. It checks ops of the catalogue, user-defined ops and whole layers. It checks the gradient
// of the gradient too, and with it the ops that the gradient rule uses.
//
// In a test:
//
//	gradcheck.Check(t, func(x ...*graph.Node) *graph.Node {
//		return ops.Softmax(x[0], -1)
//	}, shape.F64(2, 3))
//
// The subpackage cases has the table of checks for the catalogue.
//
// Knows shape, graph, ops, autodiff, engine, engine/ref, vm and tensor. Never imports nn or train.
package gradcheck
