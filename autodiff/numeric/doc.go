// Package numeric computes derivatives that take several runs of a graph, or depend on its values:
// [Jacobian] and [Hessian] matrices, and with [Examine] a report on a gradient for one batch: its
// norms along the way, the units where it is zero, and the values where functions are flat.
//
// Knows shape, graph, ops, autodiff, engine, vm and tensor. Never imports an implementation of
// engine, nn or train.
package numeric
