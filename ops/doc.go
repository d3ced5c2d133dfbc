// Package ops is the catalogue of operations, one file a family: an op's attributes, its
// shape rule, its gradient rule and its question to the engine stand together.
//
// A constructor such as [Conv2D] adds a node; its attribute struct, such as [Conv2DOp], is
// the op. The zero value of an attribute means its default only where zero would be
// invalid. Ops follow the element type of their inputs.
//
// Knows graph, shape, engine, internal/philox. Never imports autodiff, vm, tensor or an engine's
// implementation.
package ops
