// Package engine defines what an engine provides: memory, kernels, and small interfaces, one per
// capability, that ops look for. It deals with types, not with graphs.
//
// An engine is a gorgonia tensor.Engine that implements some of the Binder interfaces, which ops
// find by type assertion. By embedding ref.Engine it takes the others from engine/ref; each [Bound]
// names the engine whose kernel it holds.
//
// Values are in the engine's [Memory]. It is that of the host, unless the engine is a [Device].
//
// Knows shape, internal/par, gorgonia's tensor. Never imports graph, ops or its own
// implementations.
package engine
