// Package cpu is the fast engine: vector instructions where the processor has them, all
// processors, and plain Go elsewhere.
//
// Float32 is fast in every kernel, float64 in products and convolutions. What is not here (other element
// types, most moves) comes from the reference engine it embeds; Bound.By says which. The
// float32 kernels take denormals for zeros. Results have the same bits for any GOMAXPROCS:
// work is cut up by shape alone, and what is summed in parts is added up in a fixed order.
//
// The algorithm of a convolution is chosen by its shape alone, and Bound.Alg says which: "direct",
// "im2col", or "winograd" for float32 with 3×3 filters, stride 1 and at least 16 channels and filters, where
// errors are up to 5e-6 of the largest result rather than 5e-7. Infinities and NaN go where they would by the
// definition. For batches in lanes it is "lanes" always. Max pooling of 2×2 and 3×3 windows with stride 2 is "vector"; it keeps denormals.
//
// It is a full gorgonia tensor.Engine too, tensor.StdEng by embedding.
//
// Knows engine, engine/ref, internal/simd, internal/par. Never imports graph, ops.
package cpu
