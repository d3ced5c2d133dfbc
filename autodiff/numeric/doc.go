// Package numeric finds what takes many runs of a graph, or a look at its values: [Jacobian] and
// [Hessian] matrices, and by [Examine] the units whose gradient is zero on a batch.
//
// Knows autodiff, ops, graph, vm and engine. Never imports an implementation of engine, nn or
// train.
package numeric
