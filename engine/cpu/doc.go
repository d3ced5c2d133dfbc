// Package cpu is the fast engine: vector instructions where the processor has them, all
// processors, and plain Go elsewhere.
//
// Float32 is fast in every kernel, float64 in products and convolutions. What is not here (other element
// types, most moves) comes from the reference engine it embeds; Bound.By says which. The
// float32 kernels take denormals for zeros. Results have the same bits for any GOMAXPROCS:
// work is cut up by shape alone, and what is summed in parts is added up in a fixed order.
//
// It is a full gorgonia tensor.Engine too, tensor.StdEng by embedding.
//
// Knows engine, engine/ref, internal/simd, internal/par. Never imports graph, ops.
package cpu
