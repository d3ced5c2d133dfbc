// Package ref is the reference engine: every kernel in plain Go, generic over the floating-point
// types, serial, and written so that it is easy to verify. Other engines are tested against it, and
// use its kernels where they have none.
//
// Sums of float32 are accumulated in float64. Denormals are kept. Kernels do not allocate.
//
// Knows engine, shape, internal/elementary, internal/philox, gorgonia's tensor. Never imports graph, ops or
// internal/simd.
package ref
