// Package numeric finds what takes many runs of a graph, or a look at its values: [Jacobian] and
// [Hessian] matrices, and by [Examine] the way of a gradient on a batch: its norms, the units where
// it is zero, the values where functions are flat.
//
// Knows shape, graph, ops, autodiff, engine, vm and tensor. Never imports an implementation of
// engine, nn or train.
package numeric
