// Package ref is the reference engine: every kernel in plain Go, generic over the
// floating-point types, serial, and written to be seen to be right. Other engines are
// tested against it and take from it what they lack.
//
// Sums of float32 are accumulated in float64. Denormals are kept. Kernels allocate nothing.
//
// Knows engine, shape, internal/philox, gorgonia's tensor. Never imports graph, ops or
// internal/simd.
package ref
