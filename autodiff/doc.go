// Package autodiff adds derivatives to a graph: gradients by reverse-mode differentiation, [Grad]
// and [VJP]; directional derivatives by forward mode, [JVP]; Hessian-vector products, [HVP]; and
// the gradient of each example's loss, [PerSample]. Derivatives are ordinary nodes of the same
// graph: they can be printed, optimised, run and differentiated again. [Custom] gives a part of a
// graph a user-defined gradient, [Checkpoint] recomputes a part for its gradient instead of keeping
// it in memory, and [Explain] says why a gradient is zero. Package autodiff/numeric computes
// Jacobians and Hessians.
//
// An op defines its gradient by implementing [Differentiable], or states why it has none by
// implementing [NotDifferentiable]. Gradients stop at nodes that are not floating point.
//
// Knows graph, shape and ops. Never imports vm, engine or nn.
package autodiff
