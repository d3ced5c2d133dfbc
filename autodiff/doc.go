// Package autodiff adds gradients to a graph by reverse-mode differentiation, [Grad] and [VJP],
// derivatives in a direction by forward mode, [JVP], and products of the Hessian and a vector,
// [HVP], and gradients of each example's loss, [PerSample]. They are ordinary nodes of the same graph, so
// that they can be printed, optimised, run and differentiated again. [Custom] gives a part of a graph
// another gradient, [Checkpoint] computes a part anew for its gradient instead of keeping it, and
// [Explain] says why a gradient is zero. Jacobians and Hessians are made by package autodiff/numeric.
//
// An op says how it is differentiated by being [Differentiable], or why it cannot be, by
// being [NotDifferentiable]. Gradients stop at nodes that are not floating point.
//
// Knows graph, shape and ops. Never imports vm, engine or nn.
package autodiff
