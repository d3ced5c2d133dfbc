// Package vm compiles a graph and runs it.
//
// [Compile] clones the part of a graph that its outputs depend on and runs the symbolic passes on
// it, once. The resulting [Program] is immutable. For each batch size that it meets, it specialises
// the program: lowers it to instructions, fuses and schedules them, and assigns all values an
// offset in one arena. A [Machine] owns the memory for running a Program in one goroutine. A
// [Store] holds the values of parameters and states, which all Machines of a model share.
//
// [Machine.Observe] reports to a profiler, or to a function, which instruction of which layer runs
// on which worker.
//
// The lists of passes are in compile.go and specialise.go. Each pass has a file of its own, with
// its name.
//
// Knows shape, graph, engine, tensor, and interop/safetensors for the files of a Store. Never
// imports ops, autodiff or nn: ops implement the interfaces that this package declares, so that a
// user's op takes part in every pass.
package vm
