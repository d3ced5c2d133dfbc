// Package winograd convolves images of float32 by Winograd's algorithm, F(4×4, 3×3) and F(2×2,
// 5×5), and computes the gradient of the filters by its adjoint.
//
// A tile is the 6×6 elements of an image that 4×4 or 2×2 results look at. Tiles side by side fill a
// vector, in groups of which each makes one line of results. A tile becomes 36 values; products
// over the channels of each are tiles of package gemm, and become results.
//
// Knows par, abi, isa, window and gemm. Never imports anything else of ours.
package winograd
