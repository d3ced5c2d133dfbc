// Package npy reads datasets from NumPy's .npy files: one with the inputs, one with the targets.
//
// Knows data, shape and internal/npy. Never imports graph or an engine.
package npy
