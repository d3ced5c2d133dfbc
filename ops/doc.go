// Package ops is the catalogue of operations. Each family has one file, with the attributes of its
// ops, their type inference, gradient rules and kernel selection.
//
// A constructor such as [Conv2D] adds a node; its attribute struct, such as [Conv2DOp], is the op.
// The zero value of an attribute means its default only if zero would be invalid. Ops take their
// element type from their inputs.
//
// Knows graph, shape, engine, internal/philox. Never imports autodiff, vm, tensor or an engine's
// implementation.
package ops
