// Package conv convolves images of float32 directly, without unfolding them to a matrix, and
// computes the gradient of the filters.
//
// A strip is a range of columns of the result; a panel is some rows of a strip, as many as fill the
// vectors of a kernel. Where windows reach over an image, or rows are read with a stride, the
// kernels see a copy with a frame of zeros, whose columns are sorted by their place within a
// stride.
//
// The gradient of the filters has two forms: with pixels side by side in a vector, or where there
// are many filters with filters side by side, in panels of filters.
//
// Knows par, abi, isa, window and gemm. Never imports anything else of ours.
package conv
