// Package vm compiles a graph and runs it.
//
// [Compile] clones the part of a graph that its outputs need and runs the symbolic passes
// once; the [Program] is immutable. For each batch size that comes along it is specialised:
// lowered to instructions, fused, scheduled, placed in one arena. A [Machine] owns the memory
// of one goroutine's runs; a [Store] holds the values of parameters and state, shared by the
// Machines of a model.
//
// [Machine.Observe] has a profiler, or who asks, see what runs in which layer and on which worker.
//
// The passes are two literal lists, in compile.go and specialise.go; each pass has a file of its
// name.
//
// Knows shape, graph, engine, tensor, and interop/safetensors for the files of a Store. Never
// imports ops, autodiff or nn: ops answer the interfaces that this package declares, so that an op
// written by a user takes part in every pass.
package vm
