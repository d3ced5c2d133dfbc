// Package engine says what an engine can be asked for: memory, kernels, and the small
// capability interfaces that ops look for. It knows types, not graphs.
//
// An engine is a gorgonia tensor.Engine that implements some of the Binder interfaces,
// found by type assertion. What it does not implement itself it takes from engine/ref by
// embedding ref.Engine, and each [Bound] says whose kernel it holds.
//
// Values lie in the engine's [Memory]. It is the host's, unless the engine is a [Device].
//
// Knows shape, gorgonia's tensor. Never imports graph, ops or its own implementations.
package engine
